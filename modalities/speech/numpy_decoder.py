"""Whisper's decoder in NumPy, for tokens that are known: their scores, and where they look.

CTranslate2 tells neither: it gives no scores but those of what it writes, and shares the attention
out over the stretch that holds sound alone, where Whisper shares it out over the whole window.
"""

from collections.abc import Iterator, Sequence

import numpy as np

from modalities.speech.numpy_weights import NumpyWeights

# Abramowitz and Stegun, Handbook of Mathematical Functions, 7.1.26: the error is below 1.5e-7.
ERF_SLOPE = 0.3275911
ERF_TERMS = (1.061405429, -1.453152027, 1.421413741, -0.284496736, 0.254829592)
EMBEDDINGS, PROJECTION = "decoder/embeddings/weight", "decoder/projection/weight"
BLOCK = 4096  # rows of the vocabulary that are held in float32 at once

Memory = list[tuple[np.ndarray, np.ndarray]]  # by layer, keys and values [heads, states, head_dim]


class NumpyDecoder:
    """Reads many tokens at once, so that each matrix is read once for all of them.

    Args:
        weights: The variables of a Whisper.
        heads: Layer and head of each that follows the sound.
        count: How many heads a layer has.
    """

    def __init__(self, weights: NumpyWeights, heads: Sequence[tuple[int, int]], count: int):
        self.weights = weights
        self.heads = [(int(layer), int(head)) for layer, head in heads]
        self.count = count
        entries = weights.index.entries
        self.layers = sum(
            f"decoder/layer_{n}/ffn/linear_0/weight" in entries for n in range(len(entries))
        )
        self.projection = PROJECTION if PROJECTION in entries else EMBEDDINGS

    def hear(self, states: np.ndarray) -> Memory:
        """Prepare what a window says to each layer: [states, dim]."""
        names = [f"decoder/layer_{layer}/attention/linear_1" for layer in range(self.layers)]
        pairs = [self._split(self.weights.apply(name, states), 2) for name in names]
        return [(keys, values) for keys, values in pairs]

    def read(self, memory: Memory, tokens: list[int]) -> np.ndarray:
        """Read tokens, and return what the last layer makes of each, [tokens, dim].

        Args:
            memory: What `hear` prepared.
            tokens: One at least.
        """
        *_, (_, hidden) = self._read(memory, tokens, self.layers)
        return self.weights.normalise("decoder/layer_norm", hidden)

    def score(self, rows: np.ndarray) -> np.ndarray:
        """Score what may follow what was read: [tokens, dim] -> logits [tokens, vocabulary]."""
        size = self.weights.index.entries[self.projection].shape[0]
        logits = np.empty((len(rows), size), np.float32)
        for start in range(0, size, BLOCK):
            block = slice(start, min(start + BLOCK, size))
            table, scale = self.weights.scaled_rows(self.projection, block)
            np.matmul(rows, table.T, out=logits[:, block])
            if scale is not None:
                logits[:, block] /= scale
        return logits

    def attention(self, memory: Memory, tokens: list[int], width: int) -> np.ndarray:
        """Give the attention that each token pays to the first states.

        Args:
            memory: What `hear` prepared.
            tokens: All that is read.
            width: How many states are told of.

        Returns:
            float32 [heads, tokens, width].
        """
        layers = 1 + max(layer for layer, _ in self.heads)
        found = [attention for attention, _ in self._read(memory, tokens, layers)]
        return np.stack([found[layer][head, :, :width] for layer, head in self.heads])

    def _read(
        self, memory: Memory, tokens: list[int], layers: int
    ) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Give of each layer the attention to the sound, and the rows after it, [tokens, dim]."""
        weights = self.weights
        hidden = weights.rows(EMBEDDINGS, tokens)
        places = slice(0, len(tokens))
        hidden = hidden + weights.rows("decoder/position_encodings/encodings", places)
        for layer in range(layers):
            name = f"decoder/layer_{layer}"
            hidden = hidden + self._own_attention(name, hidden)
            attention, heard = self._cross_attention(name, hidden, *memory[layer])
            hidden = hidden + heard
            hidden = hidden + self._feed_forward(name, hidden)
            yield attention, hidden

    def _own_attention(self, name: str, hidden: np.ndarray) -> np.ndarray:
        weights, name = self.weights, f"{name}/self_attention"
        normed = weights.normalise(f"{name}/layer_norm", hidden)
        queries, keys, values = self._split(weights.apply(f"{name}/linear_0", normed), 3)
        scores = _scores(queries, keys)
        scores[:, *np.triu_indices(len(hidden), 1)] = -np.inf
        return weights.apply(f"{name}/linear_1", _join(_softmax(scores) @ values))

    def _cross_attention(
        self, name: str, hidden: np.ndarray, keys: np.ndarray, values: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return the attention, [heads, tokens, states], and what it brings."""
        weights, name = self.weights, f"{name}/attention"
        normed = weights.normalise(f"{name}/layer_norm", hidden)
        (queries,) = self._split(weights.apply(f"{name}/linear_0", normed), 1)
        attention = _softmax(_scores(queries, keys))
        return attention, weights.apply(f"{name}/linear_2", _join(attention @ values))

    def _feed_forward(self, name: str, hidden: np.ndarray) -> np.ndarray:
        weights, name = self.weights, f"{name}/ffn"
        normed = weights.normalise(f"{name}/layer_norm", hidden)
        return weights.apply(f"{name}/linear_1", _gelu(weights.apply(f"{name}/linear_0", normed)))

    def _split(self, rows: np.ndarray, parts: int) -> list[np.ndarray]:
        """Cut [tokens, parts * dim] into parts, each [heads, tokens, head_dim]."""
        heads = rows.reshape(len(rows), parts, self.count, -1).transpose(1, 2, 0, 3)
        return list(heads)


def _join(heads: np.ndarray) -> np.ndarray:
    """[heads, tokens, head_dim] -> [tokens, dim]."""
    return heads.transpose(1, 0, 2).reshape(heads.shape[1], -1)


def _scores(queries: np.ndarray, keys: np.ndarray) -> np.ndarray:
    return (queries * np.float32(keys.shape[-1] ** -0.5)) @ keys.swapaxes(1, 2)


def _softmax(scores: np.ndarray) -> np.ndarray:
    weights = np.exp(scores - scores.max(-1, keepdims=True))
    return weights / weights.sum(-1, keepdims=True)


def _gelu(values: np.ndarray) -> np.ndarray:
    return values * (1 + _erf(values * np.float32(0.5**0.5))) / 2


def _erf(values: np.ndarray) -> np.ndarray:
    size = np.abs(values)
    near = 1 / (1 + np.float32(ERF_SLOPE) * size)
    total = np.zeros_like(near)
    for term in ERF_TERMS:
        total = (total + np.float32(term)) * near
    return np.sign(values) * (1 - total * np.exp(-size * size))
