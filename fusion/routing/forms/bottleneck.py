"""Experts that are bottlenecks beside a sub-layer, as in SEMA and MOS."""

from dataclasses import dataclass

from torch import Tensor, nn

from fusion.contract.options import check_choice
from fusion.contract.sites import Site
from fusion.methods.bottleneck import ACTIVATIONS
from fusion.methods.moa import Experts
from fusion.routing.contract import ExpertForm, Routing


@dataclass(frozen=True)
class BottleneckExpertOptions:
    """Options of bottleneck experts.

    Attributes:
        rank: Width of each; 1 or more.
        activation: relu, gelu, gelu_tanh, tanh or silu.
        input: "sublayer" for what the sub-layer reads, "norm" for what the normalisation in front
            of it reads.
    """

    rank: int = 16
    activation: str = "relu"
    input: str = "sublayer"

    def __post_init__(self):
        check_choice("activation", self.activation, ACTIVATIONS)
        check_choice("input", self.input, ("sublayer", "norm"))


class BottleneckExperts(ExpertForm):
    """Down, a non-linearity, up, with biases, beside a sub-layer; up starts at zero.

    Attributes:
        experts: `down` [experts, dim, rank], `up` [experts, rank, dim], and their biases.
    """

    Options = BottleneckExpertOptions
    where = ("mlp",)
    axes = {f"experts.{name}": 0 for name in ("down", "down_bias", "up", "up_bias")}
    title = "AdaptFormer (2022, arXiv 2205.13535), as SEMA (2403.18886) and MOS (2412.09441) use it"
    formula = "sum_e w_e (U_e act(D_e x + b_e) + c_e)"

    def __init__(
        self,
        site: Site,
        experts: int,
        options: BottleneckExpertOptions,
        shared: nn.Module | None = None,
    ) -> None:
        super().__init__(site, experts, options)
        self.experts = Experts(experts, site.dim_out, options.rank, options.activation)

    @classmethod
    def accepts(cls, site: Site, options: BottleneckExpertOptions) -> bool:
        """Take sub-layers, which return as many features as they read."""
        return site.ends_sublayer

    @classmethod
    def reads(cls, options: BottleneckExpertOptions) -> str:
        """They lie beside the sub-layer."""
        return options.input

    @classmethod
    def dim_read(cls, site: Site) -> int:
        """What the sub-layer reads, which is as much as it returns."""
        return site.dim_out

    @classmethod
    def count(cls, site: Site, experts: int, options: BottleneckExpertOptions) -> int:
        """E (2 d r + r + d)."""
        return Experts.count(experts, site.dim_out, options.rank)

    def forward(self, inputs: Tensor, routing: Routing) -> Tensor:
        """Add up what the experts make of each token."""
        weights = routing.weights
        if not routing.per_token:
            weights = weights[:, None].expand(-1, inputs.shape[1], -1)
        return self.experts.mixed(inputs, weights)
