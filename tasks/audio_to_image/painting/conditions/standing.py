"""Adapters of conditions on a painter's denoiser, and what they are told."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from fusion.conditions.condition import Condition
from fusion.conditions.contract import Injector
from fusion.conditions.injection import Injection, inject
from modalities.diffusion.denoiser import Denoiser
from tasks.audio_to_image.painting.conditions.asked import Asked, check_kinds_there
from tasks.audio_to_image.painting.conditions.card import ATTRIBUTES, EDGES, SIZE, ConditionCard
from tasks.audio_to_image.painting.conditions.files import load_condition


class StandingConditions:
    """What stands on a denoiser beside what reads sounds.

    Args:
        denoiser: Frozen.
        cards: Those of adapters, by their folders.

    Raises:
        FileNotFoundError: A folder is not whole.
        ValueError: One is damaged, or was trained on another denoiser.
    """

    def __init__(self, denoiser: Denoiser, cards: Mapping[Path, ConditionCard]):
        self.denoiser = denoiser
        self.cards = list(cards.values())
        self.injectors: dict[str, Injector] = {}
        self.names: dict[str, ConditionCard] = {}
        self.sizing: list[Injector] = []
        for number, (folder, card) in enumerate(cards.items()):
            for name, injector in load_condition(folder, card, denoiser).items():
                key = f"{number} {name}"
                self.injectors[key], self.names[key] = injector, card
                if card.kind == SIZE:
                    self.sizing.append(injector)
                    injector.asleep = True
        self.injection: Injection | None = None
        if self.injectors:
            self.injection = inject(denoiser, self.injectors)

    @contextmanager
    def tell(
        self,
        size: tuple[int, int],
        edges: np.ndarray | None = None,
        attributes: Mapping[str, float] | None = None,
    ) -> Iterator[None]:
        """Tell what pictures are to be like; all that are painted meanwhile are like it.

        Args:
            size: Height and width that are painted.
            edges: 1 on edges and 0 elsewhere, [height, width]; None for any.
            attributes: All that an adapter knows, by name, 0 to 1; None or {} for any.

        Raises:
            ValueError: Edges of another size, or an attribute out of range.
        """
        check_kinds_there(Asked(None if edges is None else Path(), attributes or {}), self.cards)
        if self.injection is None:
            yield
            return
        conditions = [
            Condition(name, kind, data.to(self.denoiser.device))
            for name, card in self.names.items()
            for kind, data in _data(card, edges, attributes or {})
        ]
        native = tuple(size) == tuple(self.denoiser.side)
        for injector in self.sizing:
            injector.asleep = native
        try:
            with self.injection.tell(*conditions):
                yield
        finally:
            for injector in self.sizing:
                injector.asleep = True


def _data(
    card: ConditionCard, edges: np.ndarray | None, attributes: Mapping[str, float]
) -> Iterator[tuple[str, Tensor]]:
    if card.kind == EDGES and edges is not None:
        yield "map", torch.from_numpy(np.ascontiguousarray(edges))[None, None]
    told = [one.name for one in card.attributes]
    if card.kind == ATTRIBUTES and any(name in attributes for name in told):
        if lacking := [name for name in told if name not in attributes]:
            raise ValueError(
                f"Attributes are {', '.join(attributes)} without {', '.join(lacking)}; expected "
                f"{', '.join(told)}."
            )
        yield "vector", torch.tensor([[float(attributes[name]) for name in told]])
