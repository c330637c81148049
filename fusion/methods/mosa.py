"""MoSA: a bottleneck adapter whose entries are split among experts in training."""

from dataclasses import dataclass
from math import sqrt
from zlib import crc32

import torch
from torch import Tensor, nn
from torch.nn import functional

from fusion.contract.method import Adapter
from fusion.contract.options import check_choice
from fusion.contract.sites import Site
from fusion.methods.bottleneck import ACTIVATIONS


@dataclass(frozen=True)
class MosaOptions:
    """Options of MoSA; the paper has rank 64 or 16, input "norm", norm and dropout 0.1.

    Attributes:
        rank: Width of the bottleneck.
        experts: How many there are.
        split: What is split among them: "up", the paper's hierarchical form, or "both".
        input: "sublayer" for what the sub-layer reads, or "norm" for what the normalisation in
            front reads.
        activation: relu, gelu, gelu_tanh, tanh or silu.
        scale: Factor of what is added; 0 adds nothing.
        bias: Whether down and up have biases, which all experts have in common.
        norm: Whether the adapter has a LayerNorm of its own in front.
        dropout: After the non-linearity, in training.
        seed: Fixes which entry belongs to which expert, and with split "both" where down starts;
            sites differ all the same, as their names count too.
    """

    rank: int = 16
    experts: int = 4
    split: str = "up"
    input: str = "sublayer"
    activation: str = "gelu"
    scale: float = 0.1
    bias: bool = True
    norm: bool = False
    dropout: float = 0.0
    seed: int = 0

    def __post_init__(self):
        check_choice("split", self.split, ("up", "both"))
        check_choice("input", self.input, ("sublayer", "norm"))
        check_choice("activation", self.activation, ACTIVATIONS)
        if self.experts < 1 or self.rank < 1:
            raise ValueError(
                f"Options 'experts' and 'rank' are {self.experts} and {self.rank}; expected 1 or "
                "more of both."
            )


class Mosa(Adapter):
    """A network beside a sub-layer; each forward in training runs a random part of its entries.

    Every entry belongs to one of the experts, by random masks of equal size. In training one
    expert is drawn per adapter and forward, from torch's own generator (`torch.manual_seed`); off
    its mask it has the start's values. In evaluation all masks are on at once: that is the paper's
    merge of the experts, and a plain adapter. Since an expert never moves what is off its mask,
    one matrix holds all of them. The masks come from `seed` and the site's name, and are not
    saved. Momentum and weight decay of an optimiser also move experts that were not drawn. The
    paper runs each batch twice and adds `consistency_loss`.
    """

    Options = MosaOptions
    where = ("mlp",)
    acts_on = "sublayer"
    title = "MoSA, Split & Merge (2023, arXiv 2312.02923)"
    formula = "y = f(x) + s U_e act(D z), U_e = M_e * U, sum_e M_e = 1, e random (training) or all"
    up_experts: Tensor
    down_experts: Tensor
    down_start: Tensor

    def __init__(self, site: Site, options: MosaOptions, shared: nn.Module | None = None):
        super().__init__(site, options)
        self.options = options
        dim_in = site.dim_read("parallel")
        self.norm = nn.LayerNorm(dim_in) if options.norm else nn.Identity()
        self.down = nn.Linear(dim_in, options.rank, bias=options.bias)
        self.up = nn.Linear(options.rank, site.dim_out, bias=options.bias)
        nn.init.zeros_(self.up.weight)
        if options.bias:
            nn.init.zeros_(self.down.bias)
            nn.init.zeros_(self.up.bias)
        generator = torch.Generator().manual_seed(options.seed + crc32(site.name.encode()))
        self._split("up", generator)
        if options.split == "both":
            self._split("down", generator)
            start = torch.empty(self.down.weight.shape, device="cpu")
            start.uniform_(-1 / sqrt(dim_in), 1 / sqrt(dim_in), generator=generator)
            self.register_buffer("down_start", start, persistent=False)
            with torch.no_grad():
                self.down.weight.copy_(start)

    @classmethod
    def reads(cls, options: MosaOptions) -> str:
        """It lies beside the sub-layer."""
        return options.input

    @classmethod
    def count(cls, site: Site, options: MosaOptions) -> int:
        """2 d r as a bottleneck has, with biases r + d more, with a LayerNorm 2 d more."""
        dim_in = site.dim_read("parallel")
        weights = options.rank * (dim_in + site.dim_out)
        biases = options.rank + site.dim_out if options.bias else 0
        return weights + biases + (2 * dim_in if options.norm else 0)

    def after(self, inputs: Tensor, outputs: Tensor) -> Tensor:
        """Add the output of one expert, or in evaluation of all."""
        expert = int(torch.randint(self.options.experts, (), device="cpu")) if self.training else -1
        return outputs + self.options.scale * self.run(inputs, expert)

    def run(self, inputs: Tensor, expert: int = -1) -> Tensor:
        """Run one expert.

        Args:
            inputs: [batch, tokens, dim].
            expert: Its number; -1 for all together.

        Returns:
            Not scaled, [batch, tokens, dim].
        """
        options = self.options
        down, up = self.down.weight, self.up.weight
        if expert >= 0:
            up = up * (self.up_experts == expert)
            if options.split == "both":
                down = torch.where(self.down_experts == expert, down, self.down_start)
        narrow = functional.linear(self.norm(inputs), down, self.down.bias)
        narrow = ACTIVATIONS[options.activation](narrow)
        narrow = functional.dropout(narrow, options.dropout, self.training)
        return functional.linear(narrow, up, self.up.bias)

    def _split(self, name: str, generator: torch.Generator) -> None:
        """Give each entry of a matrix to an expert."""
        shape = getattr(self, name).weight.shape
        order = torch.randperm(shape.numel(), generator=generator, device="cpu")
        experts = (order % self.options.experts).to(torch.int32).view(shape)
        self.register_buffer(f"{name}_experts", experts, persistent=False)


def consistency_loss(first_logits: Tensor, second_logits: Tensor) -> Tensor:
    """Measure how far two forwards with different experts are apart, as the authors' code does.

    The paper adds it to the cross-entropy of the first.

    Args:
        first_logits: What the first forward gave, [batch, classes].
        second_logits: What the second forward gave for these inputs, [batch, classes].

    Returns:
        (KL(p || q) + KL(q || p)) / 2, mean over the batch; no gradient goes through the target of
        either.
    """
    first = functional.log_softmax(first_logits.float(), -1)
    second = functional.log_softmax(second_logits.float(), -1)
    total = sum(
        functional.kl_div(read, target.detach(), reduction="batchmean", log_target=True)
        for read, target in ((first, second), (second, first))
    )
    return torch.as_tensor(total) / 2
