"""Whether a condition is to be trusted: what is painted by it is read again, and compared."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from fusion.contract.options import check_choice

OWN, OTHERS, IMAGE = "own", "others", "image"
MEASURES = (OWN, OTHERS, IMAGE)
LEAST_DEVIATION = 1e-6
# Paints a picture for each row by one condition alone, told its type and its data.
Paint = Callable[[str, Tensor], Tensor]


@dataclass(frozen=True)
class Cycle:
    """How a type of condition is read again and compared.

    Attributes:
        read: Makes data of pictures, as it was made of the real ones, [rows, ...].
        likeness: Tells how like two data are, more where more alike, [rows].
    """

    read: Callable[[Tensor], Tensor]
    likeness: Callable[[Tensor, Tensor], Tensor]


class CycleScorer:
    """Scores each condition of each row by what is painted by that condition alone.

    Measures of different types are on different scales, so each is counted in deviations from
    what sound conditions of its type reach.

    Args:
        cycles: By type; scores are in their order.
        measures: Names of `MEASURES` whose mean is the score. "own": the condition, read again in
            what was painted by it. "others": the other conditions, read again there, and it where
            they painted. "image": what was painted by it beside the real picture, which there is
            in training alone.
        image: Tells how like pictures are, for "image", [rows].

    Raises:
        ValueError: No such measure, none, or no way to compare pictures.

    Source:
        DynamicControl, arXiv 2412.03255: "own" and "image". Scores by type in deviations, and
        "others", which needs no real picture, are ours.
    """

    def __init__(
        self,
        cycles: Mapping[str, Cycle],
        measures: tuple[str, ...] = (OWN,),
        image: Callable[[Tensor, Tensor], Tensor] | None = None,
    ):
        for name in measures:
            check_choice("measure", name, MEASURES)
        if not measures or not cycles:
            raise ValueError(
                f"Measures are {', '.join(measures) or 'none'} of {len(cycles)} types; expected "
                "one or more of each."
            )
        if IMAGE in measures and image is None:
            raise ValueError("Measure 'image' needs a way to compare pictures; give image=...")
        self.cycles, self.measures, self.image = dict(cycles), tuple(measures), image
        self._usual: dict[str, tuple[Tensor, Tensor]] | None = None

    def measure(
        self, told: Mapping[str, Tensor], paint: Paint, real: Tensor | None = None
    ) -> "Measured":
        """Paint by each condition alone, read all types there, and compare.

        Args:
            told: Data of each type, [rows, ...].
            paint: Paints by one of them.
            real: The pictures that they are of, for "image", [rows, colours, height, width].

        Raises:
            ValueError: A type that is not known or missing, or no real pictures for "image".
        """
        if odd := [name for name in told if name not in self.cycles]:
            raise ValueError(f"No type {odd[0]!r}; known: {', '.join(self.cycles)}.")
        if missing := [name for name in self.cycles if name not in told]:
            raise ValueError(f"Nothing was told of {missing[0]!r}; expected all types.")
        if IMAGE in self.measures and real is None:
            raise ValueError("Measure 'image' needs the real pictures; give real=...")
        painted = [paint(name, told[name]) for name in self.cycles]
        read = torch.stack([self._read(told, one) for one in painted], 1)
        if real is None or self.image is None:
            return Measured(read)
        return Measured(read, torch.stack([self.image(one, real) for one in painted], 1))

    def _read(self, told: Mapping[str, Tensor], painted: Tensor) -> Tensor:
        """Read all types in what was painted by one, [rows, types]."""
        found = [one.likeness(told[name], one.read(painted)) for name, one in self.cycles.items()]
        return torch.stack(found, 1)

    def calibrate(self, measured: "Measured") -> None:
        """Learn what is usual from sound conditions.

        Args:
            measured: What `measure` returned for them, on pictures that nothing was trained on.
        """
        self._usual = {name: _usual(values) for name, values in measured.named().items()}

    def score(self, measured: "Measured") -> Tensor:
        """Return how far above the usual each condition is, in deviations, [rows, types].

        Args:
            measured: What `measure` returned.

        Raises:
            ValueError: Nothing is usual yet, or there is nothing to compare with others.
        """
        if self._usual is None:
            raise ValueError("Nothing is known of sound conditions; call calibrate first.")
        scaled = {}
        for name, values in measured.named().items():
            mean, deviation = self._usual[name]
            scaled[name] = (values - mean) / deviation
        return torch.stack([self._column(name, scaled) for name in self.measures]).mean(0)

    def _column(self, measure: str, scaled: Mapping[str, Tensor]) -> Tensor:
        if measure == IMAGE:
            return scaled["image"]
        read, own = scaled["read"], scaled["read"].diagonal(dim1=1, dim2=2)
        if measure == OWN:
            return own
        both = (read.sum(1) + read.sum(2)) / 2 - own  # painted by it, and read where others painted
        return both / max(1, read.shape[1] - 1)


@dataclass(frozen=True, eq=False)
class Measured:
    """What was found in pictures that were painted by one condition each.

    Attributes:
        read: How like each condition is to what was read of its type in what another, or itself,
            painted: [rows, types that painted, types that were read].
        image: How like the real picture each painted one is, [rows, types]; None where nobody
            compared them.
    """

    read: Tensor
    image: Tensor | None = None

    def named(self) -> dict[str, Tensor]:
        """Return what there is by name."""
        return {"read": self.read} | ({} if self.image is None else {"image": self.image})


def keep_sound(scores: Tensor, threshold: float, least: int = 1) -> Tensor:
    """Choose which conditions of each row are told.

    Args:
        scores: [rows, types].
        threshold: A condition is kept that scores as much or more.
        least: How many of each row are kept at least, the highest ones.

    Returns:
        Bool, [rows, types].

    Raises:
        ValueError: More are to be kept than there are.
    """
    if not 0 <= least <= scores.shape[1]:
        raise ValueError(f"least is {least}; expected 0 to {scores.shape[1]}.")
    kept = scores >= threshold
    return kept.scatter(1, scores.topk(least, 1).indices, True) if least else kept


def find_threshold(scores: Tensor, sound: Tensor) -> float:
    """Return the threshold that best tells sound conditions from others, where both are known.

    Args:
        scores: [rows, types].
        sound: Which are, bool, [rows, types].

    Returns:
        The score with the highest mean of the shares of sound ones kept and of others dropped.

    Raises:
        ValueError: There are only sound ones, or none.
    """
    if sound.all() or not sound.any():
        raise ValueError("All conditions are sound, or none is; expected some of both.")
    order = scores.flatten().argsort(descending=True)
    good = sound.flatten()[order].double()
    kept = good.cumsum(0) / good.sum() - (1 - good).cumsum(0) / (1 - good).sum()
    return float(scores.flatten()[order[int(kept.argmax())]])


def rows_alike(kept: Tensor) -> list[tuple[Tensor, list[bool]]]:
    """Group rows of which the same conditions are told, as a denoiser is told for a whole batch.

    Args:
        kept: Bool, [rows, types].

    Returns:
        Numbers of the rows of each group, [some], and which types are kept.
    """
    patterns, which = torch.unique(kept, dim=0, return_inverse=True)
    return [
        ((which == number).nonzero()[:, 0], pattern.tolist())
        for number, pattern in enumerate(patterns)
    ]


def _usual(values: Tensor) -> tuple[Tensor, Tensor]:
    return values.mean(0), values.std(0).clamp(min=LEAST_DEVIATION)
