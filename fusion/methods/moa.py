"""Mixtures of adapters: Soft-MoA sends mixtures of tokens to its adapters, Dense-MoA all tokens."""

from dataclasses import dataclass
from math import sqrt

import torch
from torch import Tensor, nn

from fusion.contract.method import Adapter
from fusion.contract.options import check_choice
from fusion.contract.sites import Site
from fusion.methods.bottleneck import ACTIVATIONS

SITES = {"attention": ("attention",), "mlp": ("mlp",), "both": ("attention", "mlp")}


@dataclass(frozen=True)
class MoaOptions:
    """Options of mixtures of adapters.

    Attributes:
        rank: Width of each adapter.
        experts: How many adapters.
        site: "attention", "mlp" or "both": the sub-layers that have a mixture.
        mode: "parallel" adds it to what the sub-layer returns; "sequential" stands in its way.
        order: Where it stands. A parallel one reads "after" the normalisation, or "before" it; a
            sequential one comes "after" the sub-layer, or "before" it, behind the normalisation.
        activation: relu, gelu, gelu_tanh, tanh or silu.
        scale: Factor of what is added; 0 adds nothing.
    """

    rank: int = 6
    experts: int = 7
    site: str = "attention"
    mode: str = "parallel"
    order: str = "after"
    activation: str = "gelu"
    scale: float = 1.0

    def __post_init__(self):
        check_choice("site", self.site, SITES)
        check_choice("mode", self.mode, ("sequential", "parallel"))
        check_choice("order", self.order, ("before", "after"))
        check_choice("activation", self.activation, ACTIVATIONS)
        if self.experts < 1:
            raise ValueError(f"Option 'experts' is {self.experts}; expected 1 or more.")


@dataclass(frozen=True)
class SoftMoaOptions(MoaOptions):
    """Options of Soft-MoA.

    Attributes:
        slots: Mixtures of tokens that each adapter gets.
    """

    slots: int = 1

    def __post_init__(self):
        super().__post_init__()
        if self.slots < 1:
            raise ValueError(f"Option 'slots' is {self.slots}; expected 1 or more.")


class Experts(nn.Module):
    """Bottlenecks side by side: down, activation, up; up starts at zero.

    Args:
        count: How many.
        dim: Features that they read and return.
        rank: Their width.
        activation: A name of `ACTIVATIONS`.
    """

    def __init__(self, count: int, dim: int, rank: int, activation: str):
        super().__init__()
        self.activation = ACTIVATIONS[activation]
        bound = 1 / sqrt(dim)
        self.down = nn.Parameter(torch.empty(count, dim, rank).uniform_(-bound, bound))
        self.down_bias = nn.Parameter(torch.zeros(count, rank))
        self.up = nn.Parameter(torch.zeros(count, rank, dim))
        self.up_bias = nn.Parameter(torch.zeros(count, dim))

    @staticmethod
    def count(count: int, dim: int, rank: int) -> int:
        """N (2 d r + r + d)."""
        return count * (2 * dim * rank + rank + dim)

    def forward(self, slots: Tensor) -> Tensor:
        """Run each on slots of its own, [batch, experts, slots, dim] in and out."""
        narrow = self.activation(slots @ self.down + self.down_bias[:, None])
        return narrow @ self.up + self.up_bias[:, None]

    def mixed(self, tokens: Tensor, gates: Tensor) -> Tensor:
        """Run all on all tokens, and add up what they return.

        Args:
            tokens: [batch, tokens, dim].
            gates: Weight of each, [batch, tokens, experts].

        Returns:
            [batch, tokens, dim].
        """
        narrow = torch.einsum("btd,edr->bter", tokens, self.down)  # [batch, tokens, experts, rank]
        narrow = self.activation(narrow + self.down_bias) * gates[..., None]
        return narrow.flatten(2) @ self.up.flatten(0, 1) + gates @ self.up_bias


class Moa(Adapter):
    """What both mixtures have in common: where they are put, and what they read."""

    Options = MoaOptions
    where = SITES["attention"]
    acts_on = "sublayer"

    def __init__(self, site: Site, options: MoaOptions, shared: nn.Module | None = None):
        super().__init__(site, options)
        self.options = options
        self.experts = Experts(options.experts, site.dim_out, options.rank, options.activation)

    @classmethod
    def where_of(cls, options: MoaOptions) -> tuple[str, ...]:
        """Return the sub-layers, or their normalisations where it comes between the two."""
        between = options.mode == "sequential" and options.order == "before"
        return tuple(f"{role}.norm" if between else role for role in SITES[options.site])

    @classmethod
    def reads(cls, options: MoaOptions) -> str:
        """Parallel ones read what the sub-layer or its normalisation does."""
        if options.mode == "sequential":
            return ""
        return "sublayer" if options.order == "after" else "norm"

    @classmethod
    def accepts(cls, site: Site, options: MoaOptions) -> bool:
        """Refuse to stand between a sub-layer and a normalisation that comes last."""
        return site.role != "norm" or site.norm_first

    def after(self, inputs: Tensor, outputs: Tensor) -> Tensor:
        """Add the mixture's output."""
        read = outputs if self.options.mode == "sequential" else inputs
        return outputs + self.options.scale * self.mix(read)

    def mix(self, tokens: Tensor) -> Tensor:
        """Return what is added, [batch, tokens, dim] in and out."""
        raise NotImplementedError


class SoftMoa(Moa):
    """Each adapter gets slots: mixtures of all tokens; each token gets a mixture of all slots.

    It reads padding too. Decoders are passed over: a slot holds something of every token.
    """

    Options = SoftMoaOptions
    title = "Soft mixture of adapters (2024, arXiv 2402.00828)"
    formula = "y = f(x) + s C [A_j(S_j)], S = D' z, D, C = softmax of z Phi over tokens, over slots"

    def __init__(self, site: Site, options: SoftMoaOptions, shared: nn.Module | None = None):
        super().__init__(site, options)
        places = options.experts * options.slots
        self.routing = nn.Parameter(torch.randn(site.dim_out, places) / sqrt(site.dim_out))

    @classmethod
    def accepts(cls, site: Site, options: MoaOptions) -> bool:
        """Pass over decoders."""
        return super().accepts(site, options) and not site.decodes

    @classmethod
    def count(cls, site: Site, options: SoftMoaOptions) -> int:
        """N (2 d r + r + d) + d N p."""
        experts = Experts.count(options.experts, site.dim_out, options.rank)
        return experts + site.dim_out * options.experts * options.slots

    def mix(self, tokens: Tensor) -> Tensor:
        """Mix tokens into slots, and what the adapters make of these into tokens."""
        logits = tokens @ self.routing  # [batch, tokens, experts * slots]
        slots = logits.softmax(1).mT @ tokens
        done = self.experts(slots.unflatten(1, (self.options.experts, -1))).flatten(1, 2)
        return logits.softmax(2) @ done


class DenseMoa(Moa):
    """Every adapter runs on every token; a router weighs them, token by token."""

    title = "Dense mixture of adapters, in Soft-MoA (2024, arXiv 2402.00828)"
    formula = "y = f(x) + s sum_i w_i A_i(z), w = softmax(W z + b)"

    def __init__(self, site: Site, options: MoaOptions, shared: nn.Module | None = None):
        super().__init__(site, options)
        self.router = nn.Linear(site.dim_out, options.experts)

    @classmethod
    def count(cls, site: Site, options: MoaOptions) -> int:
        """N (2 d r + r + d) + d N + N."""
        experts = Experts.count(options.experts, site.dim_out, options.rank)
        return experts + (site.dim_out + 1) * options.experts

    def mix(self, tokens: Tensor) -> Tensor:
        """Weigh what the adapters make of each token."""
        return self.experts.mixed(tokens, self.router(tokens).softmax(-1))
