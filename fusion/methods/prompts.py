"""Prompts: learned tokens in front of what Transformer blocks read."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import pad

from fusion.contract.attention import with_prefix
from fusion.contract.method import Adapter, Attention
from fusion.contract.sites import Site, unwrap
from fusion.methods.gated_prompts import projections
from fusion.methods.prefix import asks_adapters, check_tokens, new_tokens, split_heads


@dataclass(frozen=True)
class ShallowPromptsOptions:
    """Options of shallow prompts.

    Attributes:
        tokens: Prompts in front of the first block.
        hidden: Width of a tanh network that makes them from learned ones, as in VL-Adapter; 0 for
            none.
        std: Standard deviation of the normal distribution that the prompts start from; 0 starts
            them at zero.
        keep: Whether the encoder returns them too, in front of all else, for a decoder to attend
            to, as in VL-Adapter; whoever runs the decoder makes its mask longer.
    """

    tokens: int = 50
    hidden: int = 0
    std: float = 0.02
    keep: bool = False

    def __post_init__(self):
        check_tokens(self.tokens)


class ShallowPrompts(Adapter):
    """Tokens that go through all blocks of an encoder and, unless kept, are dropped after the last.

    Decoders are passed over: with a cache, each step would get the prompts anew. Two of these
    cannot be on at once, nor, where there are masks, one of these and another method of attention:
    torch then complains of shapes. States of the blocks between are longer. LayerDrop has to be
    off, since it may skip the block that drops the prompts.
    """

    Options = ShallowPromptsOptions
    where = ("block", "self.attention")  # attention makes the mask longer
    acts_on = "attention"
    per_sample = False
    changed_at_start = "attention spreads over the prompts"
    title = "Visual Prompt Tuning (2022, arXiv 2203.12119); VL-Adapter (2112.06825)"
    formula = "y = blocks([P; x]) without the prompts"

    def __init__(self, site: Site, options: ShallowPromptsOptions, shared: nn.Module | None = None):
        super().__init__(site, options)
        self.tokens, self.first = options.tokens, is_first(site)
        self.drops = is_last(site) and not options.keep
        if self.first:
            self.prompts = new_tokens(options.tokens, site.dim_in, options.std)
            self.network = nn.Sequential()
            if options.hidden:
                widen = nn.Linear(site.dim_in, options.hidden)
                narrow = nn.Linear(options.hidden, site.dim_in)
                self.network = nn.Sequential(widen, nn.Tanh(), narrow)

    @classmethod
    def accepts(cls, site: Site, options: ShallowPromptsOptions) -> bool:
        """Take encoders."""
        return takes_prompts(site) and not is_decoder(site)

    @classmethod
    def share(cls, sites: Sequence[Site], options: ShallowPromptsOptions) -> None:
        """Check that the prompts can go all the way."""
        check_pairs(sites, all_layers=True)

    @classmethod
    def count(cls, site: Site, options: ShallowPromptsOptions) -> int:
        """Tokens d, once an encoder; with a network 2 d hidden + hidden + d more."""
        if not is_first(site):
            return 0
        network = 2 * site.dim_in * options.hidden + options.hidden + site.dim_in
        return options.tokens * site.dim_in + (network if options.hidden else 0)

    def before(self, inputs: Tensor, kwargs: dict[str, Any]) -> Tensor:
        """Put the prompts before the first block."""
        if not self.first:
            return inputs
        return torch.cat([self.network(self.prompts).expand(len(inputs), -1, -1), inputs], 1)

    def after(self, inputs: Tensor, outputs: Tensor) -> Tensor:
        """Drop them after the last, where they are not kept."""
        return outputs[:, self.tokens :] if self.drops else outputs

    def attend(self, call: Attention) -> Tensor:
        """Attend with the prompts in the mask."""
        return call.run(call.key, call.value, longer_mask(call, self.tokens))


@dataclass(frozen=True)
class DeepPromptsOptions:
    """Options of deep prompts.

    Attributes:
        tokens: Prompts of each block, 1 or more.
        std: Standard deviation of the normal distribution that the prompts start from; 0 starts
            them at zero.
    """

    tokens: int = 10
    std: float = 0.02

    def __post_init__(self):
        check_tokens(self.tokens)


class DeepPrompts(Adapter):
    """Fresh tokens in front of each block, dropped after it.

    What a block makes of them is dropped, so all that they do is to be keys and values of its
    self-attention. That is what is computed here: lengths stay as they are, and decoders, caches
    and rows with other prompts work. The prompts go through the frozen normalisation, key and
    value layers, without position and without what other adapters change there.
    """

    Options = DeepPromptsOptions
    where = ("block", "self.attention")  # the block has the normalisation in front of attention
    acts_on = "attention"
    changed_at_start = "attention spreads over the prompts"
    title = "Visual Prompt Tuning, deep (2022, arXiv 2203.12119)"
    formula = "y = block([P; x]) without the prompts, P of each block"

    def __init__(self, site: Site, options: DeepPromptsOptions, shared: nn.Module | None = None):
        super().__init__(site, options)
        if site.role == "attention":
            assert isinstance(shared, Norms)
            self.prompts = new_tokens(options.tokens, site.dim_in, options.std)
            # In a tuple, so that what is not the adapter's own is not counted or saved.
            self.frozen = shared.by_site[site.name], *projections(site)

    @classmethod
    def accepts(cls, site: Site, options: DeepPromptsOptions) -> bool:
        """Pass over attention that does not ask its adapters, and cross-attention."""
        return takes_prompts(site)

    @classmethod
    def share(cls, sites: Sequence[Site], options: DeepPromptsOptions) -> "Norms":
        """Find the normalisations in the blocks."""
        return Norms(sites)

    @classmethod
    def count(cls, site: Site, options: DeepPromptsOptions) -> int:
        """Tokens d of each block."""
        return options.tokens * site.dim_in if site.role == "attention" else 0

    def attend(self, call: Attention) -> Tensor:
        """Attend to the keys and values of the prompts as well."""
        norm, key, value = self.frozen
        prompts = norm.forward(self.prompts.to(call.key.dtype))
        keys, values = (split_heads(p.forward(prompts), call.key) for p in (key, value))
        return with_prefix(call, keys, values)


class Norms(nn.Module):
    """The normalisation in front of each attention, which is not a part of the attention.

    Attributes:
        by_site: By name of the attention; a plain dict, so that none is registered here.
    """

    def __init__(self, sites: Sequence[Site]):
        super().__init__()
        check_pairs(sites)
        blocks = {(site.stack, site.layer): site for site in sites if site.role == "block"}
        self.by_site = {
            site.name: _norm_of(site, blocks[site.stack, site.layer])
            for site in sites
            if site.role == "attention"
        }


def _norm_of(site: Site, block: Site) -> nn.Module:
    if not site.norm or not site.norm_first:
        return nn.Identity()
    return unwrap(block.module.get_submodule(site.norm.removeprefix(f"{block.name}.")))


def is_first(site: Site) -> bool:
    """Tell whether a site is the first block of its stack."""
    return site.role == "block" and site.layer == 0


def is_last(site: Site) -> bool:
    """Tell whether a site is the last block of its stack."""
    return site.role == "block" and site.layer == site.layers - 1


def takes_prompts(site: Site) -> bool:
    """Tell whether a site is a block that takes more tokens, or the self-attention of one."""
    if site.role == "block":
        return site.attends
    return asks_adapters(site) and not site.cross


def is_decoder(site: Site) -> bool:
    """Tell whether a block or an attention is one that decodes step by step."""
    if site.decodes or getattr(site.module, "is_decoder", False):
        return True
    return site.role == "attention" and bool(getattr(site.module, "is_causal", False))


def check_pairs(sites: Sequence[Site], all_layers: bool = False) -> None:
    """Check that each block comes with its self-attention, and the reverse.

    Args:
        sites: Blocks and self-attentions that were chosen, in any order.
        all_layers: Whether no block of a stack may be left out.

    Raises:
        ValueError: One was not chosen.
    """
    places = {(site.stack, site.layer, site.role) for site in sites}
    for site in sites:
        for layer in range(site.layers) if all_layers else (site.layer,):
            for role in ("block", "attention"):
                if (site.stack, layer, role) not in places:
                    raise ValueError(
                        f"Prompts are not at the {role} of layer {layer} in {site.stack}, but "
                        "they need each block together with its self-attention"
                        f"{', in all layers' if all_layers else ''}. Name both, as in "
                        "where=('encoder.block', 'encoder.self.attention')"
                        f"{', and leave `layers` out' if all_layers else ''}."
                    )


def longer_mask(call: Attention, count: int) -> Tensor | None:
    """Lengthen the mask of an attention whose first tokens are prompts.

    All tokens see the prompts. These see what the first token sees; where attention is causal,
    they see earlier prompts alone, as they do without a mask.

    Args:
        call: The attention; its mask has no prompts yet.
        count: Prompts.

    Returns:
        [batch or 1, heads or 1, count + tokens, count + tokens], or None as before.
    """
    if call.mask is None:
        return None
    is_bool = call.mask.dtype == torch.bool
    below = pad(call.mask, (count, 0), value=True if is_bool else 0.0)
    above = below[:, :, :1].expand(-1, -1, count, -1)
    if call.causal:
        past = torch.ones(above.shape[-2:], dtype=torch.bool, device=above.device).tril()
        lowest = False if is_bool else torch.finfo(above.dtype).min
        above = torch.full_like(above, True if is_bool else 0.0).masked_fill(~past, lowest)
    return torch.cat([above, below], 2)
