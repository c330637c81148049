"""Word times from the cross-attention of Whisper's alignment heads."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import torch

from modalities.speech.step_decoder import StepDecoder, StepState
from modalities.speech.timed_text import Word
from modalities.speech.warping import trace_times
from modalities.speech.word_groups import time_words

if TYPE_CHECKING:
    from modalities.speech.whisper import Whisper


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
        return self.align_all(state, prompt, [tokens], [frames])[0]

    def align_all(
        self,
        state: StepState,
        prompt: list[int],
        texts: Sequence[list[int]],
        frames: Sequence[int],
    ) -> list[tuple[Word, ...]]:
        """Give the words of each row's text with their times, all rows read side by side.

        Args:
            state: The decoder's state at the start, a row for each text; it is not changed.
            prompt: The tokens before each text.
            texts: Text tokens of each row.
            frames: Mel frames of each row that hold sound, 100 per second.

        Returns:
            No words for rows without text, or with more than can be aligned.
        """
        room = self.steps.max_tokens - len(prompt) - 2
        fitting = [tokens if len(tokens) <= room else [] for tokens in texts]
        if not any(fitting):
            return [() for _ in texts]
        states = [max(1, count // 2) for count in frames]
        times = self._times_of_rows(state, prompt, fitting, states)
        vocabulary, language = self.vocabulary, self.vocabulary.language_of(prompt)
        return [
            time_words(vocabulary.spell, [tokens], own, language)[0] if tokens else ()
            for tokens, own in zip(fitting, times, strict=True)
        ]

    def token_times(
        self, state: StepState, prompt: list[int], tokens: list[int], states: int
    ) -> np.ndarray:
        """Find when text tokens are said.

        Args:
            state: The decoder's state at the start of this window, as `align` takes it.
            prompt: The tokens before the text.
            tokens: Text tokens, no more than fit.
            states: How many states of the encoder hold sound, 50 a second.

        Returns:
            Seconds at which each token begins, and the last one ends, [tokens + 1].
        """
        return self._times_of_rows(state, prompt, [tokens], [states])[0]

    def _times_of_rows(
        self,
        state: StepState,
        prompt: list[int],
        texts: Sequence[list[int]],
        states: Sequence[int],
    ) -> list[np.ndarray]:
        """Find when the tokens of each row are said; what is told of a row without is nothing."""
        head, end = [*prompt, self.vocabulary.no_timestamps], self.vocabulary.end_of_text
        told = [[*head, *tokens, end] for tokens in texts]
        longest = max(map(len, told))
        # What follows a row's end changes nothing that comes before it.
        padded = [row + [end] * (longest - len(row)) for row in told]
        state = self.steps.restart(state)
        rows = torch.tensor(padded, device=state.past[0][0].device)
        self.steps.read(state, rows, keep_queries=True)
        return [
            trace_times(self._attention(state, row, len(tokens), width), len(head))
            for row, (tokens, width) in enumerate(zip(told, states, strict=True))
        ]

    def _attention(self, state: StepState, row: int, length: int, width: int) -> np.ndarray:
        """Give the attention of the alignment heads in a row, [heads, length, width]."""
        assert state.queries is not None
        found = []
        for layer, head in self.heads:
            queries = state.queries[layer][row, head, :length]  # [tokens, head_dim]
            keys = state.cross[layer].keys_of(row, head)  # [states, head_dim]
            found.append((queries @ keys.T).softmax(-1)[:, :width])
        return torch.stack(found).float().cpu().numpy()
