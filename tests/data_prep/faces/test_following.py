"""A face is found again in the frames between two looks, or said not to be."""

import cv2
import numpy as np
import pytest

from data_prep.faces.following import FollowConfig, ShrunkPictures, follow
from data_prep.faces.newcomers import has_newcomer
from data_prep.faces.tracks import Detection

SHAPE = np.array([[0.3, 0.3], [0.7, 0.3], [0.5, 0.5], [0.5, 0.75]])
SIZE = 60


def texture(seed, rows, columns, low=60, high=200):
    coarse = np.random.default_rng(seed).integers(low, high, (rows // 6, columns // 6), np.uint8)
    return cv2.resize(coarse, (columns, rows), interpolation=cv2.INTER_CUBIC)


def film(places, size=(240, 320), scale=1):
    """A face of noise at some places, x and y of its corner, before a smooth wall."""
    face, pictures = texture(1, SIZE * scale, SIZE * scale), []
    for x, y in places:
        picture = np.full((size[0] * scale, size[1] * scale), 120, np.uint8)
        move = np.array([[1.0, 0.0, x * scale], [0.0, 1.0, y * scale]])
        cv2.warpAffine(face, move, picture.shape[::-1], picture, borderMode=cv2.BORDER_TRANSPARENT)
        pictures.append(picture)
    return pictures


def face_at(place, scale=1):
    box = np.array([*place, SIZE, SIZE], float) * scale
    return Detection(box, box[:2] + SHAPE * box[2:], 0.9)


def path_of(places, pictures=None, scale=1, config=None, last=None):
    pictures = film(places, scale=scale) if pictures is None else pictures
    return follow(
        (0, face_at(places[0], scale)),
        (len(places) - 1, face_at(places[-1] if last is None else last, scale)),
        ShrunkPictures(lambda frame: pictures[frame]),
        config or FollowConfig(),
    )


@pytest.mark.parametrize("scale", [1, 3])
def test_a_face_that_goes_and_comes_back_is_followed_there_and_back(scale):
    places = [
        (100 + 9 * np.sin(np.pi * t / 10), 80 - 6 * np.sin(np.pi * t / 10)) for t in range(11)
    ]
    path = path_of(places, scale=scale)
    assert path and 5 in path
    for frame, face in path.items():
        np.testing.assert_allclose(face.box[:2], np.multiply(places[frame], scale), atol=scale)
        np.testing.assert_allclose(
            face.landmarks, face_at(places[frame], scale).landmarks, atol=scale
        )
        assert face.followed


def test_a_head_that_tilts_and_comes_back_is_followed_there_and_back():
    angles = [np.radians(12) * np.sin(np.pi * t / 10) for t in range(11)]
    still, face = film([(100, 80)])[0], face_at((100, 80))
    turns = [cv2.getRotationMatrix2D((130, 110), -np.degrees(a), 1) for a in angles]
    pictures = [cv2.warpAffine(still, turn, (320, 240), borderValue=120) for turn in turns]
    path = path_of([(100, 80)] * 11, pictures)
    assert path and 5 in path
    for frame, found in path.items():
        cos, sin = np.cos(angles[frame]), np.sin(angles[frame])
        expected = (face.landmarks - (130, 110)) @ np.array([[cos, sin], [-sin, cos]]) + (130, 110)
        np.testing.assert_allclose(found.landmarks, expected, atol=1)


def test_fast_motion_is_followed_in_smaller_steps():
    slow = path_of([(100 + t / 2, 80) for t in range(11)])
    fast = path_of([(60 + 11 * t, 80) for t in range(11)])
    assert slow and list(slow) == [5]
    assert fast and {1, 2, 5} <= set(fast)
    for frame, face in fast.items():
        assert face.box[0] == pytest.approx(60 + 11 * frame, abs=1)


def test_a_jerk_is_followed_in_smaller_steps():
    places = [(100 + 3 * min(t, 12 - t), 80) for t in range(11)]
    path = path_of(places)
    assert path and {5, 6, 7} <= set(path)
    assert path[6].box[0] == pytest.approx(118, abs=1)


def test_what_the_flow_misses_is_shared_out_until_the_next_look():
    path = path_of([(100, 80)] * 11, last=(104, 80))
    assert path and path[5].box[0] == pytest.approx(102, abs=0.3)


def test_a_face_that_ends_elsewhere_is_not_followed():
    assert path_of([(100, 80)] * 11, last=(112, 80)) is None


def test_a_face_that_is_hidden_for_a_moment_is_not_followed():
    pictures = film([(100, 80)] * 11)
    pictures[5] = np.full_like(pictures[0], 90)
    assert path_of([(100, 80)] * 11, pictures) is None


def test_what_has_no_corners_is_not_followed():
    assert path_of([(100, 80)] * 11, [np.full((240, 320), 200, np.uint8)] * 11) is None


def test_a_face_at_the_border_or_outside_is_no_error():
    pictures = film([(-40, 80)] * 11)
    for x in (-40, -70, 300, 400):
        path_of([(x, 80)] * 11, pictures)


def test_a_tiny_face_is_not_followed():
    face = Detection(np.array([10.0, 10, 8, 8]), 10 + 8 * SHAPE, 0.9)
    pictures = ShrunkPictures(lambda frame: texture(0, 240, 320))
    assert follow((0, face), (10, face), pictures, FollowConfig()) is None


def wall(*places, side=20):
    picture = np.full((180, 320), 100, np.uint8)
    for x, y in places:
        picture[y : y + side, x : x + side] = texture(3, side * 6, side * 6)[:side, :side]
    return picture


KNOWN = [np.array([100 / 320, 50 / 180, 30 / 320, 30 / 180])]


def test_what_only_one_picture_shows_is_new():
    assert has_newcomer(wall((220, 80)), [wall(), wall()], [])
    assert has_newcomer(wall((220, 80)), [wall(), wall()], KNOWN)


def test_what_was_there_before_or_comes_to_stay_is_not():
    assert not has_newcomer(wall((220, 80)), [wall((220, 80)), wall()], [])
    assert not has_newcomer(wall((220, 80)), [wall(), wall((220, 80))], [])


def test_noise_and_what_is_smaller_than_any_face_is_not():
    noise = np.random.default_rng(0).integers(-6, 7, (180, 320))
    assert not has_newcomer((wall() + noise).astype(np.uint8), [wall(), wall()], [])
    assert not has_newcomer(wall((220, 80), side=8), [wall(), wall()], [])


def test_what_moves_with_a_known_face_is_not():
    assert not has_newcomer(wall((95, 120)), [wall(), wall()], KNOWN)  # a hand before the chest
    assert has_newcomer(wall((95, 120)), [wall(), wall()], [])
