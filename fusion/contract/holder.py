"""The adapters of one module, working through hooks on it."""

from collections.abc import Sequence
from functools import partial
from typing import Any

import torch
from peft.tuners.tuners_utils import BaseTunerLayer
from torch import Tensor, nn

from fusion.contract.method import Adapter
from fusion.contract.selection import Selection
from fusion.contract.sites import SITE

ATTRIBUTE = SITE
HALF = (torch.float16, torch.bfloat16)


class Holder(nn.Module, BaseTunerLayer):
    """Lies inside the module that it adapts, so that nothing is replaced or renamed.

    Args:
        host: The module.
        selection: Which adapters are on.
    """

    adapter_layer_names = ("mcgurk_adapters",)

    def __init__(self, host: nn.Module, selection: Selection):
        super().__init__()
        self.mcgurk_adapters = nn.ModuleDict()
        self.selection = selection
        # What other modules have read, by their names: of all rows, or of some at a time.
        self.read: dict[str, Tensor | list[tuple[int, Tensor, Tensor]]] = {}
        self.sources: set[str] = set()
        self._disable_adapters = False
        self._active_adapter = selection.active
        self.merged_adapters = []
        self.hooks = [
            host.register_forward_pre_hook(self._before, with_kwargs=True),
            host.register_forward_hook(self._after, with_kwargs=True),
        ]

    def listen(self, source: nn.Module, name: str) -> None:
        """Keep what another module reads until this one has run."""
        if name not in self.sources:
            self.sources.add(name)
            keep = partial(self._keep, name)
            self.hooks.append(source.register_forward_pre_hook(keep, with_kwargs=True))

    def leave(self, host: nn.Module) -> None:
        """Take all hooks off, and this module out of the one that it adapts."""
        for hook in self.hooks:
            hook.remove()
        del host._modules[ATTRIBUTE]

    def set_adapter(self, adapter_names: str | Sequence[str], inference_mode: bool = False) -> None:
        """Switch, as PEFT's layers do; all sites of the model switch together."""
        names = [adapter_names] if isinstance(adapter_names, str) else list(adapter_names)
        self.selection.active[:] = names

    def on(self, keys: Sequence[str], ability: str) -> list[Adapter]:
        """Return the adapters here that are on and have something to do."""
        adapters = [self.mcgurk_adapters[key] for key in keys if key in self.mcgurk_adapters]
        idle = getattr(Adapter, ability)
        return [a for a in adapters if getattr(type(a), ability) is not idle]  # type: ignore[misc]

    def _keep(self, name: str, source: nn.Module, args: tuple, kwargs: dict[str, Any]) -> None:
        inputs, some = _first(args, kwargs), self.selection.some
        if some is None:
            self.read[name] = inputs
            return
        parts = self.read.get(name)
        if not isinstance(parts, list):
            parts = self.read[name] = []
        parts.append((*some, inputs))

    def _take_read(self) -> dict[str, Tensor]:
        """Return what other modules have read of the rows that are run now."""
        found = {
            name: _join(read) if isinstance(read, list) else read
            for name, read in self.read.items()
        }
        some = self.selection.some
        self.read = {} if some is None else dict(found)  # other rows of the batch follow
        return found if some is None else {name: read[some[1]] for name, read in found.items()}

    def _before(
        self, host: nn.Module, args: tuple, kwargs: dict[str, Any]
    ) -> tuple[tuple, dict[str, Any]] | None:
        selection = self.selection
        if selection.merged:
            return None
        if selection.rows is None:
            adapters = self.on(selection.active, "before")
            if not adapters:
                return None
            inputs, kwargs = _first(args, kwargs), dict(kwargs)
            for adapter in adapters:
                inputs = adapter.before(widen(inputs, adapter), kwargs).to(inputs.dtype)
        else:
            inputs = self._before_rows(_first(args, kwargs), kwargs)
        if args:
            return (inputs, *args[1:]), kwargs
        return (), kwargs | {"hidden_states": inputs}

    def _before_rows(self, inputs: Tensor, kwargs: dict[str, Any]) -> Tensor:
        for keys, rows in self.selection.groups(len(inputs), inputs.device):
            with self.selection.narrowed(len(inputs), rows):
                for adapter in self.on(keys, "before"):
                    changed = adapter.before(widen(inputs[rows], adapter), dict(kwargs))
                    inputs = inputs.index_copy(0, rows, changed.to(inputs.dtype))
        return inputs

    def _after(self, host: nn.Module, args: tuple, kwargs: dict[str, Any], output: Any) -> Any:
        selection, read = self.selection, self._take_read()
        if selection.merged:
            return None
        outputs: Tensor = output[0] if isinstance(output, tuple) else output
        if selection.rows is None:
            adapters = self.on(selection.active, "after")
            if not adapters:
                return None
            changed = _sum(adapters, _first(args, kwargs), outputs, read)
        else:
            changed = self._after_rows(_first(args, kwargs), outputs, read)
        return (changed, *output[1:]) if isinstance(output, tuple) else changed

    def _after_rows(self, inputs: Tensor, outputs: Tensor, read: dict[str, Tensor]) -> Tensor:
        found: list[Tensor] = []
        groups = self.selection.groups(len(outputs), outputs.device)
        on = [self.on(keys, "after") for keys, _ in groups]
        if not any(on):
            return outputs
        for adapters, (_, rows) in zip(on, groups, strict=True):
            theirs = outputs[rows]
            if adapters:
                ours = {name: tensor[rows] for name, tensor in read.items()}
                with self.selection.narrowed(len(outputs), rows):
                    theirs = _sum(adapters, inputs[rows], theirs, ours)
            found.append(theirs)
        # Copied to their places at once: one copy of the batch, not one for each group.
        order = torch.cat([rows for _, rows in groups]).argsort()
        return torch.cat(found)[order]


def _sum(
    adapters: list[Adapter], inputs: Tensor, outputs: Tensor, read: dict[str, Tensor]
) -> Tensor:
    """Add what each adapter changes; one alone is taken as it is, to the bit."""
    found = []
    for adapter in adapters:
        source = read[adapter.reads_from] if adapter.reads_from else inputs
        found.append(adapter.after(widen(source, adapter), widen(outputs, adapter)))
    if len(found) == 1:
        return found[0].to(outputs.dtype)
    changes = sum((one - outputs for one in found[1:]), found[0] - outputs)
    return (outputs + changes).to(outputs.dtype)


def _join(parts: list[tuple[int, Tensor, Tensor]]) -> Tensor:
    """Put rows of a batch together, [batch, ...], from the batch, their numbers and values."""
    batch, _, values = parts[-1]
    whole = values.new_zeros((batch, *values.shape[1:]))
    for size, rows, values in parts:
        if size == batch and values.shape[1:] == whole.shape[1:]:  # else of a run that failed
            whole = whole.index_copy(0, rows, values)
    return whole


def widen(tensor: Tensor, adapter: nn.Module) -> Tensor:
    """Give an adapter of a model in half precision what it reads in the adapter's own."""
    if tensor.dtype not in HALF:
        return tensor
    return tensor.to(next((p.dtype for p in adapter.parameters()), torch.float32))


def _first(args: tuple, kwargs: dict[str, Any]) -> Tensor:
    return args[0] if args else kwargs["hidden_states"]


def holder_of(host: nn.Module, selection: Selection) -> Holder:
    """Return the holder of a module; the first call puts it there."""
    if ATTRIBUTE not in host._modules:
        host.add_module(ATTRIBUTE, Holder(host, selection))
    return host._modules[ATTRIBUTE]  # type: ignore[return-value]
