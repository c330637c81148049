"""Learned weights, for each place of a denoiser, by which features of several conditions mix."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from fusion.conditions.contract import Injector
from fusion.conditions.routing.scalars import ScalarOptions, ScalarRouter
from fusion.contract.options import check_choice
from fusion.routing.contract import Router, Routing
from fusion.routing.report import Trace
from fusion.routing.routers.features import FeatureRouter, FeatureRouterOptions
from fusion.routing.weight_rules import SoftmaxTopK

EQUAL, SIMPLE, PATCH = "equal", "simple", "patch"


@dataclass(frozen=True)
class PlaceOptions:
    """How what several injectors add is weighed.

    Attributes:
        weights: "equal" for 1 / conditions; "simple" for the softmax of a learned number for each
            condition and place; "patch" for the softmax of a linear layer on the features that all
            conditions have there.
        k: How many conditions are kept at a place; None for all.
        temperature: What scores are divided by, above 0.
    """

    weights: str = SIMPLE
    k: int | None = None
    temperature: float = 1.0

    def __post_init__(self):
        check_choice("weights", self.weights, (EQUAL, SIMPLE, PATCH))
        SoftmaxTopK(self.k, self.temperature)  # says what it takes


class PlaceWeights(nn.Module):
    """Weighs what several injectors of one kind add at the places of a denoiser.

    At each place the weights of the conditions that are told are 1 together: one that is not told,
    or told at scale 0, leaves its weight to the others. Without learning all weigh alike.

    Args:
        injectors: Whose features are mixed, by the names that conditions call them by; not held.
        options: How they are weighed.

    Raises:
        ValueError: Fewer than two, of different kinds, one that adds no features at places, or
            other places.

    Source:
        Ctrl-Adapter, arXiv 2404.09967: equal and simple weights of its released code; weights by
        patch are of its second version, whose form is chosen here.
    """

    def __init__(self, injectors: Mapping[str, Injector], options: PlaceOptions):
        super().__init__()
        self.options, self.names = options, tuple(injectors)
        self.places = dict(_common_places(injectors))
        self.rule = SoftmaxTopK(options.k, options.temperature)
        self.routers = nn.ModuleDict(
            {place: self._router(width) for place, width in self.places.items()}
        )
        self._trace: list[tuple[str, Routing]] | None = None

    def _router(self, width: int) -> Router:
        experts = len(self.names)
        if self.options.weights == PATCH:
            zeros = FeatureRouterOptions(bias=True, router_start="zeros")
            return FeatureRouter(experts * width, experts, 1, zeros)
        router = ScalarRouter(experts * width, experts, 1, ScalarOptions())
        return router.requires_grad_(self.options.weights == SIMPLE)

    @contextmanager
    def watch(self) -> Iterator[Trace]:
        """Watch what is decided at each place, with experts in the order of `names`."""
        before, trace = self._trace, Trace()
        self._trace = trace.taken
        try:
            yield trace
        finally:
            self._trace = before

    def weigh(self, injectors: Mapping[str, Injector], batch: int) -> None:
        """Tell injectors what they count at each place, for the step that is about to be made.

        Args:
            injectors: By name, those that were told something; others are passed over.
            batch: How many rows the step has.
        """
        told = [name for name in self.names if name in injectors and _counts(injectors[name])]
        for place in self.places if told else ():
            routing = self._decide(place, {name: injectors[name] for name in told}, batch)
            if self._trace is not None:
                self._trace.append((place, routing))
            for name in told:
                share = routing.weights[..., self.names.index(name)]
                self._hand(injectors[name], place, share, batch)

    def _decide(self, place: str, told: Mapping[str, Injector], batch: int) -> Routing:
        router: Any = self.routers[place]
        features = {name: _features(one, place, batch) for name, one in told.items()}
        like = next(iter(features.values()))
        if self.options.weights == PATCH:
            nothing = torch.zeros_like(like)
            read = torch.cat([features.get(name, nothing) for name in self.names], 1)
            read = read.flatten(2).mT  # [batch, places, conditions * width]
        else:
            read = like.new_zeros(1, router.dim)
        absent = [name not in told for name in self.names]
        weigh = partial(self._weigh, absent=torch.tensor(absent, device=like.device))
        return router.decide(read.to(next(router.parameters()).dtype), None, weigh)

    def _weigh(self, logits: Tensor, absent: Tensor) -> tuple[Tensor, None]:
        return self.rule(logits.masked_fill(absent, -torch.inf), self.training), None

    def _hand(self, injector: Injector, place: str, share: Tensor, batch: int) -> None:
        told = injector.told
        assert told is not None
        height, width = _features(injector, place, batch).shape[2:]
        fits = (
            share.view(1, 1, 1, 1) if share.shape == (1,) else share.unflatten(1, (height, width))
        )
        told.shares[place] = fits if fits.ndim == 4 else fits[:, None]


def _common_places(injectors: Mapping[str, Injector]) -> Mapping[str, int]:
    if len(injectors) < 2:
        raise ValueError(
            f"There is {', '.join(injectors) or 'no injector'} to weigh; expected two or more."
        )
    kinds = {type(one).__name__ for one in injectors.values()}
    (first, one), *others = injectors.items()
    if not one.places:
        raise ValueError(
            f"{first!r} is a {type(one).__name__}, which adds no features that can be weighed at "
            "places; expected ResidualPyramid or FeatureMapper."
        )
    if len(kinds) > 1:
        raise ValueError(
            f"Injectors of different kinds, {' and '.join(sorted(kinds))}, add at different places;"
            " expected one kind."
        )
    for name, other in others:
        if other.places != one.places:
            raise ValueError(
                f"{name!r} adds at {len(other.places)} places of {list(other.places.values())} "
                f"channels, {first!r} at {list(one.places.values())}; expected the same."
            )
    return one.places


def _counts(injector: Injector) -> bool:
    return injector.on and injector.told is not None and injector.told.scale != 0


def _features(injector: Injector, place: str, batch: int) -> Tensor:
    """Return what an injector made for a place, [batch, channels, height, width]."""
    assert injector.told is not None
    return injector.told.take(place, batch)
