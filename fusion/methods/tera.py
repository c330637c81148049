"""TeRA: a change of full rank that frozen random tensors make of a few trained vectors."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod

import torch
from torch import Generator, Tensor, nn

from fusion.contract.method import Adapter, Delta
from fusion.contract.sites import Site


@dataclass(frozen=True)
class TeraOptions:
    """Options of TeRA.

    Attributes:
        modes: Into how many factors the features of each side are split, 1 or more: 768 into 24 and
            32 for 2. More make fewer numbers to train.
        mode_rank: Rank of a mode, at most as many as the mode has features; 0 for just as many,
            without which the change cannot have full rank.
        scale: Factor of the change; 0 adds nothing.
        seed: Fixes what is random.
    """

    modes: int = 2
    mode_rank: int = 0
    scale: float = 1.0
    seed: int = 0

    def __post_init__(self):
        if self.modes < 1 or self.mode_rank < 0:
            raise ValueError(
                f"Options 'modes' and 'mode_rank' of 'tera' are {self.modes} and {self.mode_rank}; "
                "expected 1 or more modes, and 0 or more ranks."
            )

    def ranks(self, features: int) -> tuple[int, ...]:
        """Return the ranks of one side's modes."""
        sizes = split_evenly(features, self.modes)
        return tuple(min(size, self.mode_rank or size) for size in sizes)


class Network(nn.Module):
    """What all layers of one shape share: a core and a factor for each mode, random and frozen.

    They come from the seed and the shape, and are not saved.

    Args:
        dim_in: Features that the layers read.
        dim_out: Features that they return.
        options: Modes, ranks and seed.

    Attributes:
        core: G as a matrix, [product of the ranks in, product of the ranks out].
        factors: U of each mode, first those in, [features of the mode, its rank].
    """

    core: Tensor

    def __init__(self, dim_in: int, dim_out: int, options: TeraOptions):
        super().__init__()
        generator = Generator().manual_seed(options.seed + 1_000_003 * dim_in + dim_out)
        sides = [
            (split_evenly(dim, options.modes), options.ranks(dim)) for dim in (dim_in, dim_out)
        ]
        self.inputs = len(sides[0][0])
        shape = [prod(ranks) for _, ranks in sides]
        core = torch.randn(*shape, generator=generator, device="cpu") / shape[0] ** 0.5
        self.register_buffer("core", core, persistent=False)
        pairs = [pair for side in sides for pair in zip(*side, strict=True)]
        for number, (size, rank) in enumerate(pairs):
            start = torch.randn(size, rank, generator=generator, device="cpu")
            self.register_buffer(f"factor{number}", torch.linalg.qr(start).Q, persistent=False)

    @property
    def factors(self) -> list[Tensor]:
        """U of each mode."""
        return [buffer for name, buffer in self.named_buffers() if name != "core"]

    def forward(self, features: Tensor, vectors: Sequence[Tensor]) -> Tensor:
        """Apply the change that vectors make, [..., dim_in] -> [..., dim_out].

        Args:
            features: [..., dim_in].
            vectors: The diagonal of each mode, [rank].
        """
        modes = list(zip(self.factors, vectors, strict=True))
        first, second = modes[: self.inputs], modes[self.inputs :]
        values = features.reshape(-1, *(len(factor) for factor, _ in first))
        for axis, (factor, vector) in enumerate(first, 1):
            values = (values.movedim(axis, -1) @ factor * vector).movedim(-1, axis)
        values = values.flatten(1) @ self.core
        values = values.view(-1, *(len(vector) for _, vector in second))
        for axis, (factor, vector) in enumerate(second, 1):
            values = ((values.movedim(axis, -1) * vector) @ factor.T).movedim(-1, axis)
        return values.reshape(*features.shape[:-1], -1)


class Networks(nn.Module):
    """Those of all shapes that occur."""

    def __init__(self, sites: Sequence[Site], options: TeraOptions):
        super().__init__()
        shapes = {(site.dim_in, site.dim_out) for site in sites}
        built = {_key(*shape): Network(*shape, options) for shape in sorted(shapes)}
        self.networks = nn.ModuleDict(built)


class Tera(Adapter):
    """A tensor network of which each layer trains a vector per mode, and all share the rest.

    From the paper's abstract: the change of the weight, as a tensor, is a Tucker-like network; its
    core and its factor matrices are random, frozen and shared by all layers; what is trained are
    diagonals, a vector for each mode and layer, so that rank and parameters do not depend on each
    other. Choices of ours, as the paper itself was not read: each side's features are split into
    factors as equal as can be; layers share where their shapes agree; factors are orthonormal and
    the core is normal with variance 1 / (product of the ranks in), so that the change keeps the
    size of what it reads while vectors are 1; the vector of the first mode out starts at 0, the
    others at 1. Until it moves, only that vector has a gradient.
    """

    Options = TeraOptions
    where = ("q", "v")
    merges = True
    float_only = "all that it trains is vectors"
    title = "TeRA (2026, arXiv 2509.03234)"
    formula = "y = W x + s mat(G x_1 U_1 diag(d_1) ... x_N U_N diag(d_N)) x"

    def __init__(self, site: Site, options: TeraOptions, shared: nn.Module | None = None):
        super().__init__(site, options)
        self.scale = options.scale
        first, second = options.ranks(site.dim_in), options.ranks(site.dim_out)
        ones = [torch.ones(rank) for rank in (*first, *second)]
        ones[len(first)].zero_()
        self.vectors = nn.ParameterList(ones)
        assert isinstance(shared, Networks)
        # In a tuple, so that what all sites share is registered at the first alone.
        self.borrowed = (shared,)
        self.shape = _key(site.dim_in, site.dim_out)

    @classmethod
    def accepts(cls, site: Site, options: TeraOptions) -> bool:
        """Take linear layers."""
        return isinstance(site.module, nn.Linear)

    @classmethod
    def share(cls, sites: Sequence[Site], options: TeraOptions) -> Networks:
        """Build what is random, once for each shape."""
        return Networks(sites, options)

    @classmethod
    def count(cls, site: Site, options: TeraOptions) -> int:
        """The sum of the ranks of all modes."""
        return sum(options.ranks(site.dim_in)) + sum(options.ranks(site.dim_out))

    def after(self, inputs: Tensor, outputs: Tensor) -> Tensor:
        """Add what the change makes of the inputs."""
        return outputs + self._change(inputs)

    def delta(self, module: nn.Module) -> Delta:
        """Return the change as a matrix: what it makes of each unit vector."""
        assert isinstance(module, nn.Linear)
        unit = torch.eye(module.in_features, device=self.vectors[0].device)
        return Delta(self._change(unit.to(self.vectors[0].dtype)).T)

    def _change(self, inputs: Tensor) -> Tensor:
        network = self.borrowed[0].networks[self.shape]
        return self.scale * network(inputs, list(self.vectors))


def split_evenly(features: int, modes: int) -> tuple[int, ...]:
    """Split a number into so many factors, as equal as can be, the smaller ones first."""
    factors = []
    for left in range(modes, 1, -1):
        # A hair more than the root, which floats put below whole numbers.
        most = int(features ** (1 / left) + 1e-9)
        factors.append(max(size for size in range(1, most + 1) if features % size == 0))
        features //= factors[-1]
    return (*factors, features)


def _key(dim_in: int, dim_out: int) -> str:
    return f"{dim_in}x{dim_out}"
