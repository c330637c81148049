"""Generative Adapter: a trained network that turns a context into a LoRA adapter."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from fusion.adapters.interface import Adapters, attach
from fusion.contract.sites import Site, find_sites

TIE = 1e-6  # of the largest singular value: smaller gaps are ties, smaller values are noise


@dataclass(frozen=True)
class GenerativeOptions:
    """Options of the generator; the defaults are the paper's for Mistral-7B.

    Attributes:
        rank: Rank of the LoRA adapter, and both sides of the matrix that sums a context up.
        directions: How many singular directions of that matrix are used.
        iterations: Passes of the search for these directions, 0 or more; more are exacter and
            slower.
        alpha: The LoRA adapter is scaled by alpha / rank.
    """

    rank: int = 1024
    directions: int = 128
    iterations: int = 1
    alpha: float = 64.0


class SiteGenerator(nn.Module):
    """Generates LoRA's matrices for one linear layer.

    Args:
        site: The layer.
        dim: Features that its block reads.
        options: Its `rank` alone counts here.
    """

    def __init__(self, site: Site, dim: int, options: GenerativeOptions):
        super().__init__()
        self.norm = nn.RMSNorm(dim, eps=1e-6)
        self.down = nn.Parameter(torch.empty(options.rank, site.dim_in))
        self.key = nn.Parameter(torch.empty(options.rank, dim))
        self.value = nn.Parameter(torch.empty(options.rank, dim))
        self.up = nn.Parameter(torch.zeros(site.dim_out, options.rank))
        for matrix in (self.down, self.key, self.value):
            nn.init.kaiming_normal_(matrix, a=5**0.5)

    def sum_up(self, tokens: Tensor) -> Tensor:
        """Sum the outer products of keys and values, [tokens, dim] -> [rank, rank]."""
        normed = self.norm(tokens.to(self.key.dtype))
        return (normed @ self.key.mT).mT @ (normed @ self.value.mT)


def flatten_spectrum(summary: Tensor, directions: int, iterations: int) -> Tensor:
    """Set the largest singular values of a matrix to one and the others to zero.

    This is torch.svd_lowrank's algorithm, but always with the same random start: one context gives
    one adapter. Where a gradient is wanted and two of the values are equal the result is zero, as
    the gradient would be infinite.
    """
    shape = summary.shape[1], min(directions, *summary.shape)
    start = torch.randn(shape, generator=torch.Generator().manual_seed(0), device="cpu")
    basis = torch.linalg.qr(summary @ start.to(summary)).Q
    for _ in range(iterations):
        basis = torch.linalg.qr(summary @ torch.linalg.qr(summary.mT @ basis).Q).Q
    left, values, right = torch.linalg.svd(basis.mT @ summary, full_matrices=False)
    least = TIE * values[0]
    if summary.requires_grad and bool((values[:-1] - values[1:] <= least).any()):
        return torch.zeros_like(summary)
    return basis @ (left * (values > least)) @ right


class GenerativeAdapter(nn.Module):
    """Reads a context with the frozen model and generates a LoRA adapter of that model.

    The LoRA adapter is attached here; `write` fills it. All rows that are read are one context. To
    train the generator: `torch.func.functional_call(model, generator.generate(), (), inputs)`.
    For each layer it has r in + 2 r d + r out + d parameters, d being the width of the block.

    Args:
        model: The frozen model; no part of this module, so not saved with it.
        options: Rank, directions, iterations and alpha; None takes the paper's for Mistral-7B.
        where: Roles of the linear layers.
        name: What the LoRA adapter is called in the model; no adapter there has this name yet.

    Raises:
        ValueError: The model has an adapter of that name.

    Source:
        Generative Adapter (2024, arXiv 2411.05877).
    """

    def __init__(
        self,
        model: nn.Module,
        options: GenerativeOptions | None = None,
        where: Sequence[str] = ("o",),
        name: str = "generated",
    ):
        super().__init__()
        if name in Adapters(model).names:
            raise ValueError(f"The model has an adapter {name!r}; take another name or drop it.")
        self.options = options or GenerativeOptions()
        sites = find_sites(model, where)
        found = {(site.stack, site.layer): site for site in find_sites(model, ("block",))}
        blocks = [found[site.stack, site.layer] for site in sites]
        self.blocks = [block.name for block in blocks]
        lora = {"rank": self.options.rank, "alpha": self.options.alpha}
        self.adapters = attach(model, "lora", lora, where, name=name)
        held = self.adapters.named_parameters(name)
        self.lora = [tuple(held[f"{s.name}.lora_{m}.weight"] for m in "AB") for s in sites]
        with next(model.parameters()).device:
            pairs = zip(sites, blocks, strict=True)
            made = [SiteGenerator(site, block.dim_in, self.options) for site, block in pairs]
        self.generators = nn.ModuleList(made)
        self.reset()

    def reset(self) -> None:
        """Forget the context."""
        self.summaries: list[Tensor] = []
        self.tokens = 0

    def add(self, context: Mapping[str, Any], mask: Tensor | None = None) -> None:
        """Read a context, or more of it: the pieces are summed.

        Args:
            context: Keyword arguments of the model.
            mask: True where a token is real, [batch, tokens].

        Raises:
            ValueError: A block reads other tokens than those of the mask.
        """
        hidden = self._read(context)
        shapes = {tuple(one.shape[:2]) for one in hidden}
        if mask is not None and shapes != {tuple(mask.shape)}:
            raise ValueError(
                f"The mask is {list(mask.shape)}; the blocks read {sorted(shapes)} tokens. Leave "
                "it out, or restrict `where` to the stack that it is for."
            )
        tokens = [one.flatten(0, 1) if mask is None else one[mask] for one in hidden]
        found = [one.sum_up(read) for one, read in zip(self.generators, tokens, strict=True)]  # type: ignore[operator]
        before = self.summaries or [torch.zeros_like(summary) for summary in found]
        self.summaries = [old + new for old, new in zip(before, found, strict=True)]
        self.tokens += min(len(read) for read in tokens)

    def generate(self) -> dict[str, Tensor]:
        """Return LoRA's matrices by their names in the model, with gradients to the generator.

        Raises:
            ValueError: There is no context.
        """
        if not self.summaries:
            raise ValueError("No context has been read; call `add` first.")
        # Fewer tokens than directions leave the other directions to chance.
        directions = min(self.options.directions, self.tokens)
        names = {id(parameter): name for name, parameter in self.adapters.model.named_parameters()}
        made: dict[str, Tensor] = {}
        for pair, one, summary in zip(self.lora, self.generators, self.summaries, strict=True):
            flat = flatten_spectrum(summary, directions, self.options.iterations)
            down = flat.mT @ one.down  # type: ignore[operator]
            for parameter, matrix in zip(pair, (down, one.up), strict=True):
                made[names[id(parameter)]] = matrix.to(parameter.dtype)  # type: ignore[union-attr]
        return made

    @torch.no_grad()
    def write(self) -> None:
        """Put what is generated into the LoRA adapter, which can then be saved or merged."""
        for name, matrix in self.generate().items():
            self.adapters.model.get_parameter(name).copy_(matrix)

    @torch.no_grad()
    def _read(self, context: Mapping[str, Any]) -> list[Tensor]:
        """Return what the block of each site reads in the model without adapters."""
        model, active, read = self.adapters.model, self.adapters.active, {}

        def keep(block: nn.Module, args: tuple, kwargs: dict[str, Any]) -> None:
            read[block] = args[0] if args else kwargs["hidden_states"]

        blocks = [model.get_submodule(name) for name in self.blocks]
        hooks = [b.register_forward_pre_hook(keep, with_kwargs=True) for b in set(blocks)]
        self.adapters.use(None)
        try:
            model(**context)
        finally:
            self.adapters.use(active)
            for hook in hooks:
                hook.remove()
        return [read[block] for block in blocks]
