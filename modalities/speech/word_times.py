"""Word times from the cross-attention of Whisper's alignment heads."""

from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

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
            state: The decoder's state at the start of this window, as `align` takes it.
            prompt: The tokens before the text.
            tokens: Text tokens, no more than fit.
            states: How many states of the encoder hold sound, 50 a second.

        Returns:
            Seconds at which each token begins, and the last one ends, [tokens + 1].
        """
        head = [*prompt, self.vocabulary.no_timestamps]
        told = [*head, *tokens, self.vocabulary.end_of_text]
        row = torch.tensor([told], device=state.cross[0][0].device)
        return trace_times(self._attention(self.steps.restart(state), row, states), len(head))

    def _attention(self, state: StepState, tokens: Tensor, width: int) -> np.ndarray:
        """Give the attention of the alignment heads, [heads, tokens, width]."""
        self.steps.read(state, tokens, keep_queries=True)
        assert state.queries is not None
        rows = []
        for layer, head in self.heads:
            queries = state.queries[layer][0, head]  # [tokens, head_dim]
            keys = state.cross[layer][0][0, head]  # [states, head_dim]
            rows.append((queries @ keys.T).softmax(-1)[:, :width])
        return torch.stack(rows).float().cpu().numpy()
