"""Word times from the cross-attention of Whisper's alignment heads."""

from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from modalities.rates import RATE_HZ, SAMPLES_PER_STATE
from modalities.speech.step_decoder import StepDecoder, StepState
from modalities.speech.timed_text import Word
from modalities.speech.word_groups import time_words

if TYPE_CHECKING:
    from modalities.speech.whisper import Whisper

STATE_S = SAMPLES_PER_STATE / RATE_HZ  # 0.02
MEDIAN_WIDTH = 7


class WordAligner:
    """Finds when each word of a decoded window is said.

    The text is read once more without timestamps, and the attention of the alignment heads is
    traced by dynamic time warping.

    Args:
        whisper: Its generation settings name the alignment heads.
        steps: The decoder over the same model.

    Source:
        openai/whisper, timing.py.
    """

    def __init__(self, whisper: "Whisper", steps: StepDecoder):
        self.vocabulary = whisper.vocabulary
        self.steps = steps
        self.heads: list[tuple[int, int]] = [
            (int(layer), int(head))
            for layer, head in whisper.model.generation_config.alignment_heads  # type: ignore[attr-defined]
        ]

    def align(
        self, state: StepState, prompt: list[int], tokens: list[int], frames: int
    ) -> tuple[Word, ...]:
        """Give the words of a text with their times.

        Args:
            state: The decoder's state at the start of this window, from `StepDecoder.start`; it is
                not changed.
            prompt: The tokens before the text.
            tokens: Text tokens.
            frames: Mel frames of the window that hold sound, 100 per second.

        Returns:
            No words where there is no text, or more than can be aligned.
        """
        room = self.steps.max_tokens - len(prompt) - 2
        if not tokens or len(tokens) > room:
            return ()
        times = self.token_times(state, prompt, tokens, max(1, frames // 2))
        vocabulary = self.vocabulary
        return time_words(vocabulary.spell, [tokens], times, vocabulary.language_of(prompt))[0]

    def token_times(
        self, state: StepState, prompt: list[int], tokens: list[int], states: int
    ) -> np.ndarray:
        """Find when text tokens are said.

        Args:
            state: As for `align`.
            prompt: The tokens before the text.
            tokens: Text tokens, no more than fit.
            states: How many states of the encoder hold sound, 50 a second.

        Returns:
            Seconds at which each token begins, and the last one ends, [tokens + 1].
        """
        head = [*prompt, self.vocabulary.no_timestamps]
        told = [*head, *tokens, self.vocabulary.end_of_text]
        row = torch.tensor([told], device=state.cross[0][0].device)
        weights = self._attention(self.steps.restart(state), row, states)
        # The row that reads token i - 1 is the one that says token i.
        text_steps, state_steps = warp(-weights[len(head) - 1 : -1])
        jumps = np.diff(text_steps, prepend=-1).astype(bool)
        return state_steps[jumps] * STATE_S

    def _attention(self, state: StepState, tokens: Tensor, width: int) -> np.ndarray:
        self.steps.read(state, tokens, keep_queries=True)
        assert state.queries is not None
        rows = []
        for layer, head in self.heads:
            queries = state.queries[layer][0, head]  # [tokens, head_dim]
            keys = state.cross[layer][0][0, head]  # [states, head_dim]
            rows.append((queries @ keys.T).softmax(-1)[:, :width])
        weights = torch.stack(rows)  # [heads, tokens, states]
        spread, mean = torch.std_mean(weights, dim=1, keepdim=True, unbiased=False)
        weights = _median_filter((weights - mean) / spread.clamp(min=1e-9))
        return weights.mean(0).float().cpu().numpy()


# Pairs to put in order, one after another; the median of seven is then in the middle.
MEDIAN_OF_SEVEN = (
    *((0, 5), (0, 3), (1, 6), (2, 4), (0, 1), (3, 5), (2, 6)),
    *((2, 3), (3, 6), (4, 5), (1, 4), (1, 3), (3, 4)),
)


def _median_filter(weights: Tensor) -> Tensor:
    """Take the median of each value, three before and three after it; torch.median is 8x slower."""
    half = MEDIAN_WIDTH // 2
    if weights.shape[-1] <= half:
        return weights
    padded = torch.nn.functional.pad(weights, (half, half), mode="reflect")
    values = list(padded.unfold(-1, weights.shape[-1], 1).unbind(-2))
    for low, high in MEDIAN_OF_SEVEN:
        one, other = values[low], values[high]
        values[low], values[high] = torch.minimum(one, other), torch.maximum(one, other)
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
