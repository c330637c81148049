"""Word times from the cross-attention of Whisper's alignment heads."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from modalities.speech.step_decoder import StepDecoder, StepState

if TYPE_CHECKING:
    from modalities.speech.whisper import Whisper

STATE_S = 0.02
MEDIAN_WIDTH = 7


@dataclass(frozen=True)
class Word:
    """A word with its time; seconds count from the window's start."""

    start_s: float
    end_s: float
    text: str


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
        config = whisper.model.generation_config
        self.tokenizer = whisper.tokenizer
        self.steps = steps
        self.heads: list[tuple[int, int]] = [
            (int(layer), int(head))
            for layer, head in config.alignment_heads  # type: ignore[attr-defined]
        ]
        self.no_timestamps: int = config.no_timestamps_token_id  # type: ignore[attr-defined]
        self.end_of_text: int = config.eos_token_id  # type: ignore[assignment]

    def align(
        self, state: StepState, prompt: list[int], texts: list[list[int]], frames: int
    ) -> list[tuple[Word, ...]]:
        """Give the words of each text with their times.

        Args:
            state: Of the window, from `StepDecoder.start`; it is not changed.
            prompt: The tokens before the text.
            texts: Text tokens of each segment, in order.
            frames: Mel frames of the window that hold sound, 100 per second.

        Returns:
            One tuple of words per text.
        """
        flat = [token for text in texts for token in text]
        head = [*prompt, self.no_timestamps]
        room = self.steps.max_tokens - len(head) - 1
        if not flat or len(flat) > room:
            return [() for _ in texts]
        row = torch.tensor([[*head, *flat, self.end_of_text]], device=state.cross[0][0].device)
        weights = self._attention(self.steps.restart(state), row, max(1, frames // 2))
        # The row that reads token i - 1 is the one that says token i.
        times = self._start_times(weights[len(head) - 1 : -1])
        return self._words(texts, times)

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

    def _start_times(self, weights: np.ndarray) -> np.ndarray:
        text_steps, state_steps = warp(-weights)
        jumps = np.diff(text_steps, prepend=-1).astype(bool)
        return state_steps[jumps] * STATE_S

    def _words(self, texts: list[list[int]], times: np.ndarray) -> list[tuple[Word, ...]]:
        result, position = [], 0
        for text in texts:
            words = []
            for piece, count in split_words(self.tokenizer, text):
                start_s, end_s = times[position], times[position + count]
                words.append(Word(float(start_s), float(end_s), piece))
                position += count
            result.append(tuple(words))
        return result


def split_words(tokenizer, tokens: list[int]) -> list[tuple[str, int]]:  # noqa: ANN001
    """Group text tokens into words.

    Args:
        tokenizer: A transformers Whisper tokenizer.
        tokens: Text tokens alone.

    Returns:
        Each word as it stands in the text, its leading space included, and its token count.
    """
    from transformers.models.whisper.tokenization_whisper import _combine_tokens_into_words

    if not tokens:
        return []
    words, groups, _ = _combine_tokens_into_words(tokenizer, tokens)
    return [(word, len(group)) for word, group in zip(words, groups, strict=True) if group]


def _median_filter(weights: Tensor) -> Tensor:
    half = MEDIAN_WIDTH // 2
    if weights.shape[-1] <= half:
        return weights
    padded = torch.nn.functional.pad(weights, (half, half), mode="reflect")
    return padded.unfold(-1, MEDIAN_WIDTH, 1).median(-1).values


def warp(cost: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Trace the cheapest monotonic path through a cost matrix.

    Whole anti-diagonals are computed at once, since their cells do not depend on each other.

    Args:
        cost: [tokens, states].

    Returns:
        Token index and state index of each step, from (0, 0) to the last corner.
    """
    rows, columns = cost.shape
    total = np.full((rows + 1, columns + 1), np.inf)
    total[0, 0] = 0
    move = np.zeros((rows + 1, columns + 1), dtype=np.int8)
    for diagonal in range(2, rows + columns + 1):
        i = np.arange(max(1, diagonal - columns), min(rows, diagonal - 1) + 1)
        j = diagonal - i
        before = np.stack([total[i - 1, j - 1], total[i - 1, j], total[i, j - 1]])
        best = before.argmin(0)
        total[i, j] = cost[i - 1, j - 1] + before[best, np.arange(len(i))]
        move[i, j] = best
    path = []
    i, j = rows, columns
    while i > 0 and j > 0:
        path.append((i - 1, j - 1))
        step = move[i, j]
        i, j = i - (step != 2), j - (step != 1)
    tokens, states = np.array(path[::-1]).T
    return tokens, states
