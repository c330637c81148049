"""Numbers and names that no training of a separator can take are told when they are read."""

import numpy as np
import pytest

from tasks.audio_to_image.separation.config import MixtureOptions, SeparationConfig
from tasks.config import filled

DATA = {"a": {"folder": "sounds"}}
INF, NAN = float("inf"), float("nan")


@pytest.mark.parametrize(
    ("entries", "told"),
    [
        ({"mixtures": {"gain_db": NAN}}, "gain_db nan; expected .* 0 to 100"),
        ({"mixtures": {"gain_db": INF}}, "gain_db inf"),
        ({"mixtures": {"gain_db": 1e9}}, "gain_db 1e.09"),
        ({"loss": {"reconstruction": INF}}, "loss.reconstruction is inf"),
        ({"loss": {"alignment": NAN}}, "alignment nan"),
        ({"loss": {"ranking": INF}}, "ranking inf"),
        ({"loss": {"temperature": INF}}, "temperature inf"),
        ({"loss": {"most_db": 0}}, "most_db is 0; expected above 0 to 60 dB"),
        ({"loss": {"most_db": NAN}}, "most_db is nan"),
        ({"significance": "colour"}, "colour"),
        ({"loss": {"split": False}, "mixtures": {"clips": 2}}, "mixtures.clips 2; expected 1"),
        ({"mixtures": {"weights": [1, 2]}}, r"weights is \(1.*expected 1 numbers"),
        ({"mixtures": {"fewest": 1, "weights": [0, 0]}}, "weights is"),
        ({"mixtures": {"fewest": 1, "weights": [-1, 2]}}, "weights is"),
        ({"network": {"window_s": NAN}}, "window_s is nan"),
        ({"network": {"squeeze": 0}}, "squeeze is 0"),
        ({"data": {"a": {"folder": "sounds", "seed": -1}}}, "seed is -1; expected 0 or more"),
        ({"data": {"a": {"folder": " "}}}, "folder is empty"),
        ({"data": {"a": {}}}, "folder is empty"),
        ({"loop": {"seed": -1}}, "'seed' is -1"),
    ],
)
def test_what_cannot_be_is_told_when_it_is_read(entries, told):
    with pytest.raises(ValueError, match=told):
        filled(SeparationConfig, {"data": DATA, **entries}, "file.yaml")
    assert filled(SeparationConfig, {"data": DATA}, "file.yaml").data["a"].folder == "sounds"


def test_numbers_of_sounds_come_as_often_as_they_weigh():
    options = MixtureOptions(fewest=1, most=3, weights=(1, 0, 3))
    random = np.random.default_rng(0)
    drawn = np.bincount([options.draw_count(random) for _ in range(2000)], minlength=4)
    assert drawn[[0, 2]].tolist() == [0, 0]
    assert drawn[3] / 2000 == pytest.approx(0.75, abs=0.05)
    alike = [MixtureOptions(fewest=1, most=3).draw_count(random) for _ in range(2000)]
    assert min(np.bincount(alike)[1:]) > 550
