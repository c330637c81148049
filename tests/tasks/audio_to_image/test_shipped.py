"""What comes with mcgurk takes apart and paints the sounds that come with it, as pages say."""

import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from data_prep.masks.images import to_8_bits
from data_prep.media.audio import read_audio
from data_prep.mixtures.scenes.mixture import render_mixture
from modalities.diffusion.denoiser_files import load_denoiser
from modalities.rates import RATE_HZ
from tasks.__main__ import run
from tasks.audio_to_image.painting.painter import Painter
from tasks.audio_to_image.separation.separator import Separator
from tasks.scoring.separation import score_separation
from tools.icon_reader import IconReader

SOUND = Path(__file__).parents[2] / "assets/bell_and_bird.wav"  # a bell, and a softer bird


@pytest.fixture(scope="module")
def separator():
    return Separator.load("scenes", "cpu")


def test_the_mixture_is_taken_apart_and_named(tmp_path, capsys):
    assert run(["separate", str(SOUND), "-o", str(tmp_path / "apart"), "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    heard = [one["name"] for one in told["sources"] if one["share"] > 0.05]
    assert sorted(heard) == ["bell", "bird"]
    written = [read_audio(tmp_path / "apart" / one["file"]) for one in told["sources"]]
    np.testing.assert_allclose(sum(written), read_audio(SOUND), atol=2e-3)


def test_mixtures_of_two_come_out_better_than_they_went_in(separator):
    drawn = [render_mixture(1_000_003, number, 2, 2.0) for number in range(12)]
    pairs = [np.stack(mixture.sources) for mixture in drawn if len(mixture.sources) == 2]
    assert len(pairs) > 3
    found = [separator.separate(sources.sum(0), RATE_HZ).sources for sources in pairs]
    scores = [score_separation(one, known) for one, known in zip(found, pairs, strict=True)]
    assert np.mean([score.improvement for score in scores]) > 8  # dB; on its card 13


def test_the_denoiser_is_one_of_icons():
    denoiser = load_denoiser("scenes")
    assert (denoiser.side, denoiser.name) == ((32, 32), "scenes")


def test_the_mixture_is_painted_as_what_is_heard(tmp_path, capsys):
    painter = Painter.load("scenes", "cpu")
    heard = painter.hear(read_audio(SOUND), RATE_HZ)
    painted = painter.paint(heard.embeddings[None].expand(8, -1, -1))
    icons = IconReader().read(list(to_8_bits(painted.numpy())))
    assert sum(sorted(one) == ["bell", "bird"] for one in icons) >= 6
    picture = tmp_path / "painted.png"
    assert run(["paint", str(SOUND), "-o", str(picture), "--count", "2"]) == 0
    assert "bird" in capsys.readouterr().out and cv2.imread(str(picture)).shape[0] >= 256


@pytest.mark.slow
def test_the_louder_it_is_told_the_larger_are_icons_and_the_brighter_the_lighter():
    painter = Painter.load("scenes", "cpu")
    heard = painter.hear(read_audio(SOUND), RATE_HZ).embeddings[None].expand(4, -1, -1)

    def paint(loudness: float, centroid: float) -> np.ndarray:
        told = {"loudness": loudness, "centroid": centroid}
        return painter.paint(heard, steps=10, attributes=told).numpy()

    inked = []
    for loudness in (0.0, 0.5, 1.0):
        pictures = paint(loudness, 0.9)
        ground = np.median(pictures, (1, 2), keepdims=True)
        inked.append(float((np.abs(pictures - ground).max(-1) > 0.3).mean()))
    assert inked[0] < inked[1] < inked[2] and inked[2] > 1.2 * inked[0]
    dark, light = paint(0.9, 0.0), paint(0.9, 1.0)
    assert np.median(light) > np.median(dark) + 0.2


def test_icons_stand_where_edges_are_told():
    painter = Painter.load("scenes", "cpu")
    heard = painter.hear(read_audio(SOUND), RATE_HZ).embeddings[None].expand(4, -1, -1)
    rings, inside = (np.zeros((32, 32), np.uint8) for _ in range(2))
    for middle in ((8, 9), (23, 22)):  # of two icons, which else stand side by side
        cv2.circle(rings, middle, 5, 1, 1)
        cv2.circle(inside, middle, 6, 1, -1)

    def share(**told) -> float:
        pictures = painter.paint(heard, steps=10, **told).numpy()
        ink = np.abs(pictures - np.median(pictures, (1, 2), keepdims=True)).max(-1) > 0.3
        return float((ink & (inside == 1)).sum() / ink.sum())

    assert share(edges=rings.astype(np.float32)) > share() + 0.25
