"""When tokens are said, traced through the attention that they pay to the sound."""

import numpy as np

from modalities.rates import RATE_HZ, SAMPLES_PER_STATE

STATE_S = SAMPLES_PER_STATE / RATE_HZ  # 0.02
MEDIAN_WIDTH = 7
LEAST_SPREAD = 1e-9
# Pairs to put in order, one after another; the median of seven is then in the middle.
MEDIAN_OF_SEVEN = (
    *((0, 5), (0, 3), (1, 6), (2, 4), (0, 1), (3, 5), (2, 6)),
    *((2, 3), (3, 6), (4, 5), (1, 4), (1, 3), (3, 4)),
)


def trace_times(attention: np.ndarray, before: int) -> np.ndarray:
    """Find when text tokens are said.

    Args:
        attention: Of the alignment heads, what each token read pays to each state that holds
            sound, [heads, tokens, states]: the prompt, the text, the end of text.
        before: Tokens before the text, one at least.

    Returns:
        Seconds at which each token of the text begins, and the last one ends, [text + 1].

    Source:
        openai/whisper, timing.py.
    """
    mean = attention.mean(1, keepdims=True)
    spread = attention.std(1, keepdims=True)
    weights = _median_filter((attention - mean) / np.maximum(spread, LEAST_SPREAD)).mean(0)
    # The row that reads token i - 1 is the one that says token i.
    text_steps, state_steps = warp(-weights[before - 1 : -1])
    jumps = np.diff(text_steps, prepend=-1).astype(bool)
    return state_steps[jumps] * STATE_S


def _median_filter(weights: np.ndarray) -> np.ndarray:
    """Take the median of each value of [..., states], three before and three after it."""
    half = MEDIAN_WIDTH // 2
    length = weights.shape[-1]
    if length <= half:
        return weights
    padded = np.pad(weights, ((0, 0), (0, 0), (half, half)), mode="reflect")
    values = [padded[..., start : start + length] for start in range(MEDIAN_WIDTH)]
    for low, high in MEDIAN_OF_SEVEN:
        one, other = values[low], values[high]
        values[low], values[high] = np.minimum(one, other), np.maximum(one, other)
    return values[half]


def warp(cost: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Trace the cheapest monotonic path through a cost matrix.

    A whole row is computed at once: the best way along a row from where it is entered is a running
    minimum, once the row's own running sum is taken off.

    Args:
        cost: [tokens, states].

    Returns:
        Token index and state index of each step, from (0, 0) to the last corner.
    """
    rows, columns = cost.shape
    along = np.cumsum(cost, axis=1, dtype=np.float64)
    total = np.empty((rows, columns))
    total[0] = along[0]
    for i in range(1, rows):
        above = total[i - 1]
        entered = above.copy()
        entered[1:] = np.minimum(above[1:], above[:-1])
        entered[1:] -= along[i, :-1]
        total[i] = np.minimum.accumulate(entered) + along[i]
    i, j = rows - 1, columns - 1
    path = [(i, j)]
    while i or j:
        diagonal = total[i - 1, j - 1] if i and j else np.inf
        before = (diagonal, total[i - 1, j] if i else np.inf, total[i, j - 1] if j else np.inf)
        step = before.index(min(before))
        i, j = i - (step != 2), j - (step != 1)
        path.append((i, j))
    tokens, states = np.array(path[::-1]).T
    return tokens, states
