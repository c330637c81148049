"""The variables of a Whisper in graphs of onnxruntime, as its file stores them."""

from typing import Any

import numpy as np

from modalities.onnx_graph import OnnxGraph
from modalities.onnx_session import build_options, open_session
from modalities.speech.numpy_weights import NumpyWeights

EPSILON = 1e-5


class OnnxWeights:
    """Writes layers of a Whisper into a graph; rows are [tokens, dim].

    Args:
        graph: What is written to.
        weights: Its variables; the file stays mapped.

    Attributes:
        graph: As given.
        dim: Width of the decoder.
    """

    def __init__(self, graph: OnnxGraph, weights: NumpyWeights):
        self.graph, self._weights = graph, weights
        self.dim = weights.index.entries["decoder/embeddings/weight"].shape[1]

    def add(self, name: str, rows: slice = slice(None)) -> str:
        """Put a variable, or some of its rows, into the graph, and return its name in float32.

        Raises:
            ValueError: There is no such variable.
        """
        stored, scale = self._weights.stored_rows(name, rows)
        values = self.graph.add_cast(self.graph.add_weight(stored))
        if scale is None:
            return values
        scale = scale.reshape(-1, *[1] * (stored.ndim - 1))
        return self.graph.add("Div", values, self.graph.add_weight(scale))

    def apply(self, name: str, rows: str) -> str:
        """Send rows through a linear layer."""
        weight, bias = self.add(f"{name}/weight"), self.add(f"{name}/bias")
        return self.graph.add("Gemm", rows, weight, bias, transB=1)

    def normalise(self, name: str, rows: str) -> str:
        """Send rows through a layer norm."""
        gamma, beta = self.add(f"{name}/gamma"), self.add(f"{name}/beta")
        return self.graph.add("LayerNormalization", rows, gamma, beta, epsilon=EPSILON)

    def part(self, rows: str, parts: int, heads: int) -> list[str]:
        """Cut [tokens, parts * dim] into parts, each [heads, tokens, head_dim]."""
        shape = self.graph.add_array(np.array([0, parts, heads, self.dim // heads]))
        rows = self.graph.add("Reshape", rows, shape)
        rows = self.graph.add("Transpose", rows, perm=[1, 2, 0, 3])
        numbers = (self.graph.add_array(np.int64(n)) for n in range(parts))
        return [self.graph.add("Gather", rows, number, axis=0) for number in numbers]

    def join(self, heads: str) -> str:
        """[heads, tokens, head_dim] -> [tokens, dim]."""
        rows = self.graph.add("Transpose", heads, perm=[1, 0, 2])
        shape = self.graph.add_array(np.array([0, self.dim]))
        return self.graph.add("Reshape", rows, shape)

    def score(self, queries: str, keys: str, heads: int) -> str:
        """Return how well queries fit keys [heads, head_dim, keys]."""
        scale = self.graph.add_array(np.float32((self.dim // heads) ** -0.5))
        return self.graph.add("MatMul", self.graph.add("Mul", queries, scale), keys)


def open_weighted(graph: OnnxGraph, threads: int) -> Any:
    """Open a session whose weights stay where they are, and as they are stored.

    Args:
        graph: What is computed.
        threads: How many are to compute.

    Raises:
        ImportError: onnxruntime is not installed.
    """
    import onnxruntime  # pyright: ignore[reportMissingImports]

    options = build_options(threads)
    # Threads that wait would take time from those of CTranslate2.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    # Packed copies of the matrices would double the memory, and save no time.
    options.add_session_config_entry("session.disable_prepacking", "1")
    outside = [onnxruntime.OrtValue.ortvalue_from_numpy(a) for a in graph.weights.values()]
    options.add_external_initializers(list(graph.weights), outside)
    # The default level, all, folds casts though it is asked not to: weights are then float32 for
    # good, in three times the memory. And what a session would keep for its next run is needed by
    # others in between.
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_BASIC
    options.enable_cpu_mem_arena = False
    return open_session(graph.to_bytes(), options, keep=True)
