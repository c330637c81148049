"""One call of a denoiser, and what is kept over those of a sampling."""

from collections.abc import Callable, Hashable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, Protocol

import torch
from torch import Tensor

from fusion.conditions.condition import Condition
from fusion.contract.context import Repeats
from modalities.diffusion.decoupled import Prompt


@dataclass
class Step:
    """One call of a denoiser, before it has begun.

    Attributes:
        arguments: What it is called with, by the names of its own parameters; an injector may
            change them.
    """

    arguments: dict[str, Any]

    @property
    def pictures(self) -> Tensor:
        """What is noisy: [batch, channels, height, width], or [batch, tokens, dim] for FLUX."""
        name = "sample" if "sample" in self.arguments else "hidden_states"
        return self.arguments[name]

    @property
    def times(self) -> Tensor:
        """The time of each row, [batch], or of all, []."""
        return torch.as_tensor(self.arguments["timestep"], device=self.pictures.device)

    @property
    def text(self) -> Tensor | None:
        """The tokens of each row's text, [batch, tokens, dim]."""
        return self.arguments.get("encoder_hidden_states")

    def take(self, rows: Tensor) -> dict[str, Any]:
        """Return the arguments for some rows of the batch, by their numbers, [rows].

        What is not told for each row, as a time for all, stays as it is.
        """
        batch = len(self.pictures)
        return {name: _take(value, rows, batch) for name, value in self.arguments.items()}


def _take(value: Any, rows: Tensor, batch: int) -> Any:
    """Take rows of whatever has one for each of the batch."""
    if isinstance(value, Tensor):
        return value[rows.to(value.device)] if value.ndim and len(value) == batch else value
    if isinstance(value, Mapping):
        return {name: _take(one, rows, batch) for name, one in value.items()}
    if isinstance(value, list | tuple):
        return type(value)(_take(one, rows, batch) for one in value)
    return value.take(rows) if isinstance(value, Prompt) else value


class Host(Protocol):
    """Where injectors stand; an `Injection` is one."""

    model: Any

    @property
    def step(self) -> Step:
        """The call that is under way."""
        ...

    def bare(self) -> AbstractContextManager[None]:
        """Let the denoiser run as if nothing stood on it."""
        ...


class Told:
    """What an injector was told, and what was made of it, kept over the steps of a sampling.

    Args:
        conditions: By their kinds, for one number of rows.
        repeats: How a batch of more rows than that comes about.
        each_step: Whether what is made of them differs from step to step.

    Attributes:
        values: What the injector's `encode` made of them, each [rows, ...].
        step_independent: Whether all of it is the same at all steps.
        shares: What a router gives it at each place, by the place's name; 1 where there is none.
        copies: How often a denoiser runs each row of the batch that it was called with: 2 where a
            partner runs beside it.
    """

    def __init__(
        self, conditions: Mapping[str, Condition], repeats: Repeats, each_step: bool = False
    ):
        self.conditions, self.repeats = dict(conditions), repeats
        independent = all(one.step_independent for one in conditions.values())
        self.step_independent = independent and not each_step
        self.values: dict[str, Tensor] | None = None
        self.shares: dict[str, Tensor] = {}
        self.copies = 1
        self._kept: dict[Hashable, Any] = {}

    @property
    def rows(self) -> int:
        """How many pictures it is about."""
        return next(iter(self.conditions.values())).rows

    @property
    def scale(self) -> float:
        """What it counts: the product over the conditions."""
        found = 1.0
        for condition in self.conditions.values():
            found *= condition.scale
        return found

    def weight(self, place: str) -> Tensor | float:
        """Return what it counts at a place: its scale, and there what a router gives it."""
        share = self.shares.get(place)
        return self.scale if share is None else self.scale * share

    def numbers(self, batch: int) -> Tensor:
        """Return which row of the conditions each row of a batch reads, [batch].

        Raises:
            ValueError: The batch does not consist of the rows that were told.
        """
        whole, rest = divmod(batch, self.copies)
        assert not rest
        found = self.repeats.numbers(self.rows, whole, "conditions", alike=self.rows == 1)
        return found.repeat(self.copies)

    def last_rows(self, batch: int) -> Tensor:
        """Return the last row of a batch that reads each; under guidance one with a text, [rows].

        Raises:
            ValueError: The batch does not consist of the rows that were told.
        """
        numbers = self.numbers(batch).tolist()
        return torch.tensor(
            [batch - 1 - numbers[::-1].index(row) for row in range(self.rows)], dtype=torch.long
        )

    def take(self, name: str, batch: int) -> Tensor:
        """Return what `encode` made, with a row for each of a batch, [batch, ...].

        Raises:
            ValueError: The batch does not consist of the rows that were told.
        """
        assert self.values is not None
        value = self.values[name]
        return self.keep(("take", name, batch), lambda: self.spread(value, batch))

    def spread(self, value: Tensor, batch: int) -> Tensor:
        """Return the rows of a tensor, [rows, ...], as a batch has them, [batch, ...].

        Raises:
            ValueError: The batch does not consist of the rows that were told.
        """
        if len(value) == batch and self.copies == 1:
            return value
        return value[self.numbers(batch).to(value.device)]

    def keep(self, key: Hashable, make: Callable[[], Any]) -> Any:
        """Return what is made of conditions alone; of the first call, where nothing is learnt.

        Args:
            key: What it is.
            make: Makes it.
        """
        if torch.is_grad_enabled() or not self.step_independent:
            return make()
        if key not in self._kept:
            self._kept[key] = make()
        return self._kept[key]
