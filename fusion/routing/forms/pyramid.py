"""Experts that are Kronecker products of a shared matrix with small kernels of several sizes."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import ceil

import torch
from torch import Tensor, nn
from torch.nn import functional

from fusion.contract.options import check_choice
from fusion.contract.sites import Site
from fusion.routing.contract import ExpertForm, Routing


@dataclass(frozen=True)
class PyramidOptions:
    """Options of pyramids of experts.

    Attributes:
        rank: Rank of the shared matrix; 1 or more. The paper's is not known.
        scales: Side of the kernel of each expert, one number an expert; 1 or more.
        base: What shares a matrix: "site" for none, "model" for all sites of the bank. Which one
            the paper means is not known.
        factor: What the experts add is scaled by it; the paper has d_t / T of a task that sees one
            batch in T.
    """

    rank: int = 8
    scales: tuple[int, ...] = (2, 2, 4, 4, 6, 6, 8, 8)
    base: str = "site"
    factor: float = 1.0

    def __post_init__(self):
        check_choice("base", self.base, ("site", "model"))
        if min(self.scales, default=0) < 1:
            raise ValueError(f"Option 'scales' is {self.scales}; expected numbers of 1 or more.")


class PyramidBase(nn.Module):
    """The matrix Z = B A that experts take their upper left corner of.

    Args:
        dim_in: Columns of Z.
        dim_out: Rows of Z.
        rank: Rank of Z.
    """

    def __init__(self, dim_in: int, dim_out: int, rank: int):
        super().__init__()
        self.down = nn.Parameter(torch.randn(rank, dim_in) / dim_in**0.5)
        self.up = nn.Parameter(torch.randn(dim_out, rank) / rank**0.5)


class PyramidExperts(ExpertForm):
    """Expert e is Z_e (x) K_e: a corner of the shared matrix, each entry blown up by a kernel.

    The paper says so with a transposed convolution whose stride is its kernel's side; the two are
    the same. The product is never made: what is read is cut into pieces as long as the kernel's
    side. Where a side does not divide a width, the last piece is filled with zeros, and what is
    over of the result is cut off; that is ours. Kernels start at zero.

    Attributes:
        kernels: One of each expert, [scale, scale].
    """

    Options = PyramidOptions
    title = "Expert Pyramid Tuning (2026, arXiv 2603.12577)"
    formula = "c sum_e w_e ((B[:h_e] A[:, :v_e]) (x) K_e) x, h_e = d_out / s_e, v_e = d_in / s_e"

    def __init__(
        self, site: Site, experts: int, options: PyramidOptions, shared: nn.Module | None = None
    ) -> None:
        super().__init__(site, experts, options)
        self.dims = site.dim_in, site.dim_out
        self.factor = options.factor
        self.kernels = nn.ParameterList(torch.zeros(s, s) for s in options.scales)
        if shared is None:
            self.own = PyramidBase(*_sizes([site], options), options.rank)
        # In a tuple, so that what all sites share is registered at the bank alone.
        self.borrowed = (shared,)

    @classmethod
    def check(cls, experts: int, options: PyramidOptions) -> None:
        """One scale an expert."""
        if len(options.scales) != experts:
            raise ValueError(
                f"A pyramid has {len(options.scales)} scales, {options.scales}, and the bank "
                f"{experts} experts; expected one scale an expert."
            )

    @classmethod
    def share(
        cls, sites: Sequence[Site], experts: int, options: PyramidOptions
    ) -> nn.Module | None:
        """Build one matrix for the widest of the sites, or leave each its own."""
        if options.base == "site":
            return None
        return PyramidBase(*_sizes(sites, options), options.rank)

    @classmethod
    def count(cls, site: Site, experts: int, options: PyramidOptions) -> int:
        """sum_e s_e^2, and with a matrix of its own R (d_in + d_out) / min s_e."""
        own = cls._count_base([site], options) if options.base == "site" else 0
        return own + sum(scale**2 for scale in options.scales)

    @classmethod
    def count_shared(cls, sites: Sequence[Site], experts: int, options: PyramidOptions) -> int:
        """R (d_in + d_out) / min s_e, of the widest."""
        return cls._count_base(sites, options) if options.base == "model" else 0

    @classmethod
    def count_held(cls, site: Site, held: int, options: PyramidOptions) -> int:
        """Kernels of the first, and with any of them the matrix that all have in common."""
        own = cls._count_base([site], options) if options.base == "site" and held else 0
        return own + sum(scale**2 for scale in options.scales[:held])

    @classmethod
    def grown(cls, options: PyramidOptions, like: int) -> PyramidOptions:
        """Give the new kernel the size of another."""
        return replace(options, scales=(*options.scales, options.scales[like]))

    def expert(self, number: int) -> dict[str, Tensor]:
        """Return the kernel of one expert."""
        return {"kernel": self.kernels[number]}

    def hold(self, count: int) -> None:
        """Freeze the first kernels, and with any of them the matrix that all have in common."""
        for kernel in self.kernels[:count]:
            kernel.requires_grad_(False)
        if count and self.borrowed[0] is None:
            self.own.requires_grad_(False)

    def trained(self) -> dict[str, nn.Parameter]:
        """Return the kernel that is trained; of several the last."""
        last = self.kernels[-1]
        return {"kernel": last} if last.requires_grad else {}

    @classmethod
    def _count_base(cls, sites: Sequence[Site], options: PyramidOptions) -> int:
        return options.rank * sum(_sizes(sites, options))

    def base(self) -> PyramidBase:
        """Return the shared matrix, that of the bank or the site's own."""
        base = self.borrowed[0] if self.borrowed[0] is not None else self.own
        assert isinstance(base, PyramidBase)
        return base

    def forward(self, inputs: Tensor, routing: Routing) -> Tensor:
        """Add up what the experts make of each token."""
        weights = routing.weights if routing.per_token else routing.weights[:, None]
        added = [
            self.run(inputs, expert) * weights[..., expert, None]
            for expert in range(len(self.kernels))
        ]
        return self.factor * torch.stack(added).sum(0)

    def run(self, inputs: Tensor, expert: int) -> Tensor:
        """Apply one expert.

        Args:
            inputs: [batch, tokens, dim_in].
            expert: Its number.

        Returns:
            (Z_e (x) K_e) x, [batch, tokens, dim_out].
        """
        kernel, base = self.kernels[expert], self.base()
        dim_in, dim_out = self.dims
        side = len(kernel)
        columns, rows = ceil(dim_in / side), ceil(dim_out / side)
        pieces = functional.pad(inputs, (0, columns * side - dim_in)).unflatten(-1, (columns, side))
        narrow = base.down[:, :columns] @ (pieces @ kernel.mT)  # [batch, tokens, rank, side]
        return (base.up[:rows] @ narrow).flatten(-2)[..., :dim_out]

    def matrix(self, expert: int) -> Tensor:
        """Return what an expert adds to the weight, [dim_out, dim_in]."""
        kernel, base = self.kernels[expert], self.base()
        dim_in, dim_out = self.dims
        columns, rows = ceil(dim_in / len(kernel)), ceil(dim_out / len(kernel))
        corner = base.up[:rows] @ base.down[:, :columns]
        return torch.kron(corner, kernel)[:dim_out, :dim_in]


def _sizes(sites: Sequence[Site], options: PyramidOptions) -> tuple[int, int]:
    """Return the columns and rows that the smallest kernel needs at the widest sites."""
    side = min(options.scales)
    widest_in, widest_out = max(s.dim_in for s in sites), max(s.dim_out for s in sites)
    return ceil(widest_in / side), ceil(widest_out / side)
