"""What a painting is asked for beside its sounds, checked without torch."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from math import isfinite
from pathlib import Path

from modalities.audio.attribute_scale import Bounds
from modalities.diffusion.limits import MOST_PIXELS
from modalities.spelling import did_you_mean
from tasks.audio_to_image.painting.conditions.card import ATTRIBUTES, EDGES, ConditionCard

SOUND = "sound"  # what an attribute is called that is measured of the sound that is painted
_SIZE = re.compile(r"([1-9]\d{0,8})x([1-9]\d{0,8})")
_VALUE = re.compile(r"([-+]?[\d.]+(?:[eE][-+]?\d+)?)\s*(.*)")


@dataclass(frozen=True)
class Asked:
    """What a picture is to be like beside what it sounds like.

    Attributes:
        edges: A picture whose edges are followed; None for none.
        attributes: By name where each lies between its bounds, 0 to 1; None for as the sound is.
        size: Height and width in pixels; None for what the painter learnt.
    """

    edges: Path | None = None
    attributes: Mapping[str, float | None] = field(default_factory=dict)
    size: tuple[int, int] | None = None

    def __bool__(self) -> bool:
        """Whether something is asked."""
        return self.edges is not None or bool(self.attributes) or self.size is not None


def read_size(text: str) -> tuple[int, int]:
    """Read a size as it is typed, as "48x32", width by height.

    Returns:
        Height and width in pixels.

    Raises:
        ValueError: It is none, or too large.
    """
    found = _SIZE.fullmatch(text.strip().lower())
    if not found:
        raise ValueError(
            f"--size is {text!r}; expected width by height in pixels, as in --size 48x32."
        )
    height, width = int(found[2]), int(found[1])
    if height * width > MOST_PIXELS:
        raise ValueError(
            f"--size {width}x{height} is too large to be painted; expected {MOST_PIXELS:,} pixels "
            "or fewer in all."
        )
    return height, width


def read_attributes(
    texts: Sequence[str], cards: Iterable[ConditionCard]
) -> dict[str, float | None]:
    """Read attributes as they are typed.

    Args:
        texts: Each "NAME=VALUE", where the value is 0 to 1, or one in the attribute's unit, as
            "pitch=220Hz"; or "NAME" or "NAME=sound" for as the sound is.
        cards: Those of the adapters that can be told.

    Returns:
        By name where each lies between its bounds, 0 to 1; None for as the sound is.

    Raises:
        ValueError: A name that no adapter knows, one twice, no number, or one out of range.
    """
    known = {one.name: one for card in cards for one in card.attributes}
    found: dict[str, float | None] = {}
    for text in texts:
        name, _, value = (part.strip() for part in text.partition("="))
        if name not in known:
            there = ", ".join(known) or "none"
            guess = did_you_mean(name, known)
            raise ValueError(
                f"--attribute {name!r}: this painter has no adapter for it; it has attributes: "
                f"{there}.{guess}"
            )
        if name in found:
            raise ValueError(f"--attribute {name} was given twice; expected it once.")
        measured = value == SOUND or "=" not in text
        found[name] = None if measured else _read(value, known[name])
    return found


def _read(value: str, bounds: Bounds) -> float:
    """Return where a typed value lies between its bounds."""
    told = f"--attribute {bounds.name}={value}"
    units = f", or {bounds} with the unit" if bounds.unit else ""
    wanted = f"expected 0 to 1{units}, or sound for what the sound has"
    found = _VALUE.fullmatch(value)
    try:
        number = float(found[1]) if found else float("nan")
    except ValueError:
        number = float("nan")
    unit = found[2] if found else ""
    if not isfinite(number) or unit.lower() not in ("", bounds.unit.lower()):
        raise ValueError(f"{told} is no number; {wanted}.")
    share = bounds.share(number) if unit else number
    if not -1e-6 <= share <= 1 + 1e-6:
        raise ValueError(f"{told} is out of range; {wanted}.")
    return min(max(share, 0.0), 1.0)


def check_kinds_there(asked: Asked, cards: Iterable[ConditionCard]) -> None:
    """Check that a painter has adapters for what it is asked.

    Args:
        asked: What it is asked.
        cards: Those of its adapters.

    Raises:
        ValueError: It has none for edges or for attributes; the message lists what it has.
    """
    cards = list(cards)
    kinds = {card.kind for card in cards}
    there = ", ".join(name for card in cards for name in card.tells) or "none"
    for kind, wanted in ((EDGES, asked.edges is not None), (ATTRIBUTES, bool(asked.attributes))):
        if wanted and kind not in kinds:
            raise ValueError(
                f"This painter has no adapter for {kind}; it has: {there}. Train one with "
                "`mcgurk train` (task: painting_condition), or name its folder by --condition."
            )
