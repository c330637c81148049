"""What is known about adapters of conditions, read without torch."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from modalities.audio.attribute_scale import Bounds
from tasks.cards import check_kinds, read_card_file

CARD, WEIGHTS = "condition.json", "condition.safetensors"
CONDITIONS = "conditions"  # folder of a painter's that holds them, by name
EDGES, ATTRIBUTES, SIZE = "edges", "attributes", "size"
KINDS = {EDGES: "t2i_adapter", ATTRIBUTES: "att_adapter", SIZE: "res_adapter"}  # and their presets


@dataclass(frozen=True)
class ConditionCard:
    """What is known about an adapter of conditions.

    Attributes:
        kind: A name of `KINDS`.
        preset: The published way of telling that it follows, a name of `PRESETS`.
        denoiser: The frozen one it was trained on, by the name it was loaded with.
        weights: That denoiser's hash, as `Denoiser.identity` has it.
        size: Height and width that were learnt, of "edges" and "attributes".
        sizes: Heights and widths that were learnt, of "size".
        attributes: What it is told between which bounds, in the order of its vector.
        data: What it was trained on, in words.
        licence: What the weights are licensed under; "" where nobody said.
        command: The command that trained it.
        trained: Parameters that were trained.
        scores: On the validation, and the seconds of the training.
    """

    kind: str
    preset: str
    denoiser: str
    weights: str
    data: str
    licence: str
    command: str
    trained: int
    size: tuple[int, ...] = ()
    sizes: tuple[tuple[int, ...], ...] = ()
    attributes: tuple[Bounds, ...] = ()
    scores: dict[str, float] = field(default_factory=dict)

    @property
    def tells(self) -> tuple[str, ...]:
        """What it can be told, as the command's options say it."""
        if self.kind == ATTRIBUTES:
            return tuple(f"--attribute {one.name}" for one in self.attributes)
        return (f"--{self.kind}",)


def read_condition_card(folder: str | Path) -> ConditionCard:
    """Read the card of an adapter of conditions.

    Raises:
        FileNotFoundError: It is not there, or not whole.
        ValueError: It is damaged.
    """
    card = read_card_file(
        folder, CARD, ConditionCard, "train the condition again", lists=("size",), parts=_parts
    )
    if card.kind not in KINDS:
        known = ", ".join(KINDS)
        raise ValueError(f"{Path(folder) / CARD} has the kind {card.kind!r}; known: {known}.")
    return card


def _parts(data: dict[str, Any]) -> dict[str, Any]:
    bounds = tuple(Bounds(**one) for one in data.pop("attributes"))
    for one in bounds:
        check_kinds(one)
    return {"attributes": bounds, "sizes": tuple(tuple(size) for size in data.pop("sizes"))}


def find_conditions(painter: Path, more: Sequence[str | Path] = ()) -> dict[Path, ConditionCard]:
    """Return the adapters of a painter, by their folders.

    Args:
        painter: Its folder.
        more: Folders of adapters that lie elsewhere; they go before the painter's own.

    Raises:
        FileNotFoundError: One is not there, or not whole.
        ValueError: One is damaged, or two can be told the same.
    """
    named = _read_all(list(map(Path, more)))
    own = _read_all(sorted(path.parent for path in (painter / CONDITIONS).glob(f"*/{CARD}")))
    told = {name for card in named.values() for name in card.tells}
    return named | {folder: card for folder, card in own.items() if not told & {*card.tells}}


def _read_all(folders: Sequence[Path]) -> dict[Path, ConditionCard]:
    found: dict[Path, ConditionCard] = {}
    told: dict[str, Path] = {}
    for folder in folders:
        found[folder] = card = read_condition_card(folder)
        for name in card.tells:
            if name in told:
                raise ValueError(
                    f"{told[name]} and {folder} can both be told {name}; expected one that can."
                )
            told[name] = folder
    return found
