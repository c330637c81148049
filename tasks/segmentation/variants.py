"""The variants of VLSM-Adapter by name: where its blocks go, and how wide they are."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from modalities.spelling import did_you_mean

DECODER, FULL, UNET = "decoder", "full", "unet"
NOTHING = ""  # is trained: the frozen model as it is
DENSE_RANK, SHALLOW_RANK, CONDITION_RANK = 64, 512, 256


@dataclass(frozen=True)
class Placement:
    """Where blocks of one width go.

    Attributes:
        where: Roles of `fusion.contract.sites`.
        below: Whether only the layers take them that lie below the last one the decoder reads.
        condition: Whether the width is that of the block at the condition.
    """

    where: tuple[str, ...]
    below: bool = False
    condition: bool = False


@dataclass(frozen=True)
class Variant:
    """One of the paper's six.

    Attributes:
        title: As the paper writes it.
        placements: Its blocks.
        rank: Their width as published, but for that at the condition.
    """

    title: str
    placements: tuple[Placement, ...]
    rank: int

    @property
    def where(self) -> tuple[str, ...]:
        """All roles that take a block."""
        return tuple(role for placement in self.placements for role in placement.where)

    @property
    def shallow(self) -> bool:
        """Whether the encoders are left alone, so that what they make can be kept."""
        return not any(placement.below for placement in self.placements)


_DENSE_V = Placement(("vision.attention", "vision.mlp"), below=True)
_DENSE_L = Placement(("text.attention", "text.mlp"), below=True)
_SHALLOW_V, _SHALLOW_L = Placement(("vision.tap",)), Placement(("text.tap",))
_CONDITION = Placement(("condition.tap",), condition=True)

VARIANTS: dict[str, Variant] = {
    "da_v": Variant("DA-V", (_DENSE_V,), DENSE_RANK),
    "da_vl": Variant("DA-VL", (_DENSE_V, _DENSE_L), DENSE_RANK),
    "da_vlc": Variant("DA-VLC", (_DENSE_V, _DENSE_L, _CONDITION), DENSE_RANK),
    "sa_v": Variant("SA-V", (_SHALLOW_V,), SHALLOW_RANK),
    "sa_vl": Variant("SA-VL", (_SHALLOW_V, _SHALLOW_L), SHALLOW_RANK),
    "sa_vlc": Variant("SA-VLC", (_SHALLOW_V, _SHALLOW_L, _CONDITION), SHALLOW_RANK),
}
OPTIONS: dict[str, dict[str, type]] = {
    **dict.fromkeys(VARIANTS, {"rank": int, "condition_rank": int}),
    DECODER: {},
    FULL: {"text": bool},
    UNET: {"encoder": str},
    NOTHING: {},
}


def check_variant_options(name: str, options: Mapping[str, Any]) -> None:
    """Check what is set of a variant, or of a way to train that is none.

    Raises:
        ValueError: There is no such option, or it has another type or no width.
    """
    known = OPTIONS[name]
    for option, value in options.items():
        if option not in known:
            raise ValueError(
                f"Method {name!r} has no option {option!r}; known: {', '.join(known) or 'none'}."
                f"{did_you_mean(option, known)}"
            )
        kind = known[option]
        good = isinstance(value, kind) and isinstance(value, bool) == (kind is bool)
        if not good or (kind is int and value < 1):
            expected = {int: "1 or more", bool: "true or false"}.get(kind, "a name")
            raise ValueError(f"Option {option!r} of {name!r} is {value!r}; expected {expected}.")
