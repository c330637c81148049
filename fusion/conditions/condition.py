"""What pictures are to be like, in one respect."""

from dataclasses import dataclass
from math import isfinite

import torch
from torch import Tensor

# The kinds of conditions, and the axes of each.
KINDS = {
    "tokens": ("rows", "tokens", "dim"),
    "map": ("rows", "channels", "height", "width"),
    "vector": ("rows", "dim"),
    "latent": ("rows", "channels", "height", "width"),
}


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
        if not (isinstance(self.data, Tensor) and self.data.is_floating_point()):
            got = self.data.dtype if isinstance(self.data, Tensor) else type(self.data).__name__
            raise ValueError(
                f"The {self.kind} {self.name!r} is {got}; expected a tensor of floats, such as "
                "torch.from_numpy(values).float()."
            )
        if not (isinstance(self.scale, int | float) and isfinite(self.scale)):
            raise ValueError(f"The scale of {self.name!r} is {self.scale!r}; expected a number.")
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
