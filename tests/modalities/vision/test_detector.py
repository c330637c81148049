"""Faces found in real and made pictures."""

import av
import cv2
import numpy as np
import pytest
import torch
from safetensors.numpy import save_file

from modalities.vision import detector as detector_module
from modalities.vision import load_face_detector
from modalities.vision.anchors import build_anchors
from modalities.vision.detector import suppress
from modalities.vision.letterbox import letterbox, plan_letterbox

RANGES = ("short", "full")
DAMAGED = "blazeface_short.safetensors"


@pytest.fixture(scope="module", params=RANGES)
def detector(request):
    return load_face_detector(request.param)


@pytest.fixture(params=["onnxruntime", "torch"])
def engine(request, monkeypatch):
    if request.param == "torch":
        monkeypatch.setattr(detector_module.importlib.util, "find_spec", lambda name: None)
    return request.param


@pytest.fixture(scope="module")
def full_detector():
    return load_face_detector("full")


@pytest.fixture(scope="module")
def pictures(demo_clip):
    with av.open(str(demo_clip)) as clip:
        frames = [frame.to_ndarray(format="rgb24") for frame in clip.decode(video=0)]
    return np.stack(frames[::12])


def same_faces(some, others, pixels=0.01, scores=1e-3):
    assert len(some) == len(others)
    np.testing.assert_allclose(some.boxes, others.boxes, rtol=0, atol=pixels)
    np.testing.assert_allclose(some.keypoints, others.keypoints, rtol=0, atol=pixels)
    np.testing.assert_allclose(some.scores, others.scores, rtol=0, atol=scores)


def centres(faces):
    return faces.boxes[:, :2] + faces.boxes[:, 2:] / 2


def test_the_full_range_sees_both_men_in_every_picture(full_detector, pictures):
    for faces in full_detector(pictures):
        silent, speaker = np.sort(centres(faces)[:, 0])
        assert 75 <= silent <= 105
        assert 180 <= speaker <= 215


def test_both_ranges_see_the_speaker(detector, pictures):
    for faces in detector(pictures):
        assert ((centres(faces)[:, 0] > 180) & (centres(faces)[:, 0] < 215)).any()


def test_a_batch_gives_what_single_pictures_give(detector, pictures):
    for picture, faces in zip(pictures, detector(pictures), strict=True):
        same_faces(faces, detector([picture])[0])


def test_more_pictures_than_go_at_once_keep_their_order(detector, pictures, monkeypatch):
    whole = detector(pictures)
    monkeypatch.setattr(detector_module, "PICTURES_AT_ONCE", 2)
    for faces, again in zip(whole, detector(pictures), strict=True):
        same_faces(faces, again)


def test_pictures_of_different_sizes_go_in_one_call(detector, pictures):
    larger = cv2.resize(pictures[0], None, fx=2, fy=2, interpolation=cv2.INTER_LINEAR)
    wider = np.pad(pictures[0], ((0, 0), (100, 0), (0, 0)))
    for picture, faces in zip((larger, wider), detector([larger, wider]), strict=True):
        same_faces(faces, detector([picture])[0])


def test_boxes_scale_with_the_picture(full_detector, pictures):
    larger = np.repeat(np.repeat(pictures, 2, 1), 2, 2)
    for faces, doubled in zip(full_detector(pictures), full_detector(larger), strict=True):
        assert len(faces) == len(doubled)
        order, doubled_order = (np.argsort(found.boxes[:, 0]) for found in (faces, doubled))
        np.testing.assert_allclose(
            doubled.boxes[doubled_order], 2 * faces.boxes[order], rtol=0, atol=10
        )


@pytest.mark.parametrize("border", ((60, 0), (0, 60)))
def test_black_bars_move_the_faces_and_nothing_else(full_detector, pictures, border):
    rows, columns = border
    padded = np.pad(pictures[0], ((rows, rows), (columns, columns), (0, 0)))
    before, after = full_detector([pictures[0], padded])
    speaker = before.boxes[centres(before)[:, 0].argmax()]
    moved = after.boxes[centres(after)[:, 0].argmax()]
    np.testing.assert_allclose(moved, speaker + (columns, rows, 0, 0), rtol=0, atol=6)


def test_black_and_noise_hold_no_face(detector):
    noise = np.random.default_rng(0).integers(0, 256, (240, 320, 3), dtype=np.uint8)
    for faces in detector([np.zeros((240, 320, 3), np.uint8), noise, np.full_like(noise, 128)]):
        assert len(faces) == 0
        assert faces.boxes.shape == (0, 4)
        assert faces.keypoints.shape == (0, 6, 2)


def test_keypoints_lie_where_a_face_has_them(detector, pictures):
    for faces in detector(pictures):
        right_eye, left_eye, nose, mouth, _, _ = faces.keypoints.transpose(1, 0, 2)
        margin = faces.boxes[:, None, 2:] * 0.25
        corner, far_corner = faces.boxes[:, None, :2], (faces.boxes[:, :2] + faces.boxes[:, 2:])
        assert (faces.keypoints > corner - margin).all()
        assert (faces.keypoints < far_corner[:, None] + margin).all()
        assert (right_eye[:, 0] < left_eye[:, 0]).all()  # nobody here stands on his head
        assert (right_eye[:, 1] < nose[:, 1]).all()
        assert (nose[:, 1] < mouth[:, 1]).all()


def prepare(pictures, side, grid):
    plans = [plan_letterbox(picture, side, grid) for picture in pictures]
    return np.stack([letterbox(*pair) for pair in zip(pictures, plans, strict=True)]), plans


def test_prepared_pictures_give_faces_in_their_own_pixels(detector, pictures):
    prepared, plans = prepare(pictures, detector.side, detector.grid)
    for whole, small, plan in zip(
        detector(pictures), detector.detect_prepared(prepared), plans, strict=True
    ):
        expected = whole.keypoints * (plan.scale_x, plan.scale_y) + (plan.left, plan.top)
        np.testing.assert_allclose(small.keypoints, expected, rtol=0, atol=0.01)


def test_leaving_out_the_black_bars_keeps_the_faces_of_the_square(full_detector, pictures):
    wide = pictures[:, 30:210]  # 16:9
    squares, plans = prepare(wide, full_detector.side, full_detector.side)
    assert squares.shape[1:] == (192, 192, 3)
    square_faces = full_detector.detect_prepared(squares)
    for faces, found, plan in zip(full_detector(wide), square_faces, plans, strict=True):
        assert len(faces) == len(found) == 2
        order, other = np.argsort(faces.boxes[:, 0]), np.argsort(found.boxes[:, 0])
        expected = (found.keypoints[other] - (plan.left, plan.top)) / (plan.scale_x, plan.scale_y)
        np.testing.assert_allclose(faces.keypoints[order], expected, rtol=0, atol=4)


def test_upright_and_square_pictures_work_too(full_detector, pictures):
    for crop in (pictures[0][:, 120:275], pictures[0][:230, 80:310]):
        assert len(full_detector([crop])[0]) >= 1


def test_a_higher_threshold_keeps_the_surest_faces_only(pictures):
    strict = load_face_detector("full", threshold=0.85)
    assert all((faces.scores >= 0.85).all() for faces in strict(pictures))


def test_no_pictures_give_no_faces(detector):
    assert detector([]) == []


@pytest.mark.parametrize(
    "picture",
    (
        np.zeros((240, 320), np.uint8),
        np.zeros((240, 320, 4), np.uint8),
        np.zeros((240, 320, 3), np.float32),
        np.zeros((0, 320, 3), np.uint8),
    ),
)
def test_a_picture_that_is_not_rgb_bytes_is_refused(detector, picture):
    with pytest.raises(ValueError, match="expected RGB, uint8"):
        detector([picture])


@pytest.mark.parametrize("dtype, excess", ((np.float32, 0), (np.uint8, 1)))
def test_prepared_pictures_of_another_kind_are_refused(detector, dtype, excess):
    with pytest.raises(ValueError, match="expected uint8"):
        detector.detect_prepared(np.zeros((1, detector.side + excess, detector.side, 3), dtype))


def test_an_unknown_range_lists_the_known_ones():
    with pytest.raises(ValueError, match="known: full, short"):
        load_face_detector("middle")


def test_an_unusable_device_is_refused():
    with pytest.raises(ValueError, match="cannot be used"):
        load_face_detector("short", device="abacus")
    if not torch.cuda.is_available():
        with pytest.raises(ValueError, match="cannot be used"):
            load_face_detector("short", device="cuda")


@pytest.mark.parametrize("threshold", (0, 1, 1.5))
def test_a_threshold_that_is_no_score_is_refused(threshold):
    with pytest.raises(ValueError, match="between 0 and 1"):
        load_face_detector("short", threshold=threshold)


def test_without_onnxruntime_torch_sees_the_same_faces(full_detector, pictures, monkeypatch):
    monkeypatch.setattr(detector_module.importlib.util, "find_spec", lambda name: None)
    torch_detector = load_face_detector("full")
    assert type(torch_detector.network).__name__ == "TorchFaceNetwork"
    assert type(full_detector.network).__name__ == "OnnxFaceNetwork"
    for faces, again in zip(full_detector(pictures), torch_detector(pictures), strict=True):
        same_faces(faces, again)


def test_missing_and_damaged_weights_are_named(monkeypatch, tmp_path, engine):
    monkeypatch.setattr(detector_module, "WEIGHTS_FOLDER", tmp_path)
    with pytest.raises(FileNotFoundError, match="blazeface_short.safetensors"):
        load_face_detector("short")
    (tmp_path / DAMAGED).write_bytes(b"cut short")
    with pytest.raises(ValueError, match="does not hold the weights of BlazeFaceShort"):
        load_face_detector("short")
    save_file({"stem.weight": np.zeros((24, 3, 5, 5), np.float32)}, tmp_path / DAMAGED)
    with pytest.raises(ValueError, match="does not hold the weights of BlazeFaceShort"):
        load_face_detector("short")


def test_overlapping_candidates_become_their_weighted_mean():
    box = np.zeros((8, 2), np.float32)
    box[1] = 10
    near, far = box + (2, 0), box + (50, 0)
    faces = suppress(np.stack((near, box, far)), np.array((0.6, 0.9, 0.7), np.float32))
    np.testing.assert_allclose(faces.boxes, ((0.8, 0, 10, 10), (50, 0, 10, 10)), atol=1e-5)
    np.testing.assert_allclose(faces.scores, (0.9, 0.7))


def test_candidates_without_area_are_dropped():
    faces = suppress(np.zeros((1, 8, 2), np.float32), np.ones(1, np.float32))
    assert len(faces) == 0


@pytest.mark.parametrize("range_, side, count", (("short", 128, 896), ("full", 192, 2304)))
def test_anchors_cover_the_input_evenly(range_, side, count):
    anchors = build_anchors(range_, side, side)
    assert anchors.shape == (count, 2)
    assert anchors.mean(0).tolist() == [side / 2, side / 2]


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU here")
def test_a_gpu_sees_the_same_faces(pictures):
    on_gpu = load_face_detector("full", device="cuda")(pictures)
    for faces, again in zip(load_face_detector("full")(pictures), on_gpu, strict=True):
        same_faces(faces, again, pixels=0.5, scores=0.02)
