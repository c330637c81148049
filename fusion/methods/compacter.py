"""Compacter: bottlenecks whose matrices are sums of Kronecker products."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from fusion.contract.method import Adapter
from fusion.contract.options import check_choice
from fusion.contract.sites import Site
from fusion.methods.bottleneck import ACTIVATIONS


@dataclass(frozen=True)
class CompacterOptions:
    """Options of Compacter.

    Attributes:
        rank: Width of the bottleneck.
        terms: n, how many Kronecker products are summed; it divides the rank and the features.
        shared: Whether all sites have the small matrices A in common.
        factor_rank: Inner width of the two factors that each large matrix B is a product of; 0
            keeps B whole.
        activation: relu, gelu, gelu_tanh, tanh or silu.
        std: Standard deviation of A at the start. Since up starts at zero, it need not be near 0,
            as in AdapterHub.
    """

    rank: int = 24
    terms: int = 4
    shared: bool = True
    factor_rank: int = 1
    activation: str = "gelu"
    std: float = 0.5

    def __post_init__(self):
        check_choice("activation", self.activation, ACTIVATIONS)
        if self.terms < 1 or self.rank < 1 or self.rank % self.terms:
            raise ValueError(
                f"Options 'rank' and 'terms' are {self.rank} and {self.terms}; expected a rank of "
                "1 or more that is a multiple of the terms."
            )
        if self.factor_rank < 0:
            raise ValueError(
                f"Option 'factor_rank' is {self.factor_rank}; expected 1 or more, or 0 for "
                "matrices that are not factorised."
            )


class KroneckerLinear(nn.Module):
    """A linear layer, y = x W + b, with W = sum_i A_i kron B_i.

    Args:
        dim_in: Features that it reads.
        dim_out: Features that it returns.
        options: Its `terms`, `factor_rank`, `shared` and `std` say how W is made; `rank` does not
            count here.
        zero: Whether W starts at zero.

    Attributes:
        rule: The matrices A, [terms, terms, terms], or None where they are shared.
        weight: The matrices B, [terms, dim_in / terms, dim_out / terms], or None.
        left: The first factors of B, [terms, dim_in / terms, factor_rank], or None.
        right: The second, [terms, factor_rank, dim_out / terms], or None.
    """

    def __init__(self, dim_in: int, dim_out: int, options: CompacterOptions, zero: bool):
        super().__init__()
        n, inner = options.terms, options.factor_rank
        narrow_in, narrow_out = dim_in // n, dim_out // n
        self.rule = None if options.shared else new_rule(options)
        self.weight = self.left = self.right = None
        if inner:
            self.left = nn.Parameter(torch.empty(n, narrow_in, inner))
            self.right = nn.Parameter(torch.empty(n, inner, narrow_out))
            self._start(self.left)
            self._start(self.right, zero)
        else:
            self.weight = nn.Parameter(torch.empty(n, narrow_in, narrow_out))
            self._start(self.weight, zero)
        self.bias = nn.Parameter(torch.zeros(dim_out))

    @staticmethod
    def _start(matrices: nn.Parameter, zero: bool = False) -> None:
        for matrix in matrices:
            if zero:
                nn.init.zeros_(matrix)
            else:
                nn.init.xavier_uniform_(matrix)

    def matrix(self, rule: Tensor) -> Tensor:
        """Return W, [dim_in, dim_out]."""
        weight = self.weight
        if weight is None:
            assert self.left is not None and self.right is not None
            weight = self.left @ self.right
        return torch.einsum("nab,ncd->acbd", rule, weight).flatten(2).flatten(0, 1)

    def forward(self, features: Tensor, shared: Tensor | None) -> Tensor:
        """Run the layer with the shared matrices A, or its own where there are none."""
        rule = self.rule if shared is None else shared
        assert rule is not None
        return features @ self.matrix(rule) + self.bias


class Rule(nn.Module):
    """The matrices A that all sites have in common."""

    def __init__(self, options: CompacterOptions):
        super().__init__()
        self.rule = new_rule(options)


class Compacter(Adapter):
    """Adds a narrow network to what a sub-layer returns, made of few parameters.

    The defaults are the paper's with rank d / 32 at 768 features; it has no adapter after
    cross-attention, `where=("self.attention", "mlp")`, and trains the normalisations. Compacter++:
    `where=("mlp",)`. VL-Adapter: rank 96, terms 2, neither shared nor factorised, gelu_tanh.
    AdapterHub's phm_rule, W, W_left, W_right and b are rule, weight, left, right and bias here, of
    the same shapes.
    """

    Options = CompacterOptions
    where = ("attention", "mlp")
    acts_on = "sublayer"
    title = "Compacter (2021, arXiv 2106.04647); VL-Adapter (2112.06825)"
    formula = "y = f(x) + act(f(x) W_d + b_d) W_u + b_u, W = sum_i A_i kron B_i"

    def __init__(self, site: Site, options: CompacterOptions, shared: nn.Module | None = None):
        super().__init__(site, options)
        self.activation = ACTIVATIONS[options.activation]
        self.down = KroneckerLinear(site.dim_out, options.rank, options, zero=False)
        self.up = KroneckerLinear(options.rank, site.dim_out, options, zero=True)
        # In a tuple, so that what all sites share is registered at the first alone.
        self.borrowed = (shared,)

    @classmethod
    def share(cls, sites: Sequence[Site], options: CompacterOptions) -> Rule | None:
        """Build the shared matrices A, and check the sites.

        Raises:
            ValueError: The features of one are not a multiple of the terms.
        """
        for site in sites:
            if site.dim_out % options.terms:
                raise ValueError(
                    f"{site.name} has {site.dim_out} features; expected a multiple of the option "
                    f"'terms', which is {options.terms}. Choose terms that divide them."
                )
        return Rule(options) if options.shared else None

    @classmethod
    def count(cls, site: Site, options: CompacterOptions) -> int:
        """2 k (d + r), or 2 d r / n where k is 0; 2 n^3 where A is not shared; biases d + r."""
        n, dims = options.terms, (site.dim_out, options.rank)
        rule = 0 if options.shared else n**3
        weight = options.factor_rank * sum(dims) if options.factor_rank else dims[0] * dims[1] // n
        return 2 * (rule + weight) + sum(dims)

    @classmethod
    def count_shared(cls, sites: Sequence[Site], options: CompacterOptions) -> int:
        """n^3 where A is shared."""
        return options.terms**3 if options.shared else 0

    def after(self, inputs: Tensor, outputs: Tensor) -> Tensor:
        """Add the adapter's output."""
        shared = self.borrowed[0]
        rule = shared.rule if isinstance(shared, Rule) else None
        return outputs + self.up(self.activation(self.down(outputs, rule)), rule)


def new_rule(options: CompacterOptions) -> nn.Parameter:
    """Return fresh matrices A, [terms, terms, terms]."""
    return nn.Parameter(options.std * torch.randn(options.terms, options.terms, options.terms))
