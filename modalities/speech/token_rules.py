"""Which tokens Whisper may say next, for logits of any library."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np


@dataclass(frozen=True)
class TokenRules:
    """The rules of Whisper's decoding, but for what the scores of timestamps decide.

    Attributes:
        suppressed: Tokens that are never said.
        suppressed_at_start: Tokens that do not come first, those that are never said among them.
        first_timestamp: The token of 0.00 s.
        end_of_text: The token that comes last.
        latest_first: The latest first timestamp, steps of 0.02 s; None lets it be any.

    Source:
        Robust Speech Recognition via Large-Scale Weak Supervision, section 3.8, arXiv 2212.04356.
    """

    suppressed: Any
    suppressed_at_start: Any
    first_timestamp: int
    end_of_text: int
    latest_first: int | None

    def forbid(self, logits: Any, said: Sequence[int]) -> None:
        """Set to minus infinity, in place, what may not follow.

        Args:
            logits: [vocabulary], an array or a tensor.
            said: The tokens after the prompt.
        """
        first = self.first_timestamp
        logits[self.suppressed if said else self.suppressed_at_start] = -np.inf
        if said:
            self._pair_timestamps(logits, said)
            return
        logits[:first] = -np.inf
        if self.latest_first is not None:
            logits[first + self.latest_first + 1 :] = -np.inf

    def _pair_timestamps(self, logits: Any, said: Sequence[int]) -> None:
        first = self.first_timestamp
        last_is_time = said[-1] >= first
        before_is_time = len(said) < 2 or said[-2] >= first
        latest = next((token for token in reversed(said) if token >= first), None)
        if last_is_time and before_is_time:
            logits[first:] = -np.inf
        elif last_is_time:
            logits[: self.end_of_text] = -np.inf
        if latest is not None:
            lowest = latest if last_is_time and not before_is_time else latest + 1
            logits[first:lowest] = -np.inf


def choose_token(rules: TokenRules, logits: np.ndarray, said: Sequence[int]) -> tuple[int, float]:
    """Choose the likeliest token that may follow.

    Args:
        rules: What may follow.
        logits: float32 [vocabulary]; what may not follow is set to minus infinity.
        said: The tokens after the prompt.

    Returns:
        The token, and its log-probability among those that may follow.
    """
    rules.forbid(logits, said)
    first = rules.first_timestamp
    # A timestamp is said when all timestamps together outweigh the likeliest text token.
    if said and log_sum(logits[first:]) > logits[:first].max():
        logits[:first] = -np.inf
    token = int(logits.argmax())
    return token, float(logits[token] - log_sum(logits))


def log_sum(logits: np.ndarray) -> np.float32:
    """Return the logarithm of the sum of what logits stand for."""
    top = logits.max()
    if top == -np.inf:
        return top
    return top + np.log(np.exp(logits - top).sum())
