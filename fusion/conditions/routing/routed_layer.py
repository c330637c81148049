"""What stands behind a block: experts, their router, and how a mask goes on to the next."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from fusion.conditions.routing.edit_mask import NONE, SIGNED, LatentMixture, MaskRepaint
from fusion.conditions.routing.experts import (
    BASE,
    MASK,
    REFERENCE,
    Seen,
    Sizes,
    build_expert,
    norm_tokens,
    to_map,
)
from fusion.conditions.routing.scalars import ScalarOptions, ScalarRouter
from fusion.conditions.routing.task_query import TASK, TaskQueryOptions, TaskQueryRouter
from fusion.contract.context import Context
from fusion.routing.contract import Router, Routing
from fusion.routing.weight_rules import SoftmaxTopK

TOKEN, SAMPLE, STATIC = "token", "sample", "static"  # what is weighed by itself


@dataclass
class Flow:
    """What goes from layer to layer within one forward.

    Attributes:
        grid: Height and width of the picture in tokens.
        task: What is to be done, [batch, task_dim]; None where nobody said.
        scores: Smoothed scores of the last layer, [batch, places, experts].
        mask: That the last layer made, [batch, 1, height, width].
        routing: What the last layer decided, until it was noted.
        mixture: What experts counted in the last mixture, [batch, experts, height, width], until
            it was noted.
    """

    grid: tuple[int, int] = (0, 0)
    task: Tensor | None = None
    scores: Tensor | None = None
    mask: Tensor | None = None
    routing: Routing | None = None
    mixture: Tensor | None = None


class RoutedLayer(nn.Module):
    """Experts behind a block, which a router or, in the last layer, a mixture weighs.

    Args:
        sizes: Widths of the denoiser's tokens and heads.
        options: A `RoutedOptions`.
        mixes: Whether it has a mixture in place of a router.

    Source:
        CARE-Edit, arXiv 2603.08589. That scores are smoothed, and masks change, from layer to layer
        of one forward, so that a step depends on no other, is chosen here.
    """

    def __init__(self, sizes: Sizes, options: Any, mixes: bool):
        super().__init__()
        self.options, self.names = options, tuple(options.experts)
        self.experts = nn.ModuleDict({name: build_expert(name, sizes) for name in self.names})
        count = len(self.names)
        self.router = None if mixes else _build_router(sizes.dim, count, options)
        self.mixture = LatentMixture(sizes.dim, count, BASE in self.names) if mixes else None
        repaints = MASK in self.names and options.repaint != NONE
        self.repaint = MaskRepaint(sizes, options.repaint == SIGNED) if repaints else None

    def forward(
        self,
        picture: Tensor,
        seen: Seen,
        modulation: Tensor,
        flow: Flow,
        scales: Sequence[float],
        temperature: float,
    ) -> Tensor:
        """Return what is added to the picture's tokens, [batch, places, dim].

        Args:
            picture: Its tokens, as the block returns them, [batch, places, dim].
            seen: What there is beside.
            modulation: What blocks are told of time and text, [batch, dim].
            flow: What came from the layer before; it is changed.
            scales: What each expert counts, 0 for one that is dropped.
            temperature: What scores are divided by.
        """
        states = norm_tokens(picture)
        if self.repaint is not None and seen.mask is not None and self._there(MASK, scales):
            painted = self.repaint(states, self._summary(seen, scales), seen.mask)
            flow.mask, seen = painted, seen.painted(painted)
        made = {
            name: scale * self.experts[name](states, seen)
            for name, scale in zip(self.names, scales, strict=True)
            if scale
        }
        weights = self._weights(states, flow, scales, temperature)
        mixed = sum(
            weights[..., number, None] * made[name]
            for number, name in enumerate(self.names)
            if name in made
        )
        assert isinstance(mixed, Tensor)
        if self.mixture is None:
            return mixed
        return self.mixture(mixed, states, made.get(BASE), modulation)

    def _there(self, name: str, scales: Sequence[float]) -> bool:
        return name in self.names and scales[self.names.index(name)] != 0

    def _summary(self, seen: Seen, scales: Sequence[float]) -> Tensor | None:
        expert: Any = self.experts[REFERENCE] if self._there(REFERENCE, scales) else None
        return None if expert is None else expert.summary(seen)

    def _weights(
        self, states: Tensor, flow: Flow, scales: Sequence[float], temperature: float
    ) -> Tensor:
        """Return what each expert counts at each place, [batch, places or 1, experts]."""
        absent = torch.tensor([scale == 0 for scale in scales], device=states.device)
        if self.mixture is not None:
            weights = self.mixture.weights(states, absent)
            flow.mixture = to_map(weights, flow.grid)
            return weights
        assert self.router is not None
        context = None if flow.task is None else Context(values={TASK: flow.task})
        weigh = partial(self._weigh, flow=flow, absent=absent, temperature=temperature)
        read = states if self.options.routing == TOKEN else states.mean(1, keepdim=True)
        flow.routing = self.router.decide(read, context, weigh)
        return flow.routing.weights

    def _weigh(
        self, logits: Tensor, flow: Flow, absent: Tensor, temperature: float
    ) -> tuple[Tensor, None]:
        options = self.options
        if flow.scores is not None:
            logits = options.smoothing * flow.scores + (1 - options.smoothing) * logits
        flow.scores = logits
        rule = SoftmaxTopK(options.k, temperature)
        weights = rule(logits.masked_fill(absent, -torch.inf), self.training)
        if not options.shared or absent[self.names.index(options.shared)]:
            return weights, None
        alone = torch.zeros_like(weights)
        alone[..., self.names.index(options.shared)] = 1.0
        return (1 - options.shared_weight) * weights + options.shared_weight * alone, None


def _build_router(dim: int, experts: int, options: Any) -> Router:
    if options.routing == STATIC:
        return ScalarRouter(dim, experts, 1, ScalarOptions())
    query = TaskQueryOptions(options.key_dim, options.hidden, options.task_dim)
    return TaskQueryRouter(dim, experts, 1, query)
