import numpy as np

from data_prep.faces.landmarks import fill, interpolate, smooth

FACE = np.array([[40.0, 40.0], [80.0, 40.0], [60.0, 60.0], [60.0, 80.0]])


def test_interpolation_ends_at_the_second_row():
    steps = interpolate(np.array([0.0, 10.0]), np.array([4.0, 2.0]), 4)
    np.testing.assert_allclose(steps, [[1, 8], [2, 6], [3, 4], [4, 2]])


def test_short_gaps_are_bridged_and_long_ones_are_not_trusted():
    landmarks = np.full((100, 4, 2), np.nan)
    for frame in (10, 20, 80):
        landmarks[frame] = FACE + frame
    filled, known = fill(landmarks, bridge_frames=25, hold_frames=4)
    np.testing.assert_allclose(filled[15], FACE + 15)
    assert np.flatnonzero(known).tolist() == [*range(6, 25), *range(76, 85)]


def test_nothing_known_is_nowhere_trusted():
    filled, known = fill(np.full((7, 4, 2), np.nan))
    assert not known.any() and np.isfinite(filled).all()


def test_smoothing_keeps_a_steady_motion_and_the_number_of_frames():
    landmarks = FACE + 3.0 * np.arange(40)[:, None, None]
    np.testing.assert_allclose(smooth(landmarks), landmarks)


def test_smoothing_averages_the_shape_but_not_the_position():
    noise = np.random.default_rng(0).normal(0, 1, (200, 4, 2))
    smoothed = smooth(FACE + noise)
    np.testing.assert_allclose(smoothed.mean(axis=1), (FACE + noise).mean(axis=1))
    shape = smoothed - smoothed.mean(axis=1, keepdims=True)
    assert shape.std(axis=0).max() < 0.45


def test_smoothing_of_very_short_tracks():
    for frames in (1, 2, 3):
        assert smooth(np.repeat(FACE[None], frames, 0)).shape == (frames, 4, 2)
