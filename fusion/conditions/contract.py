"""What a condition is, and what puts it into a frozen denoiser."""

from collections.abc import Callable, Hashable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, ClassVar, Protocol

import torch
from torch import Tensor, nn
from torch.utils.hooks import RemovableHandle

from fusion.conditions.counting import Count
from fusion.contract.context import Repeats

# The kinds of conditions, and the axes of each.
KINDS = {
    "tokens": ("rows", "tokens", "dim"),
    "map": ("rows", "channels", "height", "width"),
    "vector": ("rows", "dim"),
    "latent": ("rows", "channels", "height", "width"),
}
UNET, SD3, FLUX = "UNet2DConditionModel", "SD3Transformer2DModel", "FluxTransformer2DModel"


@dataclass(frozen=True, eq=False)
class Condition:
    """What pictures are to be like, in one respect; the first axis of each tensor is the rows.

    Attributes:
        name: Which injector it is for, as it was called when it was put in. Several conditions of
            different kinds may be for one, as a map and the tokens of a text.
        kind: A name of `KINDS`: "tokens", "map" (a picture in pixels), "vector" (numbers that say
            something of the whole picture) or "latent" (a picture as the denoiser reads it).
        data: In the axes of its kind.
        positions: Where each token lies, [rows, tokens, axes]; None where the order says it.
        lengths: How many tokens of each row are real, [rows]; None where all are.
        scale: What it counts, beside 1 as it was trained; 0 is as if it were not told.
        times: The time of each row whose noise a latent has, [rows]; None where it has none.
        step_independent: Whether it is the same at all steps of a sampling, so that what is made
            of it is made once.

    Raises:
        ValueError: No such kind, tensors that do not fit together, or numbers that are none.
    """

    name: str
    kind: str
    data: Tensor
    positions: Tensor | None = None
    lengths: Tensor | None = None
    scale: float = 1.0
    times: Tensor | None = None
    step_independent: bool = True

    def __post_init__(self):
        if self.kind not in KINDS:
            raise ValueError(
                f"No kind of condition {self.kind!r} for {self.name!r}; known: {', '.join(KINDS)}."
            )
        axes = KINDS[self.kind]
        if self.data.ndim != len(axes) or not self.data.numel():
            raise ValueError(
                f"The {self.kind} {self.name!r} is {list(self.data.shape)}; expected "
                f"[{', '.join(axes)}], each 1 or more."
            )
        if not self.data.isfinite().all():
            raise ValueError(
                f"The {self.kind} {self.name!r} has NaN or infinite numbers; expected finite ones."
            )
        self._check("lengths", self.lengths, "tokens", (self.rows,))
        self._check("times", self.times, "latent", (self.rows,))
        tokens = self.data.shape[1]
        if self.positions is not None:
            axes = self.positions.shape[-1] if self.positions.ndim else 0
            self._check("positions", self.positions, "tokens", (self.rows, tokens, axes))
        if self.lengths is not None and not ((self.lengths > 0) & (self.lengths <= tokens)).all():
            raise ValueError(
                f"lengths of {self.name!r} are {self.lengths.tolist()}; expected 1 to {tokens}."
            )

    def _check(self, field: str, value: Tensor | None, kind: str, shape: tuple[int, ...]) -> None:
        if value is None:
            return
        if self.kind != kind:
            raise ValueError(f"The {self.kind} {self.name!r} has {field}; only {kind} have them.")
        if tuple(value.shape) != shape:
            raise ValueError(
                f"{field} of {self.name!r} are {list(value.shape)}; expected {list(shape)}."
            )

    @property
    def rows(self) -> int:
        """How many pictures it is about."""
        return len(self.data)

    @property
    def mask(self) -> Tensor | None:
        """Which tokens are real, bool, [rows, tokens]; None where all are."""
        if self.lengths is None:
            return None
        return torch.arange(self.data.shape[1], device=self.data.device) < self.lengths[:, None]


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

    Attributes:
        values: What the injector's `encode` made of them, each [rows, ...].
        copies: How often a denoiser runs each row of the batch that it was called with: 2 where a
            partner runs beside it.
    """

    def __init__(self, conditions: Mapping[str, Condition], repeats: Repeats):
        self.conditions, self.repeats = dict(conditions), repeats
        self.values: dict[str, Tensor] | None = None
        self.copies = 1
        self._kept: dict[Hashable, Any] = {}

    @property
    def rows(self) -> int:
        """How many pictures it is about."""
        return next(iter(self.conditions.values())).rows

    @property
    def step_independent(self) -> bool:
        """Whether all of it is the same at all steps."""
        return all(one.step_independent for one in self.conditions.values())

    @property
    def scale(self) -> float:
        """What it counts: the product over the conditions."""
        found = 1.0
        for condition in self.conditions.values():
            found *= condition.scale
        return found

    def numbers(self, batch: int) -> Tensor:
        """Return which row of the conditions each row of a batch reads, [batch].

        Raises:
            ValueError: The batch does not consist of the rows that were told.
        """
        whole, rest = divmod(batch, self.copies)
        assert not rest
        found = self.repeats.numbers(self.rows, whole, "conditions", alike=self.rows == 1)
        return found.repeat(self.copies)

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


class Injector(nn.Module):
    """Puts conditions into a frozen denoiser. A kind is a subclass, in a file of its own.

    It lies beside the denoiser, whose weights and modules stay as they are: what it does, it does
    through hooks on the denoiser's modules or by the arguments that the denoiser is called with.

    Args:
        model: The denoiser, of diffusers, for the sizes of its layers; it is not changed and not
            held. It may lie on the device "meta".
        options: An instance of `Options`.

    Attributes:
        Options: A frozen dataclass of plain values.
        backbones: Names of the classes of denoisers that it can stand on.
        elsewhere: Beginnings of the names of weights that are not in its files, as they are
            frozen and to be had elsewhere.
        doubles: Whether it runs other rows beside those of the batch.
        told: What it was told; None where it was told nothing.
        asleep: Whether it is to do nothing, whatever it was told.

    Raises:
        ValueError: A denoiser of another class.
    """

    Options: ClassVar[type]
    backbones: ClassVar[tuple[str, ...]] = (UNET,)
    elsewhere: ClassVar[tuple[str, ...]] = ()
    doubles: ClassVar[bool] = False

    def __init__(self, model: Any, options: Any):
        super().__init__()
        if type(model).__name__ not in self.backbones:
            raise ValueError(
                f"{type(self).__name__} cannot stand on a {type(model).__name__}; expected "
                f"{' or '.join(self.backbones)} of diffusers."
            )
        self.options = options
        self.told: Told | None = None
        self.asleep = False

    @property
    def needs(self) -> tuple[str, ...]:
        """Kinds of conditions that it must be told; where there is none it is always on."""
        return ()

    @property
    def may_take(self) -> tuple[str, ...]:
        """Kinds that it can be told beside those."""
        return ()

    @property
    def on(self) -> bool:
        """Whether it does something now."""
        return not self.asleep and (self.told is not None or not self.needs)

    def check(self, conditions: Mapping[str, Condition]) -> None:
        """Check what it is told, by kind.

        Raises:
            ValueError: A kind that it does not take or lacks, rows that differ, or a size.
        """
        takes = (*self.needs, *self.may_take)
        name = next(iter(conditions.values())).name
        if odd := [kind for kind in conditions if kind not in takes]:
            raise ValueError(
                f"{name!r} takes no {odd[0]}; expected {' and '.join(self.needs) or 'nothing'}"
                f"{''.join(f', or {kind} beside' for kind in self.may_take)}."
            )
        if lacking := [kind for kind in self.needs if kind not in conditions]:
            raise ValueError(
                f"{name!r} was told {', '.join(conditions)} without {', '.join(lacking)}; expected "
                f"{' and '.join(self.needs)}."
            )
        if len(rows := {one.rows for one in conditions.values()}) > 1:
            raise ValueError(f"{name!r} was told of {sorted(rows)} rows; expected one number.")

    def encode(self, conditions: Mapping[str, Condition], host: Host) -> dict[str, Tensor]:
        """Make of conditions what the denoiser's layers are told.

        It is called at the first step after they were told, and at each step where one is not
        `step_independent` or something learns.

        Args:
            conditions: By kind.
            host: The denoiser, and the step that it is about to make.

        Returns:
            By name, each [rows, ...].

        Raises:
            ValueError: They do not fit the pictures of that step.
        """
        return {}

    def install(self, model: Any) -> list[RemovableHandle]:
        """Put hooks on a denoiser of the kind that this was built for, and return them."""
        return []

    def before(self, step: Step) -> None:
        """Change what the denoiser is called with; called at each step while this is on.

        Raises:
            ValueError: The conditions do not fit the pictures.
        """

    def after(self, output: Tensor) -> Tensor:
        """Return what the denoiser tells, changed; called at each step while this is on."""
        return output

    def count(self) -> Count:
        """Count what is trained, stored and added."""
        own = dict(self.named_parameters())
        return Count(
            trained=sum(p.numel() for p in own.values() if p.requires_grad),
            stored=sum(value.numel() for value in self.weights().values()),
            added=sum(p.numel() for p in own.values()),
        )

    def weights(self) -> dict[str, Tensor]:
        """Return what a file of it holds, by name."""
        return {n: v for n, v in self.state_dict().items() if not n.startswith(self.elsewhere)}

    def load_weights(self, weights: Mapping[str, Tensor]) -> None:
        """Take weights that `weights` returned.

        Raises:
            ValueError: They are another number, of other names or of other sizes.
        """
        own, kind = self.weights(), type(self).__name__
        if set(own) != set(weights):
            given, expected = (sum(v.numel() for v in w.values()) for w in (weights, own))
            odd = min(set(own) ^ set(weights))
            raise ValueError(
                f"{len(weights)} tensors with {given:,} weights are not those of this {kind}, which"
                f" has {len(own)} with {expected:,}: {odd} is "
                f"{'missing' if odd in own else 'not in it'}."
            )
        for name, value in own.items():
            if weights[name].shape != value.shape:
                raise ValueError(
                    f"{name} is {list(weights[name].shape)}; this {kind} has {list(value.shape)}. "
                    "They are weights of other options, or for another denoiser."
                )
        self.load_state_dict(dict(weights), strict=False)
