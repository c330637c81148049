import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data_prep.faces.stillness import measure_changes

FRAMES = 40
ALL = slice(None)


def scene(seed: int, side: int) -> np.ndarray:
    """A smooth picture of side + 24 pixels, grey levels."""
    coarse = np.random.default_rng(seed).uniform(60, 200, (6, 6)).astype(np.float32)
    return cv2.resize(coarse, (side + 24, side + 24), interpolation=cv2.INTER_CUBIC)


def look(picture: np.ndarray, side: int, x: float, y: float) -> np.ndarray:
    shift = np.array([[1.0, 0.0, -12 - x], [0.0, 1.0, -12 - y]])
    return cv2.warpAffine(picture, shift, (side, side), flags=cv2.INTER_LINEAR).astype(float)


def speaking(side: int, opening: np.ndarray) -> np.ndarray:
    """A mouth that opens and closes, [frames, side, side]."""
    pictures = np.repeat(scene(0, side)[None, 12:-12, 12:-12].astype(float), len(opening), 0)
    rows = np.arange(side)[:, None]
    for picture, size in zip(pictures, opening, strict=True):
        inside = np.clip(size - abs(rows - side / 2), 0, 1) * np.ones((1, side))
        picture[:] = picture * (1 - inside) + 20 * inside
    return pictures


FIXED = np.repeat(scene(1, 16)[None, 12:-12, 12:-12].astype(float), FRAMES, 0)
NEW = np.zeros(FRAMES, bool)


@given(st.integers(0, 1000), st.floats(0, 0.25))
def test_still_picture_with_noise_of_coding_is_still(seed, noise):
    random = np.random.default_rng(seed)
    lips = look(scene(seed, 12), 12, 0, 0)[None] + random.normal(0, noise, (FRAMES, 12, 12))
    assert measure_changes(lips, FIXED, NEW).is_still(ALL)


@settings(deadline=None)
@given(st.integers(0, 1000), st.floats(-0.5, 0.5), st.floats(-0.5, 0.5))
def test_picture_that_is_moved_as_a_whole_does_not_bend(seed, right, down):
    at = [(right * i, down * i) for i in np.arange(FRAMES) / 2]
    lips = np.stack([look(scene(seed, 12), 12, *xy) for xy in at])
    upper = np.stack([look(scene(seed + 1, 16), 16, *xy) for xy in at])
    assert measure_changes(lips, upper, NEW).bending(ALL) < 0.7


@given(st.integers(0, 1000), st.floats(0.3, 1.0))
def test_mouth_that_opens_bends_in_dark_pictures_too(seed, light):
    opening = 2 + 2 * np.sin(np.arange(FRAMES) + seed)
    changes = measure_changes(light * speaking(12, opening), light * FIXED, NEW)
    assert not changes.is_still(ALL)
    assert changes.bending(ALL) > 0.7


@pytest.mark.parametrize("every", [1, 2, 3])
def test_repeated_pictures_do_not_make_a_mouth_still(every):
    opening = np.repeat(2 + 2 * np.sin(np.arange(FRAMES)), every)[:FRAMES]
    repeated = np.arange(FRAMES) % every != 0
    assert not measure_changes(speaking(12, opening), FIXED, repeated).is_still(ALL)


@pytest.mark.parametrize("frames", [1, 2, 3, 4])
def test_few_pictures_have_changes_of_as_many(frames):
    changes = measure_changes(FIXED[:frames, :12, :12], FIXED[:frames], NEW[:frames])
    assert len(changes.bent) == frames and changes.is_still(ALL)
