"""What comes with mcgurk paints what README's command asks for."""

from pathlib import Path

import numpy as np
import pytest

from data_prep.masks.images import read_image
from data_prep.masks.scenes import render_scene
from data_prep.masks.scenes.prompts import draw_mask
from tasks.segmentation import Segmenter

SCENE = Path(__file__).parents[2] / "assets/scene.png"
RED, ORANGE = (220, 38, 60), (255, 127, 14)


@pytest.fixture(scope="module")
def scene():
    return read_image(str(SCENE)).values


@pytest.fixture(scope="module")
def segmenter():
    return Segmenter.load("scenes", "cpu")


def of_colour(scene, colour):
    return np.abs(scene * 255 - np.array(colour)).max(-1) < 40


@pytest.mark.parametrize(
    ("prompt", "colour"), [("the red circle", RED), ("the orange ring", ORANGE)]
)
def test_the_model_finds_what_is_asked_for_by_colour_and_shape(segmenter, scene, prompt, colour):
    (mask,) = segmenter.probability(scene, [prompt]) > 0.5
    truth = of_colour(scene, colour)
    assert truth.mean() > 0.02
    assert 2 * (mask & truth).sum() / (mask.sum() + truth.sum()) > 0.8


@pytest.mark.parametrize("name", ["phantoms-da-vl", "phantoms-sa-vlc"])
def test_the_adapters_find_dark_lumps_in_rendered_ultrasound(name):
    segmenter, dices = Segmenter.load(name, "cpu"), []
    for seed in range(24_052_024, 24_052_030):  # no training has these
        scene = render_scene(seed, 160, "ultrasound")
        truth = draw_mask({"noun": "tumor"}, scene)
        if truth.any():
            image = scene.image.astype(np.float32) / 255
            (mask,) = segmenter.probability(image, ["tumor in the breast ultrasound image"]) > 0.5
            dices.append(2 * (mask & truth).sum() / (mask.sum() + truth.sum()))
    assert len(dices) >= 3 and np.mean(dices) > 0.6


def test_a_model_that_is_not_there_is_told_with_all_that_come_along():
    with pytest.raises(ValueError, match="scenes.*phantoms-da-vl, phantoms-sa-vlc"):
        Segmenter.load("phantoms", "cpu")
