"""PaCA: some columns of a linear layer's weight are trained, chosen at random."""

from dataclasses import dataclass
from zlib import crc32

import torch
from torch import Tensor, nn
from torch.nn import functional

from fusion.contract.method import Adapter, Delta
from fusion.contract.sites import Site


@dataclass(frozen=True)
class PacaOptions:
    """Options of PaCA.

    Attributes:
        rank: How many columns, out of as many as the layer has inputs.
        alpha: The change is scaled by alpha / rank.
        seed: Fixes which columns are chosen; layers differ all the same, as their names count too.
    """

    rank: int = 8
    alpha: float = 16.0
    seed: int = 0


class Paca(Adapter):
    """A change of some columns; of what the layer reads, training keeps only these inputs.

    The paper trains P, at first the columns divided by scale = alpha / rank, and uses scale P.
    Ours is C = P - P at the start, so C begins at 0 with the same gradients: scale is a learning
    rate here as there (times scale with Adam, times its square with SGD). Weight decay differs: it
    draws the columns to the frozen ones instead of to 0.
    """

    Options = PacaOptions
    where = ("q", "k", "v", "o", "fc1", "fc2")
    merges = True
    title = "PaCA (2025, arXiv 2503.01905)"
    formula = "y = W x + (alpha / r) C x[S], C: [out, r]"
    index: Tensor

    def __init__(self, site: Site, options: PacaOptions, shared: nn.Module | None = None):
        super().__init__(site, options)
        self.scale = options.alpha / options.rank
        generator = torch.Generator().manual_seed(options.seed + crc32(site.name.encode()))
        order = torch.randperm(site.dim_in, generator=generator, device="cpu")
        self.register_buffer("index", order[: options.rank].sort().values)
        self.columns = nn.Parameter(torch.zeros(site.dim_out, options.rank))

    @classmethod
    def accepts(cls, site: Site, options: PacaOptions) -> bool:
        """Take linear layers.

        Raises:
            ValueError: One has fewer columns than are to be trained.
        """
        if not 0 < options.rank <= site.dim_in:
            raise ValueError(
                f"Option 'rank' of 'paca' is {options.rank}; {site.name} has {site.dim_in} "
                "columns. Take from one to so many."
            )
        return isinstance(site.module, nn.Linear)

    @classmethod
    def count(cls, site: Site, options: PacaOptions) -> int:
        """The columns: r out."""
        return options.rank * site.dim_out

    def after(self, inputs: Tensor, outputs: Tensor) -> Tensor:
        """Add what the columns' change makes of their inputs."""
        chosen = inputs.index_select(-1, self.index)  # [batch, tokens, rank]
        return outputs + self.scale * functional.linear(chosen, self.columns)

    def delta(self, module: nn.Module) -> Delta:
        """Return the columns' change, with the positions of its entries in the weight."""
        assert isinstance(module, nn.Linear)
        rows = torch.arange(module.out_features, device=self.index.device)
        positions = rows[:, None] * module.in_features + self.index  # [out, rank]
        return Delta(self.scale * self.columns.flatten(), index=positions.flatten())
