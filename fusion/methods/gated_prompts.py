"""LLaMA-Adapter: prompts in an attention of their own, behind a gate that starts closed."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from fusion.contract.method import Adapter, Attention
from fusion.contract.sites import Site, unwrap
from fusion.methods.prefix import asks_adapters, check_tokens, new_tokens, split_heads

KEY_NAMES = ("k_proj", "key", "k")
VALUE_NAMES = ("v_proj", "value", "v")


@dataclass(frozen=True)
class GatedPromptsOptions:
    """Options of gated prompts.

    Attributes:
        tokens: Prompts of each layer, 1 or more.
        early_layers: So many of the first layers have no prompts; they attend to the tokens that
            `condition` gives, as in V2.
        std: Standard deviation of the normal distribution that the prompts start from; 0 starts
            them at zero.
    """

    tokens: int = 10
    early_layers: int = 0
    std: float = 1.0

    def __post_init__(self):
        check_tokens(self.tokens)


class Condition(nn.Module):
    """What the early layers of an adapter attend to; it is neither trained nor saved.

    Attributes:
        tokens: [batch, tokens, dim], or None.
    """

    tokens: Tensor | None = None


class GatedPrompts(Adapter):
    """A second attention to prompts, with a gate per head.

    The prompts go through the frozen key and value layers, without position and without what
    other adapters change there. The paper has them in the upper layers: `layers=range(-30, 0)`.
    """

    Options = GatedPromptsOptions
    where = ("self.attention",)
    acts_on = "attention"
    title = "LLaMA-Adapter (2023, arXiv 2303.16199); V2 (2304.15010)"
    formula = "y = attention + tanh(g) softmax(q (P W_k)^T / sqrt(h)) P W_v, g of each head"

    def __init__(self, site: Site, options: GatedPromptsOptions, shared: nn.Module | None = None):
        super().__init__(site, options)
        self.gates = nn.Parameter(torch.zeros(site.heads))
        early = _is_early(site, options)
        self.prompts = None if early else new_tokens(options.tokens, site.dim_in, options.std)
        # In a tuple, so that what is not the adapter's own is not registered, counted or saved.
        self.borrowed = projections(site), shared

    @classmethod
    def accepts(cls, site: Site, options: GatedPromptsOptions) -> bool:
        """Pass over attention with a bias for each pair of positions: prompts have none."""
        biased = hasattr(site.module, "has_relative_attention_bias")
        return asks_adapters(site) and site.heads > 0 and not biased

    @classmethod
    def share(cls, sites: Sequence[Site], options: GatedPromptsOptions) -> Condition | None:
        """Build the place where `condition` puts tokens."""
        return Condition() if options.early_layers else None

    @classmethod
    def count(cls, site: Site, options: GatedPromptsOptions) -> int:
        """Tokens d + heads; in early layers heads. The papers leave the gates out."""
        return site.heads + (0 if _is_early(site, options) else options.tokens * site.dim_in)

    def attend(self, call: Attention) -> Tensor:
        """Add what the prompts give."""
        attended = call.run(call.key, call.value, call.mask)
        (key, value), condition = self.borrowed
        prompts = self.prompts if self.prompts is not None else _tokens_for(condition, call)
        if prompts is None:
            return attended
        prompts = prompts.to(call.key.dtype)
        every_row = len(call.query), -1, -1, -1
        keys = split_heads(key.forward(prompts), call.key).expand(every_row)
        values = split_heads(value.forward(prompts), call.key).expand(every_row)
        mask = None
        if call.causal:  # with no mask, causal attention would take prompts for later tokens
            shape = (1, 1, call.query.shape[2], keys.shape[2])
            mask = torch.ones(shape, dtype=torch.bool, device=keys.device)
        return attended + torch.tanh(self.gates)[:, None] * call.run(keys, values, mask)


def _tokens_for(condition: nn.Module | None, call: Attention) -> Tensor | None:
    assert isinstance(condition, Condition)
    tokens, rows = condition.tokens, len(call.query)
    if tokens is not None and len(tokens) != rows:
        raise ValueError(
            f"Conditioned on tokens for {len(tokens)} rows, but attention has {rows}. Give tokens "
            "for each row of the batch, one by one for beams, and the same adapter to all rows."
        )
    return tokens


@contextmanager
def condition(model: nn.Module, tokens: Tensor) -> Iterator[None]:
    """Let the early layers of gated prompts attend to tokens, as to an image's.

    Args:
        model: With gated prompts whose `early_layers` is not 0.
        tokens: As wide as the model, [batch, tokens, dim].

    Raises:
        ValueError: There are no early layers.
    """
    found = [module for module in model.modules() if isinstance(module, Condition)]
    if not found:
        raise ValueError(
            f"This {type(model).__name__} has no early layers to condition. Attach "
            "'gated_prompts' with the option early_layers=1."
        )
    for place in found:
        place.tokens = tokens
    try:
        yield
    finally:
        for place in found:
            place.tokens = None


def projections(site: Site) -> tuple[nn.Module, nn.Module]:
    """Return the frozen key and value layers of an attention.

    Their `forward` has to be called directly, so that adapters at them stay out.

    Raises:
        ValueError: They have other names than the known ones.
    """
    found = []
    for names in (KEY_NAMES, VALUE_NAMES):
        name = next((name for name in names if hasattr(site.module, name)), None)
        if name is None:
            raise ValueError(
                f"{site.name} is a {type(site.module).__name__} with no layer named "
                f"{', '.join(names)}; prompts need its key and value layers. Choose other modules."
            )
        found.append(unwrap(getattr(site.module, name)))
    return found[0], found[1]


def _is_early(site: Site, options: GatedPromptsOptions) -> bool:
    return site.layer < options.early_layers
