"""Convpass: a bottleneck with a convolution inside, over tokens or over the grid of patches."""

from dataclasses import dataclass
from math import prod

import torch
from torch import Tensor, nn
from torch.nn import functional

from fusion.contract.method import Adapter
from fusion.contract.options import check_choice
from fusion.contract.sites import Site

TAPS = 3  # of the convolution, along each axis


@dataclass(frozen=True)
class ConvpassOptions:
    """Options of Convpass.

    Attributes:
        rank: Width of the bottleneck.
        mode: "sequential" reads what the sub-layer returns, "parallel" what it reads.
        grid: Height and width of the patches, for the paper's 3x3 convolution; empty for one over
            all tokens in their order, as PETL-AST has it.
        special_tokens: How many tokens come before the patches; with a grid alone.
        scale: Factor of what is added; 0 adds nothing.
        dropout: Before up, in training.
    """

    rank: int = 8
    mode: str = "parallel"
    grid: tuple[int, ...] = ()
    special_tokens: int = 0
    scale: float = 1.0
    dropout: float = 0.1

    def __post_init__(self):
        check_choice("mode", self.mode, ("sequential", "parallel"))
        if self.grid and (len(self.grid) != 2 or min(self.grid) < 1):
            raise ValueError(
                f"Option 'grid' is {self.grid}; expected a height and a width of 1 or more, or "
                "nothing for a convolution over tokens."
            )
        if self.special_tokens < 0 or (self.special_tokens and not self.grid):
            raise ValueError(
                f"Option 'special_tokens' is {self.special_tokens} and 'grid' is {self.grid}; "
                "expected 0 or more with a grid. Without one, all tokens are convolved."
            )


class Convpass(Adapter):
    """Adds a narrow network to a sub-layer; its tokens see their neighbours.

    With a grid each special token is a picture of its own: it sees no neighbour, and no patch sees
    it. Rows of patches follow each other; AST's are its frequencies, so at 1,024 frames it has
    `grid=(12, 101), special_tokens=2`. The convolution starts as the identity. It reads padding
    too. Decoders are passed over: a token must not see the next one, and a cache shows no
    neighbour at all. PETL-AST convolves over all tokens, `where=("mlp",)`.
    """

    Options = ConvpassOptions
    where = ("attention", "mlp")
    acts_on = "sublayer"
    title = "Convpass (2022, arXiv 2207.07039); PETL-AST (2023, 2312.03694)"
    formula = "y = f(x) + s U act(conv(act(D z))), z = x (parallel) or f(x), act = QuickGELU"

    def __init__(self, site: Site, options: ConvpassOptions, shared: nn.Module | None = None):
        super().__init__(site, options)
        self.options = options
        rank, conv = options.rank, nn.Conv2d if options.grid else nn.Conv1d
        self.down = nn.Linear(site.dim_read(options.mode), rank)
        self.conv = conv(rank, rank, TAPS, padding=TAPS // 2)
        self.up = nn.Linear(rank, site.dim_out)
        nn.init.xavier_uniform_(self.down.weight)
        nn.init.dirac_(self.conv.weight)
        nn.init.zeros_(self.up.weight)
        for layer in (self.down, self.conv, self.up):
            assert layer.bias is not None
            nn.init.zeros_(layer.bias)

    @classmethod
    def reads(cls, options: ConvpassOptions) -> str:
        """Parallel adapters read what the sub-layer does."""
        return "sublayer" if options.mode == "parallel" else ""

    @classmethod
    def accepts(cls, site: Site, options: ConvpassOptions) -> bool:
        """Pass over decoders."""
        return not site.decodes

    @classmethod
    def count(cls, site: Site, options: ConvpassOptions) -> int:
        """2 d r + 3 r^2 + 2 r + d, and with a grid 9 r^2."""
        rank, taps = options.rank, TAPS ** (2 if options.grid else 1)
        dims = site.dim_read(options.mode) + site.dim_out
        return dims * rank + taps * rank**2 + 2 * rank + site.dim_out

    def after(self, inputs: Tensor, outputs: Tensor) -> Tensor:
        """Add the adapter's output."""
        options = self.options
        narrow = quick_gelu(self.down(outputs if options.mode == "sequential" else inputs))
        narrow = quick_gelu(self._convolve(narrow))
        narrow = functional.dropout(narrow, options.dropout, self.training)
        return outputs + options.scale * self.up(narrow)

    def _convolve(self, tokens: Tensor) -> Tensor:
        """Mix neighbours, [batch, tokens, rank]."""
        channels = tokens.mT  # [batch, rank, tokens]
        special, grid = self.options.special_tokens, self.options.grid
        if not grid:
            return self.conv(channels).mT
        if tokens.shape[1] != special + prod(grid):
            raise ValueError(
                f"{tokens.shape[1]} tokens came; expected {special} special tokens and a grid of "
                f"{grid[0]} x {grid[1]}. Set the options 'grid' and 'special_tokens' to fit the "
                "input."
            )
        patches = self.conv(channels[..., special:].unflatten(-1, grid)).flatten(2)
        if not special:
            return patches.mT
        # A kernel over one pixel alone: what is around it is zero.
        alone = functional.conv1d(
            channels[..., :special], self.conv.weight[:, :, 1, 1, None], self.conv.bias
        )
        return torch.cat([alone, patches], -1).mT


def quick_gelu(features: Tensor) -> Tensor:
    """Approximate GELU as CLIP does."""
    return features * torch.sigmoid(1.702 * features)
