import cv2
import numpy as np
import pytest

from data_prep.faces.crops import MEAN_FACE, crop_mouth, fit_similarity, is_inside, mouth_transform


def place(angle_degrees=0.0, scale=1.0, shift=(0.0, 0.0)):
    """The mean face, turned, scaled and moved."""
    angle = np.deg2rad(angle_degrees)
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    return scale * MEAN_FACE @ turn.T + np.array(shift)


def draw_lips(landmarks, scale, size=(1000, 1200)):
    """A bar along the lips, 40 pixels long in the crop."""
    half = (landmarks[1] - landmarks[0]) * 20 / 72
    ends = np.round(16 * np.array([landmarks[3] - half, landmarks[3] + half])).astype(int).tolist()
    picture = np.full(size, 40, np.uint8)
    return cv2.line(picture, ends[0], ends[1], 255, max(1, round(6 * scale)), cv2.LINE_AA, 4)


def centre_of_light(crop):
    weight = crop.astype(float) - 40
    rows, columns = np.mgrid[: crop.shape[0], : crop.shape[1]]
    return (weight * columns).sum() / weight.sum(), (weight * rows).sum() / weight.sum()


def test_similarity_is_recovered_exactly():
    landmarks = place(30, 0.5, (200, 150))
    turn = fit_similarity(landmarks, MEAN_FACE)
    np.testing.assert_allclose((landmarks - landmarks[3]) @ turn.T, MEAN_FACE, atol=1e-9)


def test_similarity_never_mirrors():
    mirrored = place(10) * [-1.0, 1.0]
    assert np.linalg.det(fit_similarity(mirrored, MEAN_FACE)) > 0


@pytest.mark.parametrize("angle", [0, 25, -40, 90, 180])
@pytest.mark.parametrize("scale", [0.4, 1.0, 2.5, 4.0])
def test_mouth_is_in_the_middle_upright_and_of_one_size(angle, scale):
    landmarks = place(angle, scale, (600, 500))
    crop = crop_mouth(draw_lips(landmarks, scale), landmarks)
    assert crop.shape == (96, 96) and crop.dtype == np.uint8
    assert centre_of_light(crop) == pytest.approx((47.5, 47.5), abs=0.7)
    rows, columns = np.nonzero(crop > 130)
    assert np.ptp(columns) == pytest.approx(46, abs=6)
    assert np.ptp(rows) < 12


def test_strong_shrinking_averages():
    stripes = np.tile(np.array([0, 255], np.uint8), (1000, 600))
    crop = crop_mouth(stripes, place(0, 4.0, (600, 500)))
    assert crop.std() < 10 and abs(float(crop.mean()) - 127.5) < 5


def test_crop_at_the_border_repeats_the_edge():
    picture = np.full((100, 100), 90, np.uint8)
    assert (crop_mouth(picture, place(0, 1.0, (5, 95))) == 90).all()


def test_points_on_one_spot_are_refused():
    with pytest.raises(ValueError, match="one point"):
        mouth_transform(np.ones((4, 2)))


def test_mouth_inside_the_picture():
    faces = np.stack([place(shift=shift) for shift in ((50, 50), (-1, 50), (50, 101), (99, 99))])
    assert is_inside(faces, 100, 100).tolist() == [True, False, False, True]


def test_dots_of_the_eyes_lie_level_after_turning():
    landmarks = place(35, 0.4, (200, 200))
    transform = mouth_transform(landmarks, 256)
    eyes = landmarks[:2] @ transform[:, :2].T + transform[:, 2]
    assert eyes[0, 1] == pytest.approx(eyes[1, 1])
    assert eyes[1, 0] - eyes[0, 0] == pytest.approx(72)
