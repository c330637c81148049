"""Bottleneck adapters: down, a non-linearity, up; after a sub-layer or beside it."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor, nn
from torch.nn import functional

from fusion.contract.method import Adapter
from fusion.contract.options import check_choice
from fusion.contract.sites import Site

ACTIVATIONS: dict[str, Callable[[Tensor], Tensor]] = {
    "relu": functional.relu,
    "gelu": functional.gelu,
    "gelu_tanh": partial(functional.gelu, approximate="tanh"),
    "silu": functional.silu,
    "tanh": torch.tanh,
}


@dataclass(frozen=True)
class BottleneckOptions:
    """Options of bottleneck adapters.

    Attributes:
        rank: Width of the bottleneck.
        mode: "sequential" reads what the sub-layer returns, "parallel" what it reads; at a single
            layer, such as "cross.v", what that layer does.
        input: What a parallel one and a gate read: "sublayer" for what the sub-layer or the single
            layer reads, "norm" for what the normalisation in front reads.
        activation: relu, gelu, gelu_tanh, tanh or silu.
        scale: Factor of what is added: 1, AdaptFormer 0.1, He et al. 4; 0 adds nothing.
        bias: Whether down and up have biases.
        norm: Whether the adapter has a LayerNorm of its own in front.
        dropout: After the non-linearity, in training.
        init: "zero" for up (the model is unchanged at first), or "normal": both from N(0, std).
        std: Standard deviation of both matrices with init "normal"; "zero" does not use it.
        gate_rank: Width of a second bottleneck, whose sigmoid scales each feature of the result,
            the sub-layer's part too, as in VL-PET; a fresh one halves it. 0 is without.
    """

    rank: int = 16
    mode: str = "sequential"
    input: str = "sublayer"
    activation: str = "gelu"
    scale: float = 1.0
    bias: bool = True
    norm: bool = False
    dropout: float = 0.0
    init: str = "zero"
    std: float = 0.02
    gate_rank: int = 0

    def __post_init__(self):
        check_choice("mode", self.mode, ("sequential", "parallel"))
        check_choice("input", self.input, ("sublayer", "norm"))
        check_choice("activation", self.activation, ACTIVATIONS)
        check_choice("init", self.init, ("zero", "normal"))


class Bottleneck(Adapter):
    """Adds a narrow network to what a sub-layer returns.

    Houlsby: both sub-layers, sequential. Pfeiffer: `where=("mlp",)`. AdaptFormer: `where=("mlp",)`,
    parallel, scale 0.1, relu. LLM-Adapters: sequential after "fc2", or parallel at linear layers;
    tanh, no biases. He et al.: parallel, scale 4. VL-PET-large: sequential with a gate in the
    encoder, and parallel at the decoder's "cross.v".
    """

    Options = BottleneckOptions
    where = ("attention", "mlp")
    acts_on = "sublayer"
    title = (
        "Houlsby et al. (2019, arXiv 1902.00751); Pfeiffer et al. (2005.00247); AdaptFormer "
        "(2205.13535); LLM-Adapters (2304.01933)"
    )
    formula = "y = f(x) + s U act(D z), z = f(x) (sequential) or x (parallel)"

    def __init__(self, site: Site, options: BottleneckOptions, shared: nn.Module | None = None):
        super().__init__(site, options)
        self.options = options
        dim_in = site.dim_read(options.mode)
        self.norm = nn.LayerNorm(dim_in) if options.norm else nn.Identity()
        self.down = nn.Linear(dim_in, options.rank, bias=options.bias)
        self.up = nn.Linear(options.rank, site.dim_out, bias=options.bias)
        layers = [(self.down, self.up)]
        if options.gate_rank:
            dim_read = site.dim_read("parallel")
            self.gate_down = nn.Linear(dim_read, options.gate_rank, bias=options.bias)
            self.gate_up = nn.Linear(options.gate_rank, site.dim_out, bias=options.bias)
            layers.append((self.gate_down, self.gate_up))
        for down, up in layers:
            _start(down, up, options)

    @classmethod
    def reads(cls, options: BottleneckOptions) -> str:
        """Parallel adapters and gates read what the sub-layer does."""
        return options.input if options.mode == "parallel" or options.gate_rank else ""

    @classmethod
    def count(cls, site: Site, options: BottleneckOptions) -> int:
        """2 d r, and with biases r + d, the same of a gate; of a LayerNorm 2 d."""
        dim_in = site.dim_read(options.mode)
        total = _count(dim_in, options.rank, site.dim_out, options.bias)
        if options.gate_rank:
            read = site.dim_read("parallel")
            total += _count(read, options.gate_rank, site.dim_out, options.bias)
        return total + (2 * dim_in if options.norm else 0)

    def after(self, inputs: Tensor, outputs: Tensor) -> Tensor:
        """Add the adapter's output, and scale the sum where there is a gate."""
        options = self.options
        activate = ACTIVATIONS[options.activation]
        read = outputs if options.mode == "sequential" else inputs
        narrow = activate(self.down(self.norm(read)))
        narrow = functional.dropout(narrow, options.dropout, self.training)
        changed = outputs + options.scale * self.up(narrow)
        if not options.gate_rank:
            return changed
        return changed * torch.sigmoid(self.gate_up(activate(self.gate_down(inputs))))


def _start(down: nn.Linear, up: nn.Linear, options: BottleneckOptions) -> None:
    if options.init == "normal":
        nn.init.normal_(down.weight, std=options.std)
        nn.init.normal_(up.weight, std=options.std)
    else:
        nn.init.zeros_(up.weight)
    for linear in (down, up):
        if linear.bias is not None:
            nn.init.zeros_(linear.bias)


def _count(dim_in: int, rank: int, dim_out: int, bias: bool) -> int:
    return rank * (dim_in + dim_out) + (rank + dim_out if bias else 0)
