"""What comes with mcgurk paints what README's command asks for."""

from pathlib import Path

import numpy as np
import pytest

from data_prep.masks.images import read_image
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
