"""Which adapters of a model are on; one object that all sites of the model look at."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from fusion.contract.blocks import Block
from fusion.contract.context import Context, Repeats

ATTRIBUTE = "mcgurk_selection"


@dataclass(frozen=True)
class Part:
    """One method, attached once; an adapter is one part or several.

    Attributes:
        key: Its name among PEFT's layers.
        method: A name of `METHODS`.
        options: An instance of that method's `Options`.
        where: Roles or module names that were asked for.
        layers: Numbers of the blocks, or None.
        sites: Names of the modules that have it.
        bits: Bits of each entry of its matrices, 1 to 8; None where they are float.
    """

    key: str
    method: str
    options: Any
    where: tuple[str, ...]
    layers: tuple[int, ...] | None
    sites: tuple[str, ...]
    bits: int | None = None


@dataclass
class Selection:
    """Switching changes this object alone, so it costs the same with any number of adapters.

    Attributes:
        active: Keys of the parts that are on for every row of a batch. PEFT's layers hold this
            very list, so it is changed in place.
        rows: Keys of the parts of each row of the batch; it overrides `active`.
        merged: Whether the active ones are in the weights already.
        adapters: The parts of each adapter.
        blocks: Block classes that the user named.
        originals: What merging has overwritten.
        merged_keys: The parts that are merged.
        stacks: LoRA's matrices by layer and batch, while rows differ.
        repeats: How a batch of more rows than `rows` names comes about.
        context: What routers may look at, or None.
        context_repeats: How a batch of more rows than the context has comes about.
    """

    active: list[str] = field(default_factory=list)
    rows: tuple[tuple[str, ...], ...] | None = None
    merged: bool = False
    adapters: dict[str, list[Part]] = field(default_factory=dict)
    blocks: dict[str, tuple[Block, ...]] = field(default_factory=dict)
    originals: list[Any] = field(default_factory=list)
    merged_keys: list[str] = field(default_factory=list)
    stacks: dict[tuple[int, int], tuple[Tensor, Tensor] | None] = field(default_factory=dict)
    repeats: Repeats = field(default_factory=Repeats)
    context: Context | None = None
    context_repeats: Repeats = field(default_factory=Repeats)
    _narrowed: tuple[int, Tensor] | None = None
    _groups: dict[tuple[int, torch.device], list[tuple[tuple[str, ...], Tensor]]] = field(
        default_factory=dict
    )

    def set_rows(
        self, rows: Sequence[tuple[str, ...]] | None, repeats: Repeats | None = None
    ) -> None:
        """Give each row of the batch its own parts, or None to end that."""
        self.rows = None if rows is None else tuple(rows)
        self.repeats = repeats or Repeats()
        self._groups = {}
        self.stacks = {}

    def parts_of_rows(self, batch: int) -> list[tuple[str, ...]]:
        """Return the parts of each row of a batch.

        Raises:
            ValueError: The batch does not consist of the rows that were named.
        """
        assert self.rows is not None
        alike = len(set(self.rows)) == 1
        numbers = self.repeats.numbers(len(self.rows), batch, "adapters", alike=alike)
        return [self.rows[number] for number in numbers.tolist()]

    def groups(self, batch: int, device: torch.device) -> list[tuple[tuple[str, ...], Tensor]]:
        """Return the parts that occur, each with the numbers of its rows, [rows].

        Args:
            batch: Size of the first axis.
            device: Where the row numbers are to lie, as the tensors that they index.

        Raises:
            ValueError: The batch does not consist of the rows that were named.
        """
        key = (batch, device)
        if key not in self._groups:
            numbers: dict[tuple[str, ...], list[int]] = {}
            for place, parts in enumerate(self.parts_of_rows(batch)):
                numbers.setdefault(parts, []).append(place)
            self._groups[key] = [
                (parts, torch.tensor(rows, device=device)) for parts, rows in numbers.items()
            ]
        return self._groups[key]

    @property
    def some(self) -> tuple[int, Tensor] | None:
        """Size of the batch and numbers of the rows that are run now; None where all are."""
        return self._narrowed

    @contextmanager
    def narrowed(self, batch: int, rows: Tensor) -> Iterator[None]:
        """Say that adapters now run on some rows of a batch, by their numbers, [rows]."""
        before = self._narrowed
        if before is not None:  # rows of rows
            batch, rows = before[0], before[1].to(rows.device)[rows]
        self._narrowed = batch, rows
        try:
            yield
        finally:
            self._narrowed = before

    @contextmanager
    def alike(self, parts: tuple[str, ...], batch: int, rows: Tensor) -> Iterator[None]:
        """Let modules run on some rows of a batch that all have the same parts.

        A layer around others runs them so: they see fewer rows than were named.

        Args:
            parts: Keys of the parts of these rows.
            batch: How many rows there are.
            rows: Numbers of these rows, [rows].
        """
        before = self.rows, self.repeats, self._groups, self.stacks
        self.set_rows([parts])
        try:
            with self.narrowed(batch, rows):
                yield
        finally:
            self.rows, self.repeats, self._groups, self.stacks = before

    def seen(self, batch: int) -> Context | None:
        """Return the context of the rows that an adapter reads now; None without one.

        Args:
            batch: How many it reads.

        Raises:
            ValueError: The context is for another number of rows.
        """
        if self.context is None:
            return None
        whole, rows = self._narrowed or (batch, None)
        repeats = self.context_repeats
        numbers = repeats.numbers(self.context.batch, whole, "a context")
        return self.context.take(numbers if rows is None else numbers[rows.cpu()])


def selection_of(
    model: nn.Module, blocks: Mapping[str, tuple[Block, ...]] | None = None
) -> Selection:
    """Return the selection of a model; the first call makes it."""
    if ATTRIBUTE not in model.__dict__:
        object.__setattr__(model, ATTRIBUTE, Selection())
    selection: Selection = model.__dict__[ATTRIBUTE]
    selection.blocks.update(blocks or {})
    return selection
