"""Word times from the cross-attention of Whisper's alignment heads."""

from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from modalities.speech.step_decoder import StepDecoder, StepState
from modalities.speech.timed_text import Word

if TYPE_CHECKING:
    from transformers import WhisperTokenizer

    from modalities.speech.whisper import Whisper

STATE_S = 0.02
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
            state: The decoder's state at the start of this window, from `StepDecoder.start`; it is
                not changed.
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
        return self._words(texts, times, self._language(prompt))

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

    def _language(self, prompt: list[int]) -> str:
        from transformers.models.whisper.tokenization_whisper import LANGUAGES

        code = self.tokenizer.convert_ids_to_tokens(prompt[1]) if len(prompt) > 1 else "<|en|>"
        return LANGUAGES[str(code).strip("<|>")]

    def _words(
        self, texts: list[list[int]], times: np.ndarray, language: str
    ) -> list[tuple[Word, ...]]:
        result, position = [], 0
        for text in texts:
            words = []
            for piece, count in split_words(self.tokenizer, text, language):
                start_s, end_s = times[position], times[position + count]
                words.append(Word(float(start_s), float(end_s), piece))
                position += count
            result.append(tuple(words))
        return result


def split_words(
    tokenizer: "WhisperTokenizer", tokens: list[int], language: str = "english"
) -> list[tuple[str, int]]:
    """Group text tokens into words.

    Args:
        tokenizer: A transformers Whisper tokenizer.
        tokens: Text tokens alone.
        language: Its English name; some are written without spaces.

    Returns:
        Each word as it stands in the text, its leading space included, and its token count.
    """
    from transformers.models.whisper.tokenization_whisper import _combine_tokens_into_words

    if not tokens:
        return []
    words, groups, _ = _combine_tokens_into_words(_TextDecoder(tokenizer), tokens, language)
    return [(word, len(group)) for word, group in zip(words, groups, strict=True) if group]


class _TextDecoder:
    """What transformers' grouping asks of a tokenizer, without its search for timestamps.

    The grouping decodes every token, and that search took a third of a window's time.
    """

    def __init__(self, tokenizer: "WhisperTokenizer"):
        self.backend = tokenizer.backend_tokenizer
        self.eos_token_id = tokenizer.eos_token_id

    def decode(self, tokens: list[int], **_: bool) -> str:
        return self.backend.decode(tokens, skip_special_tokens=False)


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
