"""Which tokens Whisper may say next: suppressed tokens and the grammar of timestamps."""

import torch
from torch import Tensor
from transformers import GenerationConfig

from modalities.speech.token_rules import TokenRules


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
        self.first_timestamp = no_timestamps + 1
        self.end_of_text: int = config.eos_token_id  # type: ignore[assignment]
        self.rules = TokenRules(
            torch.tensor(sorted(set(suppressed)), device=device),
            torch.tensor(sorted(set(at_start)), device=device),
            self.first_timestamp,
            self.end_of_text,
            getattr(config, "max_initial_timestamp_index", None),
        )

    def apply(self, logits: Tensor, said: list[int]) -> Tensor:
        """Forbid in place what may not follow.

        Args:
            logits: [vocabulary].
            said: The tokens after the prompt.

        Returns:
            The tensor that was handed in, now minus infinity where a token is forbidden.
        """
        first = self.first_timestamp
        self.rules.forbid(logits, said)
        # A timestamp is said when all timestamps together outweigh the likeliest text token.
        if said and logits[first:].logsumexp(0) > logits[:first].max():
            logits[:first] = -torch.inf
        return logits
