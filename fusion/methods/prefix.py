"""Prefix tuning: learned keys and values in front of those of an attention."""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from fusion.contract.attention import with_prefix
from fusion.contract.method import Adapter, Attention
from fusion.contract.sites import Site


@dataclass(frozen=True)
class PrefixOptions:
    """Options of prefixes.

    Attributes:
        tokens: Learned keys, and as many values, 1 or more.
        std: Standard deviation of the normal distribution that the keys and values start from; 0
            starts them at zero.
    """

    tokens: int = 30
    std: float = 0.02

    def __post_init__(self):
        check_tokens(self.tokens)


class Prefix(Adapter):
    """Keys and values that every token attends to, in encoders too; lengths stay as they are.

    They are learned as they are, without the network over them of the first paper. In models that
    rotate keys by position, these have none.
    """

    Options = PrefixOptions
    where = ("attention",)
    acts_on = "attention"
    changed_at_start = "attention spreads over the new keys"
    title = "Prefix-Tuning (2021, arXiv 2101.00190)"
    formula = "y = softmax(q [P_k; K]^T / sqrt(h)) [P_v; V]"

    def __init__(self, site: Site, options: PrefixOptions, shared: nn.Module | None = None):
        super().__init__(site, options)
        # As wide as the key layer, which has fewer heads than the queries in some models.
        self.keys = new_tokens(options.tokens, site.dim_out, options.std)
        self.values = new_tokens(options.tokens, site.dim_out, options.std)

    @classmethod
    def accepts(cls, site: Site, options: PrefixOptions) -> bool:
        """Take the attention that asks its adapters."""
        return asks_adapters(site)

    @classmethod
    def count(cls, site: Site, options: PrefixOptions) -> int:
        """2 tokens d."""
        return 2 * options.tokens * site.dim_out

    def attend(self, call: Attention) -> Tensor:
        """Attend to the prefix as well."""
        keys, values = (split_heads(part, call.key) for part in (self.keys, self.values))
        return with_prefix(call, keys, values)


def check_tokens(tokens: int) -> None:
    """Check how many tokens are learned.

    Raises:
        ValueError: None.
    """
    if tokens < 1:
        raise ValueError(f"Option 'tokens' is {tokens}; expected 1 or more.")


def new_tokens(tokens: int, dim: int, std: float) -> nn.Parameter:
    """Draw learned tokens, [tokens, dim]."""
    return nn.Parameter(std * torch.randn(tokens, dim))


def asks_adapters(site: Site) -> bool:
    """Tell whether an attention goes through transformers' attention interface."""
    return site.role == "attention" and site.attends


def split_heads(features: Tensor, keys: Tensor) -> Tensor:
    """Split features like the keys of a call.

    Args:
        features: [..., tokens, heads * head_dim].
        keys: [batch, heads, keys, head_dim].

    Returns:
        [..., heads, tokens, head_dim].
    """
    return features.unflatten(-1, (-1, keys.shape[-1])).transpose(-3, -2)
