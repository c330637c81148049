"""The adapter blocks of VLSM-Adapter: two ReLUs, with a skip inside."""

from dataclasses import dataclass

from torch import Tensor, nn

from fusion.contract.method import Adapter
from fusion.contract.options import check_choice
from fusion.contract.sites import Site
from fusion.methods.bottleneck import ACTIVATIONS


@dataclass(frozen=True)
class VlsmOptions:
    """Options of VLSM-Adapter's blocks.

    Attributes:
        rank: Width of the bottleneck: 64 in dense adapters, 512 in shallow ones, 256 at the
            condition.
        activation: After down and, again, after up: relu as published, gelu, gelu_tanh, silu or
            tanh.
    """

    rank: int = 64
    activation: str = "relu"

    def __post_init__(self):
        check_choice("activation", self.activation, ACTIVATIONS)


class Vlsm(Adapter):
    """Sends what a sub-layer returns through a narrow network, beside which it stays as it is.

    Dense: after attention and mlp, before the residual sum, in the layers below the last one that
    the decoder reads. Shallow: at the taps between frozen parts, so that these need not run again;
    where a closed skip is adapted, the block opens it: what goes in comes out, adapted.
    """

    Options = VlsmOptions
    where = ("attention", "mlp")
    acts_on = "sublayer"
    taps = True
    changed_at_start = "both matrices start as torch has it for linear layers"
    title = "VLSM-Adapter (2024, arXiv 2405.06196)"
    formula = "y = A(f(x)), A(z) = z + relu(U relu(D z)); at a skip y = A(x)"

    def __init__(self, site: Site, options: VlsmOptions, shared: nn.Module | None = None):
        super().__init__(site, options)
        self.options = options
        self.opens = site.skips
        self.down = nn.Linear(site.dim_out, options.rank)
        self.up = nn.Linear(options.rank, site.dim_out)

    @classmethod
    def count(cls, site: Site, options: VlsmOptions) -> int:
        """2 d r + r + d."""
        return 2 * site.dim_out * options.rank + options.rank + site.dim_out

    def after(self, inputs: Tensor, outputs: Tensor) -> Tensor:
        """Adapt what the module returns, or what it reads where it adds nothing itself."""
        act = ACTIVATIONS[self.options.activation]
        given = inputs + outputs if self.opens else outputs
        return given + act(self.up(act(self.down(given))))
