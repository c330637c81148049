"""Whisper's decoder for tokens that are known, by onnxruntime: their scores, where they look.

CTranslate2 tells neither: it gives no scores but those of what it writes, and shares the attention
out over the stretch that holds sound alone, where Whisper shares it out over the whole window.
"""

from collections.abc import Sequence

import numpy as np

from modalities.onnx_graph import MICROSOFT, OnnxGraph
from modalities.speech.numpy_weights import NumpyWeights
from modalities.speech.onnx_weights import OnnxWeights, open_weighted

EMBEDDINGS, PROJECTION = "decoder/embeddings/weight", "decoder/projection/weight"
POSITIONS = "decoder/position_encodings/encodings"
BLOCK = 4096  # rows of the vocabulary that are held in float32 at once

Memory = dict[str, np.ndarray]  # keys [heads, head_dim, states] and values of each layer, by name


class OnnxDecoder:
    """Reads many tokens at once, so that each matrix is read once for all of them, in float32.

    Args:
        weights: The variables of a Whisper; the file stays mapped, and what it holds in another
            type is made float32 while it is multiplied.
        heads: Layer and head of each that follows the sound.
        count: How many heads a layer has.
        threads: How many are to compute.

    Raises:
        ImportError: onnxruntime is not installed.
        ValueError: A variable is missing.
    """

    def __init__(
        self, weights: NumpyWeights, heads: Sequence[tuple[int, int]], count: int, threads: int = 1
    ):
        self.weights = weights
        self.heads = [(int(layer), int(head)) for layer, head in heads]
        entries = weights.index.entries
        layers = weights.count_layers("decoder")
        self.projection = PROJECTION if PROJECTION in entries else EMBEDDINGS
        self._hears = open_weighted(_write_memory(weights, layers, count), threads)
        self._reads = open_weighted(_write_reading(weights, layers, count), threads)
        self._scores = open_weighted(_write_scores(weights, self.projection), threads)

    def hear(self, states: np.ndarray) -> Memory:
        """Prepare what a window says to each layer: float32 [states, dim]."""
        names = [output.name for output in self._hears.get_outputs()]
        return dict(zip(names, self._hears.run(names, {"states": states}), strict=True))

    def read(self, memory: Memory, tokens: list[int]) -> np.ndarray:
        """Read tokens, and return what the last layer makes of each, [tokens, dim].

        Args:
            memory: What `hear` prepared.
            tokens: One at least.
        """
        return self._read(memory, tokens, ["read"])[0]

    def attention(self, memory: Memory, tokens: list[int], width: int) -> np.ndarray:
        """Give the attention that each token pays to the first states.

        Args:
            memory: What `hear` prepared.
            tokens: All that is read.
            width: How many states are told of.

        Returns:
            float32 [heads, tokens, width].
        """
        layers = sorted({layer for layer, _ in self.heads})
        names = [_attention_of(layer) for layer in layers]
        found = dict(zip(layers, self._read(memory, tokens, names), strict=True))
        return np.stack([found[layer][head, :, :width] for layer, head in self.heads])

    def _read(self, memory: Memory, tokens: list[int], names: list[str]) -> list[np.ndarray]:
        rows = self.weights.rows(EMBEDDINGS, tokens)
        rows = rows + self.weights.rows(POSITIONS, slice(0, len(tokens)))
        later = np.triu(np.full((len(tokens), len(tokens)), -np.inf, np.float32), 1)
        return self._reads.run(names, {**memory, "rows": rows, "later": later})

    def score(self, rows: np.ndarray) -> np.ndarray:
        """Score what may follow what was read: [tokens, dim] -> logits [tokens, vocabulary]."""
        size = self.weights.index.entries[self.projection].shape[0]
        logits = np.empty((len(rows), size), np.float32)
        rows = np.ascontiguousarray(rows)
        for start in range(0, size, BLOCK):
            block = slice(start, min(start + BLOCK, size))
            table, scale = self.weights.stored_rows(self.projection, block)
            (logits[:, block],) = self._scores.run(None, {"rows": rows, "block": table})
            if scale is not None:
                logits[:, block] /= scale
        self.weights.release()
        return logits


def _attention_of(layer: int) -> str:
    return f"attention_{layer}"


def _memory_of(layer: int) -> tuple[str, str]:
    return f"keys_{layer}", f"values_{layer}"


def _write_memory(weights: NumpyWeights, layers: int, count: int) -> OnnxGraph:
    """Write what makes each layer's memory of a window's states."""
    graph = OnnxGraph()
    own = OnnxWeights(graph, weights)
    states = graph.add_input("states", "float32", ("states", own.dim))
    for layer in range(layers):
        pair = own.apply(f"decoder/layer_{layer}/attention/linear_1", states)
        keys, values = own.part(pair, 2, count)
        keys_name, values_name = _memory_of(layer)
        graph.add("Transpose", keys, name=keys_name, perm=[0, 2, 1])
        graph.add("Identity", values, name=values_name)
        graph.add_output(keys_name, (count, own.dim // count, "states"))
        graph.add_output(values_name, (count, "states", own.dim // count))
    return graph


def _write_reading(weights: NumpyWeights, layers: int, count: int) -> OnnxGraph:
    """Write what reads rows of tokens, one after the other in time."""
    graph = OnnxGraph()
    own = OnnxWeights(graph, weights)
    wide = own.dim // count
    rows = graph.add_input("rows", "float32", ("tokens", own.dim))
    later = graph.add_input("later", "float32", ("tokens", "tokens"))
    for layer in range(layers):
        name = f"decoder/layer_{layer}"
        keys, values = _memory_of(layer)
        graph.add_input(keys, "float32", (count, wide, "states"))
        graph.add_input(values, "float32", (count, "states", wide))
        rows = graph.add("Add", rows, _attend_to_tokens(own, name, rows, later, count))
        attention, heard = _attend_to_sound(own, name, rows, (keys, values), count)
        graph.add("Identity", attention, name=_attention_of(layer))
        graph.add_output(_attention_of(layer), (count, "tokens", "states"))
        rows = graph.add("Add", rows, heard)
        rows = graph.add("Add", rows, _feed_forward(own, name, rows))
    graph.add("Identity", own.normalise("decoder/layer_norm", rows), name="read")
    graph.add_output("read", ("tokens", own.dim))
    return graph


def _attend_to_tokens(own: OnnxWeights, name: str, rows: str, later: str, count: int) -> str:
    graph, name = own.graph, f"{name}/self_attention"
    normed = own.normalise(f"{name}/layer_norm", rows)
    parts = own.part(own.apply(f"{name}/linear_0", normed), 3, count)
    keys = graph.add("Transpose", parts[1], perm=[0, 2, 1])
    scores = graph.add("Add", own.score(parts[0], keys, count), later)
    found = graph.add("MatMul", graph.add("Softmax", scores, axis=-1), parts[2])
    return own.apply(f"{name}/linear_1", own.join(found))


def _attend_to_sound(
    own: OnnxWeights, name: str, rows: str, memory: tuple[str, str], count: int
) -> tuple[str, str]:
    """Return the attention, [heads, tokens, states], and what it brings."""
    graph, name = own.graph, f"{name}/attention"
    normed = own.normalise(f"{name}/layer_norm", rows)
    (queries,) = own.part(own.apply(f"{name}/linear_0", normed), 1, count)
    attention = graph.add("Softmax", own.score(queries, memory[0], count), axis=-1)
    found = graph.add("MatMul", attention, memory[1])
    return attention, own.apply(f"{name}/linear_2", own.join(found))


def _feed_forward(own: OnnxWeights, name: str, rows: str) -> str:
    name = f"{name}/ffn"
    normed = own.normalise(f"{name}/layer_norm", rows)
    wide = own.graph.add("Gelu", own.apply(f"{name}/linear_0", normed), domain=MICROSOFT)
    return own.apply(f"{name}/linear_1", wide)


def _write_scores(weights: NumpyWeights, table: str) -> OnnxGraph:
    """Write the product of rows with some of a table's, which come from outside as stored."""
    graph = OnnxGraph()
    dim = weights.index.entries[table].shape[1]
    rows = graph.add_input("rows", "float32", ("tokens", dim))
    kind = weights.stored_rows(table, slice(0, 1))[0].dtype.name
    block = graph.add_input("block", kind, ("block", dim))
    block = graph.add_cast(block)
    graph.add_output(graph.add("Gemm", rows, block, transB=1), ("tokens", "block"))
    return graph
