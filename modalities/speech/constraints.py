"""Which tokens Whisper may say next: suppressed tokens and the grammar of timestamps."""

import torch
from torch import Tensor
from transformers import GenerationConfig


class TokenConstraints:
    """The rules of Whisper's decoding, as transformers' logits processors apply them.

    Args:
        config: Complete generation settings of the model.
        device: Where the logits are.

    Source:
        Robust Speech Recognition via Large-Scale Weak Supervision, section 3.8, arXiv 2212.04356.
    """

    def __init__(self, config: GenerationConfig, device: torch.device):
        no_timestamps: int = config.no_timestamps_token_id  # type: ignore[attr-defined]
        suppressed = [*(config.suppress_tokens or []), no_timestamps]
        at_start = [*suppressed, *(config.begin_suppress_tokens or [])]
        self.suppressed = torch.tensor(sorted(set(suppressed)), device=device)
        self.suppressed_at_start = torch.tensor(sorted(set(at_start)), device=device)
        self.first_timestamp = no_timestamps + 1
        self.end_of_text: int = config.eos_token_id  # type: ignore[assignment]
        self.max_initial: int | None = getattr(config, "max_initial_timestamp_index", None)

    def apply(self, logits: Tensor, said: list[int]) -> Tensor:
        """Forbid in place what may not follow.

        Args:
            logits: [vocabulary].
            said: The tokens after the prompt.

        Returns:
            The tensor that was handed in, now minus infinity where a token is forbidden.
        """
        first = self.first_timestamp
        logits[self.suppressed if said else self.suppressed_at_start] = -torch.inf
        if not said:
            logits[:first] = -torch.inf
            if self.max_initial is not None:
                logits[first + self.max_initial + 1 :] = -torch.inf
            return logits
        self._pair_timestamps(logits, said)
        # A timestamp is said when all timestamps together outweigh the likeliest text token.
        if logits[first:].logsumexp(0) > logits[:first].max():
            logits[:first] = -torch.inf
        return logits

    def _pair_timestamps(self, logits: Tensor, said: list[int]) -> None:
        first = self.first_timestamp
        last_is_time = said[-1] >= first
        before_is_time = len(said) < 2 or said[-2] >= first
        latest = next((token for token in reversed(said) if token >= first), None)
        if last_is_time and before_is_time:
            logits[first:] = -torch.inf
        elif last_is_time:
            logits[: self.end_of_text] = -torch.inf
        if latest is not None:
            lowest = latest if last_is_time and not before_is_time else latest + 1
            logits[first:lowest] = -torch.inf
