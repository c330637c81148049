"""What a router may look at besides the features that its module reads."""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Any

import torch
from torch import Tensor


@dataclass(frozen=True, eq=False)
class Context:
    """The inputs of a batch, as far as a router needs them; what is not known is None.

    Attributes:
        tokens: What the model reads, ids of its vocabulary, [batch, tokens].
        mask: Which of them are real, bool, [batch, tokens], True where real.
        lengths: How many are real, [batch]; of the mask where that alone is given.
        values: Anything else by name, the first axis of each the batch: a task's number, an
            embedding of a prompt, the strength of a condition.

    Raises:
        ValueError: Nothing is given, for batches of different sizes, or under a name twice.
    """

    tokens: Tensor | None = None
    mask: Tensor | None = None
    lengths: Tensor | None = None
    values: Mapping[str, Tensor] = field(default_factory=dict)

    def __post_init__(self):
        if self.lengths is None and self.mask is not None:
            object.__setattr__(self, "lengths", self.mask.sum(1))
        own = {f.name for f in fields(self)}
        if not own.isdisjoint(self.values):
            twice = ", ".join(sorted(own & set(self.values)))
            raise ValueError(f"A context has values by the name {twice}; take another name.")
        sizes = {name: len(tensor) for name, tensor in self._named().items()}
        if len(set(sizes.values())) != 1:
            told = ", ".join(f"{name} for {size}" for name, size in sizes.items()) or "nothing"
            raise ValueError(f"A context has {told}; expected one batch size, the same for all.")

    @property
    def batch(self) -> int:
        """How many rows it is for."""
        return len(next(iter(self._named().values())))

    def take(self, rows: Tensor) -> "Context":
        """Return the context of some rows, by their numbers, [rows]."""
        own: dict[str, Any] = {
            name: tensor[rows.to(tensor.device)]
            for name, tensor in self._named().items()
            if name not in self.values
        }
        values = {name: tensor[rows.to(tensor.device)] for name, tensor in self.values.items()}
        return replace(self, **own, values=values)

    def _named(self) -> dict[str, Tensor]:
        own = {f.name: getattr(self, f.name) for f in fields(self) if f.name != "values"}
        return {name: tensor for name, tensor in own.items() if tensor is not None} | dict(
            self.values
        )


@dataclass(frozen=True)
class Repeats:
    """How a batch of more rows than were named comes about.

    Attributes:
        whole: How often the batch holds the rows one after the other, [a, b, a, b] for 2: guidance
            without a classifier doubles it so.
        each: Whether modules may see several rows for one, next to each other, [a, a, b, b], as
            beams and the windows of a picture make them.

    Raises:
        ValueError: `whole` is below 1.
    """

    whole: int = 1
    each: bool = False

    def __post_init__(self):
        if self.whole < 1:
            raise ValueError(f"Rows come {self.whole} times in a batch; expected 1 or more.")

    def numbers(self, rows: int, batch: int, what: str, *, alike: bool = False) -> Tensor:
        """Return for each row of a batch which of those named it is.

        Args:
            rows: How many were named.
            batch: How many there are.
            what: Says in the message what was named, as "adapters".
            alike: Whether all that were named are the same, so that their order does not matter.

        Returns:
            Numbers from 0 to rows - 1, [batch].

        Raises:
            ValueError: The batch does not consist of these rows, or in an order that nobody told.
        """
        told = rows * self.whole
        if not told or batch % told or (batch != told and not (self.each or alike)):
            hint = ""
            if told and batch % told == 0:
                hint = (
                    f" Is it [a, b, a, b], as guidance doubles a batch? Say whole={batch // told}. "
                    "Or [a, a, b, b], as beams and windows make it? Say each=True."
                )
            times = f", {self.whole} times" if self.whole > 1 else ""
            raise ValueError(
                f"A batch of {batch} was run with {what} for {rows} rows{times}; expected one per "
                f"row.{hint}"
            )
        return torch.arange(rows).repeat(self.whole).repeat_interleave(batch // told)
