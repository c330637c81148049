"""Whisper's decoder in NumPy, as far as the attention of its alignment heads.

CTranslate2 shares the attention out over the stretch that holds sound alone, and gives nothing but
the path that it finds through it; ours is shared out over the whole window, as Whisper decodes.
"""

from collections.abc import Sequence

import numpy as np

from modalities.speech.numpy_weights import NumpyWeights

# Abramowitz and Stegun, Handbook of Mathematical Functions, 7.1.26: the error is below 1.5e-7.
ERF_SLOPE = 0.3275911
ERF_TERMS = (1.061405429, -1.453152027, 1.421413741, -0.284496736, 0.254829592)


class NumpyAttention:
    """Reads tokens at once and tells where the alignment heads look.

    Args:
        weights: The variables of a Whisper.
        heads: Layer and head of each that follows the sound.
        count: How many heads a layer has.
    """

    def __init__(self, weights: NumpyWeights, heads: Sequence[tuple[int, int]], count: int):
        self.weights = weights
        self.heads = [(int(layer), int(head)) for layer, head in heads]
        self.count = count

    def __call__(self, states: np.ndarray, tokens: list[int], width: int) -> np.ndarray:
        """Give the attention that each token pays to the first states.

        Args:
            states: Encoder output, float32 [states, dim].
            tokens: All that is read.
            width: How many states are told of.

        Returns:
            float32 [heads, tokens, width].
        """
        weights = self.weights
        hidden = weights.rows("decoder/embeddings/weight", tokens)
        places = list(range(len(tokens)))
        hidden = hidden + weights.rows("decoder/position_encodings/encodings", places)
        found: dict[int, np.ndarray] = {}
        last = max(layer for layer, _ in self.heads)
        for layer in range(last + 1):
            name = f"decoder/layer_{layer}"
            hidden = hidden + self._own_attention(name, hidden)
            found[layer], heard = self._cross_attention(name, hidden, states)
            if layer < last:
                hidden = hidden + heard
                hidden = hidden + self._feed_forward(name, hidden)
        return np.stack([found[layer][head, :, :width] for layer, head in self.heads])

    def _own_attention(self, name: str, hidden: np.ndarray) -> np.ndarray:
        weights, name = self.weights, f"{name}/self_attention"
        normed = weights.normalise(f"{name}/layer_norm", hidden)
        queries, keys, values = self._split(weights.apply(f"{name}/linear_0", normed), 3)
        scores = _scores(queries, keys)
        scores[:, *np.triu_indices(len(hidden), 1)] = -np.inf
        return weights.apply(f"{name}/linear_1", _join(_softmax(scores) @ values))

    def _cross_attention(
        self, name: str, hidden: np.ndarray, states: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return the attention, [heads, tokens, states], and what it brings."""
        weights, name = self.weights, f"{name}/attention"
        normed = weights.normalise(f"{name}/layer_norm", hidden)
        (queries,) = self._split(weights.apply(f"{name}/linear_0", normed), 1)
        keys, values = self._split(weights.apply(f"{name}/linear_1", states), 2)
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
