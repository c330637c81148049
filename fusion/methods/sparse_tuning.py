"""LT-SFT: all entries are trained, those that moved most are kept, and trained from the start."""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from math import prod
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from fusion.contract.holder import ATTRIBUTE
from fusion.contract.method import Adapter, Attached, Delta
from fusion.contract.selection import Part
from fusion.contract.sites import CONVOLUTIONS, Site, unwrap
from fusion.methods.norm_tuning import normalisation_of


@dataclass(frozen=True)
class SparseTuningOptions:
    """Options of sparse tuning.

    Attributes:
        entries: How many entries of the model are trained; 0 for all. `select` sets it, and no
            entries are there until it has chosen them, or a file has been loaded.
    """

    entries: int = 0

    def __post_init__(self):
        if self.entries < 0:
            raise ValueError(f"Option 'entries' is {self.entries}; expected 0 for all, or more.")


class SparseTuning(Adapter):
    """A change of weights and biases: of all entries, and after `select` of some.

    Adapters of several tasks or languages are composed by `use([...])`, which adds them up.
    Embeddings and convolutions are left out unless `where` names them. The authors' scripts leave
    the norms frozen: give `where` without "norm". Where the mlp is gated, give it with "gate".
    """

    Options = SparseTuningOptions
    where = ("q", "k", "v", "o", "fc1", "fc2", "norm")
    convolutions = True
    embeddings = True
    merges = True
    float_only = "it chooses among its entries by how far they have moved"
    title = "LT-SFT, composable sparse fine-tuning (2021, arXiv 2110.07560)"
    formula = "y = f(x; theta + phi), phi sparse: the K entries that moved most"

    def __init__(self, site: Site, options: SparseTuningOptions, shared: nn.Module | None = None):
        super().__init__(site, options)
        self.run = function_of(site.module)
        self.shapes = {name: tuple(p.shape) for name, p in parameters_of(site.module).items()}
        for name, shape in self.shapes.items():
            if options.entries:
                self.keep(name, torch.zeros(0, dtype=torch.int64))
            else:
                self.register_parameter(name, nn.Parameter(torch.zeros(shape)))

    @classmethod
    def accepts(cls, site: Site, options: SparseTuningOptions) -> bool:
        """Take what `function_of` knows: linear layers, norms, convolutions and word tables."""
        return function_of(site.module) is not None

    @classmethod
    def count(cls, site: Site, options: SparseTuningOptions) -> int:
        """All of weight and bias; once some are selected, they are counted together."""
        own = sum(parameter.numel() for parameter in parameters_of(site.module).values())
        return 0 if options.entries else own

    @classmethod
    def count_shared(cls, sites: Sequence[Site], options: SparseTuningOptions) -> int:
        """The selected entries, which are spread over the sites."""
        return options.entries

    def keep(self, name: str, index: Tensor) -> None:
        """Train some entries of a parameter alone, from no change.

        Args:
            name: "weight" or "bias".
            index: Flat positions of the entries, row-major, [entries].
        """
        index = index.detach().clone()
        before = self._parameters.get(name)
        kind = None if before is None else before.dtype
        values = torch.zeros(len(index), device=index.device, dtype=kind)
        self.register_parameter(name, nn.Parameter(values))
        self.register_buffer(f"{name}_index", index)

    def change(self, name: str) -> Tensor | None:
        """Return the change of a parameter, of its shape; None where it has no trained entries."""
        values, index = self._parameters.get(name), self._buffers.get(f"{name}_index")
        if index is None or values is None:
            return values
        if not len(index):
            return None
        shape = self.shapes[name]
        return values.new_zeros(prod(shape)).scatter(0, index, values).view(shape)

    def after(self, inputs: Tensor, outputs: Tensor) -> Tensor:
        """Run the module's function with the change: it is linear in weight and bias."""
        weight, bias = self.change("weight"), self.change("bias")
        if weight is None:
            places = len(self.shapes["weight"]) - 2  # of a convolution, behind its channels
            return outputs if bias is None else outputs + bias.view(-1, *[1] * max(0, places))
        assert self.run is not None
        return outputs + self.run(inputs, weight, bias)

    def delta(self, module: nn.Module) -> Delta:
        """Return the change; of the weight only the entries, once they are selected."""
        index = self._buffers.get("weight_index")
        if index is None:
            return Delta(self.change("weight"), self.change("bias"))
        return Delta(self._parameters["weight"], self.change("bias"), index)

    def _load_from_state_dict(  # type: ignore[override]
        self, state_dict: dict[str, Any], prefix: str, *rest: Any
    ) -> None:
        """Take as many entries as the file has."""
        errors: list[str] = rest[-1]
        for name, shape in self.shapes.items():
            index = state_dict.get(f"{prefix}{name}_index")
            if index is None:
                continue
            if len(index) and not 0 <= int(index.min()) <= int(index.max()) < prod(shape):
                errors.append(f"positions in {prefix}{name} are outside of its shape {shape}")
            self.keep(name, index.to(self._parameters[name].device))  # type: ignore[union-attr]
        super()._load_from_state_dict(state_dict, prefix, *rest)


@dataclass(frozen=True)
class Table:
    """What an embedding table computes, but for its weight.

    Attributes:
        scale: What BART's tables multiply by; 1 of others.
    """

    scale: float

    def __call__(self, inputs: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        """Look rows up: numbers [...], table [rows, dim] -> [..., dim]."""
        return functional.embedding(inputs, weight) * self.scale


@dataclass(frozen=True)
class Convolution:
    """What a convolution computes, but for its weight and bias.

    Attributes:
        steps: Stride, padding, dilation and groups, by torch's names.
        run: torch's function for its number of axes.
        pad: What a padding by other than zeros adds before and after each axis, last axis first.
        mode: How it pads, by torch's name.
    """

    steps: dict[str, Any]
    run: Callable[..., Tensor]
    pad: tuple[int, ...]
    mode: str

    def __call__(self, inputs: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        """Convolve: [batch, channels, *places] -> [batch, other channels, *places]."""
        if self.mode == "zeros":
            return self.run(inputs, weight, bias, **self.steps)
        padded = functional.pad(inputs, self.pad, mode=self.mode)
        return self.run(padded, weight, bias, **{**self.steps, "padding": 0})


def function_of(module: nn.Module) -> Callable[[Tensor, Tensor, Tensor | None], Tensor] | None:
    """Return what a module computes of its input with another weight and bias.

    Returns:
        None for what is no linear layer, LayerNorm, RMSNorm, convolution or word table. A table
        that reads anything but numbers of its rows, as that of positions, is none either.
    """
    if isinstance(module, nn.Linear):
        return functional.linear
    if isinstance(module, CONVOLUTIONS):
        names = "stride", "padding", "dilation", "groups"
        steps = {name: getattr(module, name) for name in names}
        run = (functional.conv1d, functional.conv2d, functional.conv3d)[module.weight.ndim - 3]
        pad = tuple(module._reversed_padding_repeated_twice)
        return Convolution(steps, run, pad, module.padding_mode)
    if isinstance(module, nn.Embedding):
        scale = getattr(module, "embed_scale", None)
        known = type(module).forward is nn.Embedding.forward or scale is not None
        return Table(1.0 if scale is None else float(scale)) if known else None
    return normalisation_of(module)


def parameters_of(module: nn.Module) -> dict[str, nn.Parameter]:
    """Return the weight, and the bias where there is one."""
    found = {name: module._parameters.get(name) for name in ("weight", "bias")}
    return {name: parameter for name, parameter in found.items() if parameter is not None}


@torch.no_grad()
def select(adapters: Attached, name: str, entries: int) -> None:
    """Keep the entries of an adapter that have moved most, and put them back to the start.

    The threshold is one over all tensors. The parameters are others afterwards: build the optimiser
    of the second phase from `adapters.parameters(name)` after this call.

    Args:
        adapters: All adapters of the model.
        name: Which of them: one that has been trained with all entries.
        entries: How many to keep.

    Raises:
        ValueError: The adapter is no sparse tuning that trains all entries, or has too few.
    """
    part = _dense_part(adapters, name)
    hosts = [unwrap(adapters.model.get_submodule(site)) for site in part.sites]
    held: list[Any] = [host.get_submodule(f"{ATTRIBUTE}.mcgurk_adapters") for host in hosts]
    places = [(one[part.key], kind) for one in held for kind in one[part.key].shapes]
    moved = torch.cat([getattr(adapter, kind).abs().flatten() for adapter, kind in places])
    if not 0 < entries <= len(moved):
        raise ValueError(f"Adapter {name!r} has {len(moved)} entries; {entries} cannot be kept.")
    kept = moved.topk(entries).indices.sort().values
    start = 0
    for adapter, kind in places:
        stop = start + getattr(adapter, kind).numel()
        first, last = torch.searchsorted(kept, torch.tensor([start, stop], device=kept.device))
        adapter.keep(kind, kept[first:last] - start)
        start = stop
    options = replace(part.options, entries=entries)
    parts = adapters.parts(name)
    parts[parts.index(part)] = replace(part, options=options)
    adapters.model.peft_config[part.key].options = asdict(options)  # type: ignore[index,union-attr]


def _dense_part(adapters: Attached, name: str) -> Part:
    parts = [p for p in adapters.parts(name) if p.options == SparseTuningOptions()]
    if len(parts) != 1:
        raise ValueError(
            f"Adapter {name!r} has {len(parts)} parts of sparse tuning that train all entries; "
            "expected one. Attach 'sparse_tuning', train it, then select once."
        )
    return parts[0]
