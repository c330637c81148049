"""Put adapters on a frozen model, and switch, mix, merge, save and count them."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from fusion.adapters.attachment import attach_part
from fusion.adapters.files import save_parts, tensors_of
from fusion.adapters.injection import Calibrate
from fusion.adapters.loading import load_parts
from fusion.adapters.merging import merge_into, restore
from fusion.adapters.parts import (
    changes_of_all,
    count_frozen,
    count_part,
    drop_part,
    frozen_state,
    parameters_of,
    sites_of_part,
)
from fusion.contract.blocks import Block
from fusion.contract.context import Context, Repeats
from fusion.contract.selection import Part, Selection, selection_of
from fusion.contract.sites import Site
from fusion.methods.catalog import find_method


def attach(
    model: nn.Module,
    method: str,
    options: Any = None,
    where: Sequence[str] | None = None,
    *,
    name: str = "default",
    layers: Sequence[int] | None = None,
    blocks: Mapping[str, tuple[Block, ...]] | None = None,
    calibrate: Calibrate | None = None,
    bits: int | None = None,
) -> "Adapters":
    """Put an adapter on a model, and switch it on.

    The model's own parameters are frozen. Attaching another method under the same name makes
    both parts of one adapter.

    Args:
        model: Any module that holds Transformer blocks; it is changed in place.
        method: A name of `fusion.methods.catalog.METHODS`.
        options: An instance of the method's dataclass, or a dict of the fields that differ from
            their defaults; None for the defaults.
        where: Roles (see `fusion.contract.sites.ROLES`), each perhaps with what it is part of
            in front, as "encoder.q" or "cross.o"; or names of modules. None takes the method's own.
        name: What the adapter is called in calls, files and counts: no dot, no plus, and no name of
            a module of the model.
        layers: Numbers of the blocks, negative ones from the end; None takes all.
        blocks: Block classes that `fusion.contract.blocks.BLOCKS` does not know, by class name.
        calibrate: For methods that look at data first: runs the model on some batches and yields
            a loss for each.
        bits: Bits of each entry of the matrices, 1 to 8, see `fusion.adapters.quantisation`; None
            for float. A fresh adapter is then nearly, not exactly, what it is without. PEFT cannot
            read its files.

    Returns:
        All adapters of the model.

    Raises:
        ValueError: No such method, option, role or layer; the message lists what exists. Or the
            method cannot be quantised.
    """
    attach_part(
        model,
        method,
        options,
        where,
        name=name,
        layers=layers,
        blocks=blocks,
        calibrate=calibrate,
        bits=bits,
    )
    return Adapters(model)


class Adapters:
    """The adapters of a model. Any number of these objects may look at one model.

    Args:
        model: As given to `attach`.
    """

    def __init__(self, model: nn.Module):
        self.model = model
        self.selection: Selection = selection_of(model)

    @property
    def names(self) -> list[str]:
        """All adapters, in the order of their attachment."""
        return list(self.selection.adapters)

    @property
    def active(self) -> list[str]:
        """Those that are on."""
        on = set(self.selection.active)
        return [name for name in self.names if on & {part.key for part in self.parts(name)}]

    def parts(self, name: str) -> list[Part]:
        """Return the parts of an adapter.

        Raises:
            ValueError: No such adapter.
        """
        if name not in self.selection.adapters:
            known = ", ".join(self.names) or "none"
            raise ValueError(f"No adapter {name!r}; the model has: {known}.")
        return self.selection.adapters[name]

    def use(self, names: str | Sequence[str] | None) -> None:
        """Switch an adapter on, several at once (what they add is summed), or None off.

        Raises:
            ValueError: No such adapter, or adapters are merged.
        """
        self._check_unmerged()
        self.selection.active[:] = self._keys(names)

    @contextmanager
    def rows(
        self, names: Sequence[str | None], *, whole: int = 1, each: bool = False
    ) -> Iterator[None]:
        """Give each row of the batch its own adapter, or None for the frozen model.

        Args:
            names: One per row.
            whole: How often the batch holds these rows one after the other, as guidance without a
                classifier doubles it: 2 for [a, b, a, b].
            each: Whether modules may see several rows for one, next to each other, as beams and
                the windows of a picture make them: [a, a, b, b]. Both together: the windows of a
                doubled batch.

        Raises:
            ValueError: No such adapter, its method cannot differ between rows, or a module sees
                another number of rows, so that which is which would be a guess.
        """
        self._check_unmerged()
        for name in {name for name in names if name is not None}:
            for part in self.parts(name):
                if not find_method(part.method).per_sample:
                    raise ValueError(
                        f"Adapter {name!r} is {part.method!r}, which cannot differ between the "
                        "rows of a batch. Run the batch once per adapter."
                    )
        keys = [tuple(self._keys(name)) for name in names]
        before = self.selection.rows, self.selection.repeats
        self.selection.set_rows(keys, Repeats(whole, each))
        try:
            yield
        finally:
            self.selection.set_rows(*before)

    @contextmanager
    def context(self, given: Context, *, whole: int = 1, each: bool = False) -> Iterator[None]:
        """Let routers look at more of the batch than the features that their module reads.

        A method of ours sees it as `Adapter.context`, with `rows` that of its own rows.

        Args:
            given: Tokens, mask, lengths and what else there is, of the batch that is run.
            whole: How often the batch holds the rows of `given` one after the other, see `rows`.
            each: Whether modules may see several rows for one, see `rows`.
        """
        selection = self.selection
        before = selection.context, selection.context_repeats
        selection.context, selection.context_repeats = given, Repeats(whole, each)
        try:
            yield
        finally:
            selection.context, selection.context_repeats = before

    def merge(self) -> None:
        """Add the active adapters to the weights; the model then runs as fast as without them.

        Raises:
            ValueError: A method does not merge, adapters are merged already, or a weight is that
                of another module too, as where a model ties its embeddings.
        """
        self._check_unmerged()
        keys = list(self.selection.active)
        by_key = {part.key: part for parts in self.selection.adapters.values() for part in parts}
        changes = changes_of_all(self.model, [by_key[key] for key in keys])
        # All changes are computed before the first is made: some depend on the weights.
        self.selection.originals = [merge_into(module, delta) for module, delta in changes]
        self.selection.merged = True
        self.selection.merged_keys = keys
        self.selection.active[:] = []

    def unmerge(self) -> None:
        """Put the weights back as they were, to the bit."""
        for original in reversed(self.selection.originals):
            restore(original)
        self.selection.originals = []
        if self.selection.merged:
            self.selection.merged = False
            self.selection.active[:] = self.selection.merged_keys

    def drop(self, name: str) -> None:
        """Remove an adapter.

        Raises:
            ValueError: No such adapter, or adapters are merged.
        """
        self._check_unmerged()
        for part in list(self.parts(name)):
            drop_part(self.model, name, part)

    def parameters(self, name: str) -> list[nn.Parameter]:
        """Return what training an adapter trains.

        Raises:
            ValueError: No such adapter.
        """
        return list(self.named_parameters(name).values())

    def named_parameters(self, name: str) -> dict[str, nn.Parameter]:
        """Return the same, by site and name at the site."""
        found: dict[str, nn.Parameter] = {}
        for part in self.parts(name):
            found |= parameters_of(self.model, part)
        return {path: parameter for path, parameter in found.items() if parameter.requires_grad}

    def count(self, name: str) -> int:
        """Trained parameters of an adapter, by the closed forms of its methods.

        Raises:
            ValueError: No such adapter.
        """
        return sum(count_part(self.model, part) for part in self.parts(name))

    def count_part(self, part: Part) -> int:
        """Count the trained parameters of one part of an adapter, by its method's closed form."""
        return count_part(self.model, part)

    def bytes(self, name: str) -> int:
        """Size of an adapter's tensors in its file.

        Raises:
            ValueError: No such adapter.
        """
        return sum(
            tensor.numel() * tensor.element_size()
            for part in self.parts(name)
            for tensor in tensors_of(self.model, part).values()
        )

    def table(self) -> str:
        """Return a table of the adapters as text: what each is, where, its size, and if it is on.

        Trained parameters and bytes are those of the whole adapter.
        """
        on = self.active if not self.selection.merged else []
        lines = [("adapter", "methods", "modules", "parameters", "bytes", "state")]
        for name in self.names:
            parts = self.parts(name)
            merged = {part.key for part in parts} & set(self.selection.merged_keys)
            state = "merged" if self.selection.merged and merged else "on" if name in on else "off"
            methods = " + ".join(
                part.method + (f" ({part.bits} bit)" if part.bits else "") for part in parts
            )
            sites = f"{sum(len(part.sites) for part in parts)}"
            lines.append(
                (name, methods, sites, f"{self.count(name):,}", f"{self.bytes(name):,}", state)
            )
        widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
        numbers = {2, 3, 4}
        return "\n".join(
            "  ".join(
                cell.rjust(width) if index in numbers else cell.ljust(width)
                for index, (cell, width) in enumerate(zip(line, widths, strict=True))
            ).rstrip()
            for line in lines
        )

    def save(self, folder: str | Path, name: str) -> None:
        """Write an adapter: safetensors and a JSON config, in PEFT's layout.

        Raises:
            ValueError: No such adapter.
            OSError: The folder cannot be written.
        """
        save_parts(self.model, self.parts(name), Path(folder))

    def load(self, folder: str | Path, name: str) -> None:
        """Read an adapter that `save` or PEFT wrote, attach it and switch it on.

        Raises:
            FileNotFoundError: The folder or a file is not there.
            ValueError: It is damaged, or belongs to another model.
        """
        load_parts(self.model, Path(folder), name)

    def frozen_state(self) -> dict[str, Tensor]:
        """Return the model's own weights and buffers, by the names that it has without adapters.

        What is merged is in them. A fresh model of the same class takes them as they are, unless
        merging has given a module a bias that it does not have.
        """
        return frozen_state(self.model)

    def count_frozen(self) -> int:
        """Count the model's own parameters, without those of adapters; shared ones count once."""
        return count_frozen(self.model)

    def sites(self, part: Part) -> list[Site]:
        """Return where a part is."""
        return sites_of_part(self.model, part)

    def _keys(self, names: str | Sequence[str] | None) -> list[str]:
        wanted = [names] if isinstance(names, str) else names or []
        return [part.key for name in wanted for part in self.parts(name)]

    def _check_unmerged(self) -> None:
        if self.selection.merged:
            raise ValueError("Adapters are merged into the weights; call unmerge first.")
