"""Conformer adapters: the convolution module of a Conformer, made narrow."""

from dataclasses import dataclass

from torch import Tensor, nn
from torch.nn import functional

from fusion.contract.method import Adapter
from fusion.contract.options import check_choice
from fusion.contract.sites import Site


@dataclass(frozen=True)
class ConformerOptions:
    """Options of conformer adapters.

    Attributes:
        rank: Width of the convolution.
        kernel: How many tokens it spans: 31 for speech, 8 for other sounds in the paper.
        mode: "sequential" reads what the sub-layer returns, "parallel" what it reads.
        scale: Factor of what is added; 0 adds nothing.
    """

    rank: int = 8
    kernel: int = 31
    mode: str = "parallel"
    scale: float = 1.0

    def __post_init__(self):
        check_choice("mode", self.mode, ("sequential", "parallel"))
        if self.kernel < 1:
            raise ValueError(f"Option 'kernel' is {self.kernel}; expected 1 or more tokens.")


class Conformer(Adapter):
    """Adds a normalised, gated network with a convolution over tokens to a sub-layer.

    The batch normalisation has no rows of its own in training: it takes mean and variance over all
    tokens of the rows that have the adapter, so that there a row's output depends on the others.
    With `rows`, each adapter sees its own rows alone. In evaluation it takes the running mean and
    variance, which are saved with the adapter, and rows are independent. It reads padding too.
    Decoders are passed over: a token must not see later ones. The published counts add the
    normalisation of the sub-layer, "norm_tuning" under the same name. In the authors' code for AST
    the inner LayerNorm is computed but not used; here it is.
    """

    Options = ConformerOptions
    where = ("mlp",)
    acts_on = "sublayer"
    title = "PETL-AST, conformer adapter (2023, arXiv 2312.03694)"
    formula = "y = f(x) + s U silu(BN(conv(GLU(D LN(z))))), z = x (parallel) or f(x)"

    def __init__(self, site: Site, options: ConformerOptions, shared: nn.Module | None = None):
        super().__init__(site, options)
        self.options = options
        dim, rank = site.dim_read(options.mode), options.rank
        self.norm = nn.LayerNorm(dim)
        self.down = nn.Linear(dim, 2 * rank)
        # Its bias is in the published count; in training batch normalisation takes it off again.
        self.conv = nn.Conv1d(rank, rank, options.kernel, groups=rank)
        self.batch_norm = nn.BatchNorm1d(rank)
        self.up = nn.Linear(rank, site.dim_out)
        nn.init.zeros_(self.up.weight)
        nn.init.zeros_(self.up.bias)

    @classmethod
    def reads(cls, options: ConformerOptions) -> str:
        """Parallel adapters read what the sub-layer does."""
        return "sublayer" if options.mode == "parallel" else ""

    @classmethod
    def accepts(cls, site: Site, options: ConformerOptions) -> bool:
        """Pass over decoders."""
        return not site.decodes

    @classmethod
    def count(cls, site: Site, options: ConformerOptions) -> int:
        """2 d + (2 d r + 2 r) + (r k + r) + 2 r + (r d + d)."""
        dim, rank = site.dim_read(options.mode), options.rank
        inside = 2 * rank + rank * options.kernel + rank + 2 * rank
        return 2 * dim + 2 * dim * rank + inside + (rank + 1) * site.dim_out

    def after(self, inputs: Tensor, outputs: Tensor) -> Tensor:
        """Add the adapter's output."""
        read = outputs if self.options.mode == "sequential" else inputs
        gated = functional.glu(self.down(self.norm(read)), -1).mT  # [batch, rank, tokens]
        before = (self.options.kernel - 1) // 2
        # An even kernel spans one token more after than before.
        padded = functional.pad(gated, (before, self.options.kernel - 1 - before))
        mixed = functional.silu(self.batch_norm(self.conv(padded)))
        return outputs + self.options.scale * self.up(mixed.mT)
