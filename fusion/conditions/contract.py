"""What puts conditions into a frozen denoiser."""

from collections.abc import Mapping
from typing import Any, ClassVar

from torch import Tensor, nn
from torch.utils.hooks import RemovableHandle

from fusion.conditions.condition import Condition
from fusion.conditions.counting import Count
from fusion.conditions.steps import Host, Step, Told
from modalities.diffusion.networks import UNET


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
        each_step: Whether it makes something else of the same conditions at each step.
        doubles: Whether it runs other rows beside those of the batch.
        told: What it was told; None where it was told nothing.
        asleep: Whether it is to do nothing, whatever it was told.

    Raises:
        ValueError: A denoiser of another class.
    """

    Options: ClassVar[type]
    backbones: ClassVar[tuple[str, ...]] = (UNET,)
    elsewhere: ClassVar[tuple[str, ...]] = ()
    each_step: ClassVar[bool] = False
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
    def places(self) -> Mapping[str, int]:
        """Names of the places where it adds features that a router can weigh, and their channels.

        They are names in what `encode` returns, each [rows, channels, height, width].
        """
        return {}

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
