"""BlazeFace in onnxruntime, without torch: its graph is written from the shipped weights."""

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from itertools import count
from pathlib import Path

import numpy as np

from modalities.onnx_graph import FLOAT, OnnxGraph
from modalities.onnx_session import build_options, open_session
from modalities.thread_count import count_threads
from modalities.vision.blazeface_shapes import SHAPES
from modalities.vision.face_network import Candidates, refuse_weights

MOST_THREADS = 8


class OnnxFaceNetwork:
    """A BlazeFace on the CPU; its feature maps stay in the cache, as each picture goes alone.

    Args:
        range_: "short" or "full".
        path: Its weights, safetensors.

    Raises:
        ImportError: onnxruntime is not installed.
        FileNotFoundError: There is no such file.
        ValueError: The file is damaged or belongs to another network.
    """

    def __init__(self, range_: str, path: Path):
        options = build_options(threads=1)
        weights = _read_weights(range_, path)
        try:
            graph = build_graph(range_, weights)
        except KeyError as error:
            raise refuse_weights(range_, path, f"there is no {error}") from error
        self._session = open_session(graph, options)
        threads = count_threads(MOST_THREADS)
        self._threads = ThreadPoolExecutor(threads) if threads > 1 else None

    def __call__(self, pictures: np.ndarray, least_logit: float) -> Candidates:
        """Score every anchor; see `FaceNetwork`."""
        singles = np.split(np.ascontiguousarray(pictures), len(pictures)) if len(pictures) else []
        run = self._threads.map if self._threads and len(singles) > 1 else map
        outputs = list(run(self._run, singles))
        if not outputs:
            return Candidates.none()
        regressors, logits = (np.concatenate(parts) for parts in zip(*outputs, strict=True))
        picture, anchor = np.nonzero(logits > least_logit)
        return Candidates(picture, anchor, regressors[picture, anchor], logits[picture, anchor])

    def _run(self, pictures: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        regressors, logits = map(np.asarray, self._session.run(None, {"pictures": pictures}))
        return regressors, logits


def build_graph(range_: str, weights: Mapping[str, np.ndarray]) -> bytes:
    """Write a network as ONNX.

    Args:
        range_: "short" or "full".
        weights: Kernels and biases by the names that the torch network gives them.

    Returns:
        What an .onnx file holds: from "pictures", uint8 [batch, height, width, 3], to raw
        "regressors" [batch, anchors, 16] and "logits" [batch, anchors].
    """
    writer = _Writer(weights)
    strided = SHAPES[range_].strided
    value = writer.enter()
    before_strides: list[str] = []
    for index in count():
        if f"blocks.{index}.branch.0.0.weight" not in weights:
            break
        if index in strided:
            before_strides.append(value)
        value = writer.block(value, f"blocks.{index}", 2 if index in strided else 1)
    if range_ == "short":
        writer.finish([(before_strides[-1], "fine_head"), (value, "coarse_head")])
        return writer.graph.to_bytes()
    for index, fine in enumerate(reversed(before_strides[1:])):
        value = writer.merge(value, fine, f"merges.{index}")
        for refinement in count():
            if f"refinements.{index}.{refinement}.branch.0.0.weight" not in weights:
                break
            value = writer.block(value, f"refinements.{index}.{refinement}")
    writer.finish([(value, "head")])
    return writer.graph.to_bytes()


class _Writer:
    """Adds the parts of a BlazeFace to a graph, by the names of their weights."""

    def __init__(self, weights: Mapping[str, np.ndarray]):
        self.graph = OnnxGraph()
        self.weights = weights

    def enter(self) -> str:
        """Bring bytes to -1 to 1, and run the stem."""
        pictures = self.graph.add_input("pictures", "uint8", ["batch", "height", "width", 3])
        values = self.graph.add("Cast", pictures, to=FLOAT)
        values = self.graph.add("Mul", values, self.graph.add_array(np.float32(1 / 127.5)))
        values = self.graph.add("Sub", values, self.graph.add_array(np.float32(1)))
        values = self.graph.add("Transpose", values, perm=[0, 3, 1, 2])
        return self._relu(self._convolve(values, "stem", 2))

    def block(self, value: str, name: str, stride: int = 1) -> str:
        """Add a residual block, one with a bottleneck where the weights have it."""
        shortcut = value
        if stride == 2:
            shortcut = self.graph.add("MaxPool", value, kernel_shape=[2, 2], strides=[2, 2])
        first, last = f"{name}.branch.0", f"{name}.branch.2"
        branch = self._separable(value, first, stride)
        if f"{last}.0.weight" in self.weights:
            branch = self._separable(self._relu(branch), last)
        else:
            last = first
        missing = self._channels(f"{last}.1") - self._channels(f"{first}.0")
        if missing:
            zeros = self.graph.add_array(np.array([0, 0, 0, 0, 0, missing, 0, 0]))
            shortcut = self.graph.add("Pad", shortcut, zeros)
        return self._relu(self.graph.add("Add", branch, shortcut))

    def merge(self, coarse: str, fine: str, name: str) -> str:
        """Add a step up the pyramid."""
        twice = self.graph.add_array(np.array([1, 1, 2, 2], np.float32))
        raised = self._relu(self._convolve(coarse, f"{name}.coarse"))
        raised = self.graph.add("Resize", raised, "", twice, mode="linear")
        return self.graph.add("Add", self._relu(self._convolve(fine, f"{name}.fine")), raised)

    def finish(self, heads: list[tuple[str, str]]) -> None:
        """Add the heads, each of a feature map, and hand out what they give."""
        for output, part, sides in (("regressors", "regressors", [16]), ("logits", "scores", [])):
            rows = [self._head(value, f"{name}.{part}", sides) for value, name in heads]
            self.graph.add("Concat", *rows, name=output, axis=1)
            self.graph.add_output(output, ["batch", "anchors", *sides])

    def _head(self, value: str, name: str, sides: list[int]) -> str:
        rows = self.graph.add("Transpose", self._convolve(value, name), perm=[0, 2, 3, 1])
        shape = self.graph.add_array(np.array([0, -1, *sides]))
        return self.graph.add("Reshape", rows, shape)

    def _separable(self, value: str, name: str, stride: int = 1) -> str:
        return self._convolve(self._convolve(value, f"{name}.0", stride), f"{name}.1")

    def _convolve(self, value: str, name: str, stride: int = 1) -> str:
        """Convolve with TensorFlow's SAME padding, of which the odd one is below and right."""
        kernel, bias = (self.weights[f"{name}.{part}"] for part in ("weight", "bias"))
        side, depthwise = kernel.shape[2], kernel.shape[1] == 1
        before = (side - stride) // 2
        after = side - stride - before
        arrays = [self.graph.add_array(a.astype(np.float32)) for a in (kernel, bias)]
        return self.graph.add(
            "Conv",
            value,
            *arrays,
            kernel_shape=[side, side],
            strides=[stride, stride],
            pads=[before, before, after, after],
            group=len(kernel) if depthwise else 1,
        )

    def _relu(self, value: str) -> str:
        return self.graph.add("Relu", value)

    def _channels(self, name: str) -> int:
        return len(self.weights[f"{name}.bias"])


def _read_weights(range_: str, path: Path) -> dict[str, np.ndarray]:
    from safetensors import SafetensorError
    from safetensors.numpy import load_file

    if not path.is_file():
        raise refuse_weights(range_, path)
    try:
        return load_file(path)
    except SafetensorError as error:
        raise refuse_weights(range_, path, str(error)) from error
