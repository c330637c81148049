"""The table of published ways of telling conditions, counted on models without weights."""

from collections.abc import Iterator
from functools import cache
from typing import Any

import torch

from fusion.conditions.backbones import build_backbone
from fusion.conditions.catalog import PRESETS, build_preset
from fusion.conditions.contract import Injector
from fusion.conditions.counting import Count

HEAD = ("name", "paper", "told", "on", "trained", "stored", "added", "published")
NUMBERS = ("trained", "stored", "added")


def tell_presets() -> list[str]:
    """Return paragraphs of Markdown: the table of counts, and that of settings."""
    rule = ["---:" if name in NUMBERS else "---" for name in HEAD]
    counts = [_line(HEAD), _line(rule), *map(_line, _rows())]
    settings = [
        _line(("name", "published training", "chosen here, or different")),
        _line(["---"] * 3),
        *(_line((f"`{name}`", one.training, one.ours)) for name, one in PRESETS.items()),
    ]
    return ["\n".join(counts), "\n".join(settings)]


def _rows() -> Iterator[tuple[str, ...]]:
    for name, preset in PRESETS.items():
        for backbone in preset.trained:
            with torch.device("meta"):
                parts = build_preset(_backbone(backbone), name)
            count = sum((one.count() for one in parts.values()), Count(0, 0, 0))
            if count.trained != preset.trained[backbone]:
                raise ValueError(
                    f"{name} trains {count.trained:,} weights on {backbone}; expected "
                    f"{preset.trained[backbone]:,}."
                )
            numbers = (f"{getattr(count, one):,}" for one in NUMBERS)
            yield (f"`{name}`", preset.title, _told(parts), backbone, *numbers, preset.published)


@cache
def _backbone(name: str) -> Any:
    return build_backbone(name)


def _told(parts: dict[str, Injector]) -> str:
    """Say what the injectors of a preset are told, by their names."""
    told = []
    for name, one in parts.items():
        if one.needs:
            more = "".join(f" (or {kind} beside)" for kind in one.may_take)
            told.append(f"`{name}`: {' and '.join(one.needs)}{more}")
    return "; ".join(told) or "nothing"


def _line(cells: Any) -> str:
    return f"| {' | '.join(cells)} |".replace("|  |", "| |")
