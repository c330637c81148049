"""What computes a frozen Whisper: one small interface over libraries that can."""

import math
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from modalities.speech.vocabulary import Vocabulary

# A decoder that has said the same few tokens over and over goes on doing so.
LONGEST_CYCLE, CYCLES = 20, 5


@dataclass(frozen=True)
class Attempt:
    """What a decoder wrote.

    Attributes:
        tokens: After the prompt, without the end of text.
        log_probability: Mean over the tokens and the end of text.
        no_speech: Probability that nobody speaks.
    """

    tokens: list[int]
    log_probability: float
    no_speech: float


@dataclass(frozen=True)
class Sampling:
    """How a window that looks bad is tried again.

    Attributes:
        temperatures: In the order of the attempts, above 0.
        compression_threshold: A result that zlib shrinks more than this repeats itself.
        log_probability_threshold: A result whose mean log-probability is lower looks bad.
        seed: Fixes what is drawn.
    """

    temperatures: tuple[float, ...]
    compression_threshold: float
    log_probability_threshold: float
    seed: int

    def finds_bad(self, attempt: Attempt, vocabulary: int) -> bool:
        """Tell whether a result repeats itself or is unlikely.

        Args:
            attempt: The result.
            vocabulary: How many tokens the model knows.
        """
        return (
            _compression(attempt.tokens, vocabulary) > self.compression_threshold
            or attempt.log_probability < self.log_probability_threshold
        )


class HeardWindow(Protocol):
    """A window that the encoder has heard."""

    def guess_language(self) -> str:
        """Return the code of the likeliest language of the model's own."""
        ...

    def write(self, prompt: list[int], limit: int | None, guess: Sequence[int] = ()) -> Attempt:
        """Decode greedily, by the rules of timestamps.

        Args:
            prompt: The tokens before the text.
            limit: The most tokens; where it stops going round in circles too. None goes on to the
                end of what the decoder can hold.
            guess: What `guess_all` found; it changes nothing but the time that is taken.
        """
        ...

    def sample(self, prompt: list[int], limit: int, sampling: Sampling) -> Attempt:
        """Draw at one temperature after the other until a result looks good; the last one stays.

        Args:
            prompt: The tokens before the text.
            limit: The most tokens.
            sampling: Temperatures, one at least, and what looks bad.
        """
        ...

    def token_times(self, prompt: list[int], tokens: list[int], states: int) -> np.ndarray:
        """Find when text tokens are said, by the attention of the alignment heads.

        Args:
            prompt: The tokens before the text.
            tokens: Text tokens, one at least.
            states: How many states of the encoder hold sound, 50 a second.

        Returns:
            Seconds at which each token begins, and the last one ends, [tokens + 1].
        """
        ...


class Engine(Protocol):
    """A frozen Whisper that turns sound into tokens.

    Attributes:
        name: What was asked for.
        vocabulary: What tokens stand for.
        max_tokens: What the decoder can hold, prompt and end of text included.
        together: How many windows are best guessed at side by side.
    """

    name: str
    vocabulary: Vocabulary
    max_tokens: int
    together: int

    def log_mel(self, waveform: np.ndarray) -> np.ndarray:
        """Compute what `hear` takes of sound that is padded with silence, or cut, to 30 s.

        Args:
            waveform: float32 [samples] at 16 kHz.

        Returns:
            float32 [mel_bins, 3000].
        """
        ...

    def hear(self, mel: np.ndarray) -> HeardWindow:
        """Run the encoder on [mel_bins, 3000]."""
        ...

    def guess_all(
        self, windows: Sequence[Any], prompts: Sequence[list[int]], limits: Sequence[int]
    ) -> list[list[int]]:
        """Guess at what each window's `write` will write; empty where that gains nothing.

        Args:
            windows: What `hear` returned.
            prompts: The tokens before each text.
            limits: The most tokens of each.
        """
        ...


def cycles(tokens: list[int]) -> bool:
    """Tell whether the end of the tokens is a short stretch, several times over."""
    for length in range(1, LONGEST_CYCLE + 1):
        tail = tokens[-length * CYCLES :]
        if len(tail) == length * CYCLES and tail == tail[:length] * CYCLES:
            return length * CYCLES >= 2 * LONGEST_CYCLE
    return False


def _compression(tokens: list[int], vocabulary: int) -> float:
    width = int(math.log2(vocabulary) / 8) + 1
    packed = b"".join(token.to_bytes(width, "little") for token in tokens)
    return len(packed) / len(zlib.compress(packed))
