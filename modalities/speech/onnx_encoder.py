"""Whisper's encoder as a graph that onnxruntime computes, in float32."""

from typing import Any

import numpy as np

from modalities.onnx_graph import MICROSOFT, OnnxGraph
from modalities.rates import MEL_HOP_SAMPLES, WHISPER_WINDOW_SAMPLES
from modalities.speech.numpy_weights import NumpyWeights
from modalities.speech.onnx_weights import open_weighted

FRAMES = WHISPER_WINDOW_SAMPLES // MEL_HOP_SAMPLES  # 3000
EPSILON = 1e-5


class OnnxEncoder:
    """Hears windows.

    CTranslate2's own encoder gives the same, to 1e-4, in 1.7 times the time.

    Args:
        weights: The variables of a Whisper; they are not kept.
        heads: How many heads a layer has.
        threads: How many are to compute.

    Raises:
        ImportError: onnxruntime is not installed.
        ValueError: A variable is missing.
    """

    def __init__(self, weights: NumpyWeights, heads: int, threads: int):
        graph = OnnxGraph()
        self.mel_bins = weights.index.entries["encoder/conv1/weight"].shape[1]
        graph.add_input("mel", "float32", ("batch", self.mel_bins, FRAMES))
        heard = _write_encoder(graph, weights, heads)
        graph.add_output(heard, ("batch", "states", "dim"))
        self.session: Any = open_weighted(graph, threads)

    def __call__(self, mel: np.ndarray) -> np.ndarray:
        """Hear windows: float32 [batch, mel_bins, 3000] -> [batch, 1500, dim]."""
        return self.session.run(None, {"mel": np.ascontiguousarray(mel, np.float32)})[0]


def _write_encoder(graph: OnnxGraph, weights: NumpyWeights, heads: int) -> str:
    """Add all nodes of the encoder; return the name of what it gives."""
    sound = _convolve(graph, weights, "encoder/conv1", "mel", 1)
    sound = _convolve(graph, weights, "encoder/conv2", sound, 2)
    hidden = graph.add("Transpose", sound, perm=[0, 2, 1])  # [batch, states, dim]
    places = graph.add_weight(weights.weight("encoder/position_encodings/encodings"))
    hidden = graph.add("Add", hidden, places)
    layer = 0
    while f"encoder/layer_{layer}/ffn/linear_0/weight" in weights.index.entries:
        name = f"encoder/layer_{layer}"
        hidden = graph.add("Add", hidden, _attend(graph, weights, name, hidden, heads))
        hidden = graph.add("Add", hidden, _feed_forward(graph, weights, name, hidden))
        layer += 1
    return _normalise(graph, weights, "encoder/layer_norm", hidden)


def _convolve(graph: OnnxGraph, weights: NumpyWeights, name: str, values: str, stride: int) -> str:
    kernel, bias = (
        graph.add_weight(weights.weight(f"{name}/{part}")) for part in ("weight", "bias")
    )
    values = graph.add("Conv", values, kernel, bias, pads=[1, 1], strides=[stride])
    return graph.add("Gelu", values, domain=MICROSOFT)


def _attend(graph: OnnxGraph, weights: NumpyWeights, name: str, hidden: str, heads: int) -> str:
    name = f"{name}/self_attention"
    normed = _normalise(graph, weights, f"{name}/layer_norm", hidden)
    parts = np.split(weights.weight(f"{name}/linear_0/weight"), 3)  # queries, keys, values
    seen = [graph.add("MatMul", normed, graph.add_weight(part.T)) for part in parts]
    bias = graph.add_weight(weights.weight(f"{name}/linear_0/bias"))
    found = graph.add("MultiHeadAttention", *seen, bias, domain=MICROSOFT, num_heads=heads)
    return _apply(graph, weights, f"{name}/linear_1", found)


def _feed_forward(graph: OnnxGraph, weights: NumpyWeights, name: str, hidden: str) -> str:
    normed = _normalise(graph, weights, f"{name}/ffn/layer_norm", hidden)
    wide = graph.add(
        "MatMul", normed, graph.add_weight(weights.weight(f"{name}/ffn/linear_0/weight").T)
    )
    bias = graph.add_weight(weights.weight(f"{name}/ffn/linear_0/bias"))
    wide = graph.add("BiasGelu", wide, bias, domain=MICROSOFT)
    return _apply(graph, weights, f"{name}/ffn/linear_1", wide)


def _apply(graph: OnnxGraph, weights: NumpyWeights, name: str, values: str) -> str:
    matrix = graph.add_weight(weights.weight(f"{name}/weight").T)
    product = graph.add("MatMul", values, matrix)
    return graph.add("Add", product, graph.add_weight(weights.weight(f"{name}/bias")))


def _normalise(graph: OnnxGraph, weights: NumpyWeights, name: str, values: str) -> str:
    gamma, beta = (graph.add_weight(weights.weight(f"{name}/{part}")) for part in ("gamma", "beta"))
    return graph.add("LayerNormalization", values, gamma, beta, epsilon=EPSILON)
