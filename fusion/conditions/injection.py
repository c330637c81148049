"""Injectors on a denoiser: put in, told, composed into one forward, and taken off again."""

import inspect
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any
from weakref import WeakSet

import torch
from torch import Tensor

from fusion.conditions.contract import Condition, Injector, Step, Told
from fusion.conditions.counting import Count
from fusion.conditions.routing.place_weights import PlaceWeights
from fusion.contract.context import Repeats
from modalities.diffusion.denoiser import network_of
from modalities.spelling import did_you_mean

_STANDING: WeakSet[Injector] = WeakSet()  # on any denoiser; a copy of one stands nowhere


class Injection:
    """Injectors that stand on a denoiser, together; each does its part in one forward.

    Without a condition for it an injector does nothing, unless it needs none.

    Args:
        model: A `Denoiser`, or diffusers' own; its weights and modules stay as they are.
        injectors: By the names that conditions call them by.
        weights: What weighs features of several of them, place by place; None where each adds all.

    Raises:
        ValueError: There is none, one stands somewhere already or is for another class, or two run
            rows beside the batch; or weights of an injector that is not among them.
    """

    def __init__(
        self, model: Any, injectors: Mapping[str, Injector], weights: PlaceWeights | None = None
    ):
        self.model = network_of(model)
        self.injectors, self.weights = dict(injectors), weights
        self._check()
        self._step: Step | None = None
        self._parameters = inspect.signature(self.model.forward)
        self._handles = [
            self.model.register_forward_pre_hook(self._before, with_kwargs=True),
            self.model.register_forward_hook(self._after),
        ]
        for injector in self.injectors.values():
            self._handles += injector.install(self.model)
            _STANDING.add(injector)

    def _check(self) -> None:
        if not self.injectors:
            raise ValueError("There is no injector to put in; expected one or more, by name.")
        for name, injector in self.injectors.items():
            if not isinstance(injector, Injector):
                raise ValueError(
                    f"{name!r} is a {type(injector).__name__}; expected an injector. What "
                    "`build_preset` returns is given as it is, or one of its entries."
                )
            if any(injector is other for key, other in self.injectors.items() if key != name):
                raise ValueError(f"{name!r} is there under another name, too; expected it once.")
            if injector in _STANDING:
                raise ValueError(
                    f"{name!r} stands on a denoiser already; remove that injection first, or build "
                    "another."
                )
            if type(self.model).__name__ not in injector.backbones:
                raise ValueError(
                    f"{name!r} cannot stand on a {type(self.model).__name__}; expected "
                    f"{' or '.join(injector.backbones)} of diffusers."
                )
        names = () if self.weights is None else self.weights.names
        if missing := [name for name in names if name not in self.injectors]:
            raise ValueError(
                f"Weights are of {', '.join(names)}; there is no injector {missing[0]!r} among "
                f"{', '.join(self.injectors)}."
            )
        doubling = [name for name, injector in self.injectors.items() if injector.doubles]
        if len(doubling) > 1:
            raise ValueError(
                f"{' and '.join(doubling)} each run rows beside the batch; expected one of them."
            )

    @property
    def step(self) -> Step:
        """The call of the denoiser that is under way."""
        assert self._step is not None
        return self._step

    @contextmanager
    def tell(self, *conditions: Condition, repeats: Repeats | None = None) -> Iterator[None]:
        """Tell conditions; what is made of them is kept until this ends.

        Args:
            conditions: For rows of the batches that the denoiser runs in the meantime.
            repeats: How a batch of more rows comes about: `Repeats(whole=2)` for [a, b, a, b], as
                classifier-free guidance doubles one. None where there are as many.

        Raises:
            ValueError: Two of one name and kind, one for an injector that is not there, or one
                that its injector does not take; or all were removed.
        """
        if not self._handles:
            raise ValueError("These injectors were removed; inject them again to tell them.")
        told = self._deal(conditions, repeats or Repeats())
        before = {name: injector.told for name, injector in self.injectors.items()}
        for name, injector in self.injectors.items():
            injector.told = told.get(name)
        try:
            yield
        finally:
            for name, injector in self.injectors.items():
                injector.told = before[name]

    def _deal(self, conditions: tuple[Condition, ...], repeats: Repeats) -> dict[str, Told]:
        dealt: dict[str, dict[str, Condition]] = {}
        for one in conditions:
            injector = self.injectors.get(one.name)
            if injector is None:
                raise ValueError(
                    f"No injector {one.name!r} stands on the denoiser; there is "
                    f"{', '.join(self.injectors)}.{did_you_mean(one.name, self.injectors)}"
                )
            kinds = dealt.setdefault(one.name, {})
            if one.kind in kinds:
                raise ValueError(f"{one.name!r} was told {one.kind} twice; expected it once.")
            kinds[one.kind] = one
        for name, kinds in dealt.items():
            self.injectors[name].check(kinds)
        return {
            name: Told(kinds, repeats, self.injectors[name].each_step)
            for name, kinds in dealt.items()
        }

    @contextmanager
    def bare(self) -> Iterator[None]:
        """Let the denoiser run as if nothing stood on it."""
        before = {name: injector.asleep for name, injector in self.injectors.items()}
        for injector in self.injectors.values():
            injector.asleep = True
        try:
            yield
        finally:
            for name, injector in self.injectors.items():
                injector.asleep = before[name]

    def remove(self) -> None:
        """Take all off; the denoiser is what it was, to the bit."""
        for handle in self._handles:
            handle.remove()
        if self._handles:
            _STANDING.difference_update(self.injectors.values())
        self._handles = []

    def count(self) -> Count:
        """Count what all train, store and add."""
        return sum((one.count() for one in self.injectors.values()), Count(0, 0, 0))

    def _on(self) -> list[Injector]:
        """Return those that do something now; what runs rows beside the batch comes last."""
        return sorted((one for one in self.injectors.values() if one.on), key=lambda i: i.doubles)

    def _before(
        self, model: Any, args: tuple, kwargs: dict[str, Any]
    ) -> tuple[tuple, dict[str, Any]] | None:
        on = self._on()
        if not on:
            return None
        bound = self._parameters.bind(*args, **kwargs)
        self._step = step = Step(dict(bound.arguments))
        step.arguments.update(step.arguments.pop("kwargs", {}))
        for injector in on:
            self._encode(injector, step)
        if self.weights is not None:
            self.weights.weigh(self.injectors, len(step.pictures))
        for injector in on:
            injector.before(step)
        for injector in on:
            if injector.told is not None:
                injector.told.copies = 2 if on[-1].doubles else 1
        return (), step.arguments

    def _encode(self, injector: Injector, step: Step) -> None:
        """Make of conditions what layers are told, unless that is kept from an earlier step."""
        told = injector.told
        if told is None:
            return
        told.copies = 1
        told.numbers(len(step.pictures))  # a batch of other rows is refused before it runs
        if told.values is None or not told.step_independent or torch.is_grad_enabled():
            told.values = injector.encode(told.conditions, self)

    def _after(self, model: Any, args: tuple, output: Any) -> Any:
        for injector in reversed(self._on()):
            output = _change(output, injector)
        return output


def _change(output: Any, injector: Injector) -> Any:
    """Let an injector change the first thing that a denoiser returns, in whatever form."""
    if isinstance(output, tuple):
        return injector.after(output[0]), *output[1:]
    changed: Tensor = injector.after(output.sample)
    return output if changed is output.sample else type(output)(sample=changed)


def inject(
    model: Any, injectors: Mapping[str, Injector], weights: PlaceWeights | None = None
) -> Injection:
    """Put injectors into a frozen denoiser.

    Args:
        model: A `Denoiser`, or diffusers' own.
        injectors: By the names that conditions call them by.
        weights: What weighs features of several of them, place by place; None where each adds all.

    Raises:
        ValueError: There is none, one is for another class, or two run rows beside the batch; or
            weights of an injector that is not among them.
    """
    return Injection(model, injectors, weights)
