"""Sets are taken by what they are worth on pieces held back."""

import numpy as np
import pytest

from data_prep.clips.manifest import Clip
from data_prep.clips.samples import Sample
from tasks.avsr.sets.collection import Collection
from tasks.avsr.sets.contract import Heard
from tasks.avsr.training.config import NoiseOptions
from tasks.avsr.training.enrolment.choice import Trial, choose_sets
from tasks.avsr.training.noise_maker import NoiseMaker

GROUPS = {
    "audio": ["ear"],
    "all": ["all"],
    "category": ["music", "natural"],
    "level": ["high", "low"],
}
KINDS = ("music", "natural")


class Recogniser:
    """Errs as often as it is told, in ten words."""

    def __init__(self, errors: dict[str, int]):
        self.errors, self.asked = errors, []

    def with_set(self, utterances, name):
        self.asked.append((name, len(utterances)))
        right = 10 - self.errors[name]
        return [Heard(" ".join(["a"] * right + ["b"] * (10 - right)))] * len(utterances)


def trial(errors: dict[str, int], kinds=KINDS) -> Trial:
    wave = np.random.default_rng(0).normal(0, 0.1, 8000).astype(np.float32)
    crops = np.zeros((5, 96, 96), np.uint8)
    samples = [
        Sample(Clip(str(n), "", " ".join(["a"] * 10), frames=5, seen=((0, 5),)), wave, crops)
        for n in range(2)
    ]
    noise = NoiseMaker(NoiseOptions(categories=kinds), [wave] * 8)
    return Trial(Recogniser(errors), samples, noise, 3)


def test_each_set_is_taken_by_its_own_noise_and_the_others_go_as_the_first():
    collection = Collection("made", "tiny", "lips", GROUPS)
    errors = {"ear": 8, "all": 3, "all__before": 4, "music": 2, "music__before": 2}
    held = trial({**errors, "natural": 5, "natural__before": 1})
    told = []
    chosen = choose_sets(held, collection, lambda done, total: told.append((done, total)))
    assert chosen.taken == {
        "all": "trained",
        "music": "moved",
        "natural": "as it was",
        "high": "moved",
        "low": "moved",
    }
    assert list(chosen.before.values()) == [pytest.approx(80)] * 5
    assert chosen.after == {
        "clean": pytest.approx(30),
        **{f"music {level} dB": pytest.approx(20) for level in (0, -10)},
        **{f"natural {level} dB": pytest.approx(10) for level in (0, -10)},
    }
    assert told == [(number / 2, 3) for number in range(1, 7)]
    counts = dict.fromkeys(("high", "low"))
    assert not counts.keys() & {name for name, _ in held.recogniser.asked}
    assert {count for _, count in held.recogniser.asked} == {2, 6}  # clean once, else each draw


def test_what_did_not_help_stays_as_it_was():
    collection = Collection("made", "tiny", "lips", {"all": ["all"], "level": ["all", "low"]})
    chosen = choose_sets(trial({"all": 3, "all__before": 2}), collection)
    assert chosen.taken == {"all": "as it was", "low": "as it was"}
    assert chosen.before == chosen.after  # nothing hears only


def test_the_same_noise_comes_again():
    first, again = trial({}), trial({})
    one, two = (t._utter("music", -10.0) for t in (first, again))
    assert all(np.array_equal(a.waveform, b.waveform) for a, b in zip(one, two, strict=True))
    assert not np.array_equal(one[0].waveform, one[2].waveform)
