import json

import numpy as np
import pytest

from data_prep.faces import crop_mouth, load_landmarks, use_box, use_landmarks, use_mouth_video
from data_prep.faces.crops import MEAN_FACE
from data_prep.faces.landmark_file import DLIB_GROUPS, reduce_landmarks

FACE = MEAN_FACE * 0.5 + [160, 140]


@pytest.fixture
def pictures(show):
    random = np.random.default_rng(0)
    return show(random.integers(0, 255, (60, 240, 320), np.uint8))


@pytest.mark.parametrize("size", [(96, 96), (40, 40), (200, 160), (88, 120)])
def test_mouth_video_of_any_size_becomes_96_by_96(show, size):
    source = use_mouth_video()
    chunks = source.push(show([np.full(size, 77, np.uint8)] * 30)) + source.flush()
    assert [chunk.crops.shape for chunk in chunks] == [(30, 96, 96)]
    assert (chunks[0].crops == 77).all() and chunks[0].mask.all() and (chunks[0].track == 0).all()


def test_mouth_video_of_standard_size_is_taken_as_it_is(show):
    mouth = np.random.default_rng(0).integers(0, 255, (96, 96), np.uint8)
    np.testing.assert_array_equal(use_mouth_video().push(show([mouth]))[0].crops[0], mouth)


def test_chunks_follow_each_other_and_are_bounded(show):
    source = use_mouth_video()
    chunks = source.push(show([np.zeros((9, 9), np.uint8)] * 800)) + source.push(
        show([np.zeros((9, 9), np.uint8)] * 5)
    )
    assert [(c.start_frame, c.frames) for c in chunks] == [(0, 750), (750, 50), (800, 5)]


def test_box_of_crop_size_is_cut_out_exactly(pictures):
    chunk = use_box((100, 50, 96, 96)).push(pictures)[0]
    np.testing.assert_array_equal(chunk.crops[3], pictures[3].gray()[50:146, 100:196])


def test_box_is_scaled_and_made_square(show):
    picture = np.zeros((240, 320), np.uint8)
    picture[100:148, 100:148] = 200
    crop = use_box((100, 106, 48, 36)).push(show([picture]))[0].crops[0]
    assert (crop[2:-2, 2:-2] == 200).all()


@pytest.mark.parametrize("box", [(1, 2, 3), (0, 0, 0, 5), (0, 0, float("nan"), 5)])
def test_box_without_area_is_refused(box):
    with pytest.raises(ValueError, match="x, y, width, height"):
        use_box(box)


def test_box_outside_the_picture_is_refused(pictures):
    with pytest.raises(ValueError, match="outside the picture of 320 x 240"):
        use_box((500, 50, 40, 40)).push(pictures)


def test_landmarks_are_cropped_filled_and_masked(pictures):
    landmarks = np.repeat(FACE[None], 60, 0)
    landmarks[20:24] = np.nan
    landmarks[30:] = np.nan
    source = use_landmarks(landmarks)
    chunk = source.push(pictures)[0]
    assert chunk.mask[:34].all() and not chunk.mask[34:].any()
    assert not chunk.crops[40].any() and chunk.track[40] == -1
    np.testing.assert_array_equal(chunk.crops[22], crop_mouth(pictures[22].gray(), FACE))
    (track,) = source.tracks()
    assert track.frames == 34 and track.detected.sum() == 26


def test_landmarks_are_not_smoothed_across_a_leap(pictures):
    landmarks = np.repeat(FACE[None], 60, 0)
    landmarks[30:] = landmarks[30:] * 0.6 + [10, 40]
    chunk = use_landmarks(landmarks).push(pictures)[0]
    for frame in (29, 30):
        expected = crop_mouth(pictures[frame].gray(), landmarks[frame])
        np.testing.assert_array_equal(chunk.crops[frame], expected)


def test_dlib_points_become_means_of_their_groups():
    points = np.zeros((2, 68, 2))
    for value, group in enumerate(DLIB_GROUPS):
        points[:, group] = value + 1
    assert reduce_landmarks(points)[0, :, 0].tolist() == [1, 2, 3, 4]


@pytest.mark.parametrize("shape", [(4, 2), (10, 5, 2), (10, 4, 3), (10, 136)])
def test_landmarks_of_another_shape_are_refused(shape):
    with pytest.raises(ValueError, match=r"expected \[frames, 4, 2\]"):
        use_landmarks(np.zeros(shape))


@pytest.mark.parametrize(
    ("shape", "like"),
    [
        ((4, 2), "a single frame"),
        ((9, 5, 2), "five"),
        ((9, 68, 3), "a third"),
        ((9, 468, 2), "mesh"),
    ],
)
def test_landmarks_of_a_known_other_shape_are_told_what_they_look_like(shape, like):
    with pytest.raises(ValueError, match=f"They look like .*{like}"):
        use_landmarks(np.zeros(shape))


def test_too_few_landmarks_are_refused_but_for_rounding(pictures):
    source = use_landmarks(np.repeat(FACE[None], 58, 0))
    assert source.push(pictures)[0].mask.tolist() == [True] * 58 + [False] * 2
    with pytest.raises(ValueError, match="landmarks for 50 frames"):
        use_landmarks(np.repeat(FACE[None], 50, 0)).push(pictures)


def test_landmark_files_are_read(tmp_path):
    landmarks = np.repeat(FACE[None], 5, 0)
    landmarks[2] = np.nan
    np.save(tmp_path / "a.npy", landmarks)
    np.savez(tmp_path / "a.npz", landmarks=landmarks)
    rows = [None if index == 2 else row.tolist() for index, row in enumerate(landmarks)]
    (tmp_path / "a.json").write_text(json.dumps(rows))
    for name in ("a.npy", "a.npz", "a.json"):
        np.testing.assert_allclose(load_landmarks(tmp_path / name), landmarks)


def test_bad_landmark_files_are_refused(tmp_path):
    with pytest.raises(FileNotFoundError):
        load_landmarks(tmp_path / "none.npy")
    (tmp_path / "a.txt").write_text("1")
    with pytest.raises(ValueError, match=r"\.npy, \.npz, \.json"):
        load_landmarks(tmp_path / "a.txt")
    (tmp_path / "a.npy").write_bytes(b"no numpy")
    np.savez(tmp_path / "a.npz", first=FACE, second=FACE)
    np.save(tmp_path / "pickled.npy", np.array([None, {}], object), allow_pickle=True)
    for name, content in (("a.json", '{"a": 1}'), ("b.json", "[[1, 2], [3]]"), ("c.json", "[")):
        (tmp_path / name).write_text(content)
    for name in ("a.npy", "a.npz", "pickled.npy", "a.json", "b.json", "c.json"):
        with pytest.raises(ValueError, match="Landmark"):
            load_landmarks(tmp_path / name)
