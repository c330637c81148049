"""Attributes of sounds, and between which bounds an adapter is told them, read without torch."""

from dataclasses import dataclass
from math import isfinite, log


@dataclass(frozen=True)
class SoundAttribute:
    """Something continuous that can be said of a sound.

    Attributes:
        unit: What it is counted in.
        least: Below it nothing is measured.
        most: Beyond it nothing is measured.
        ratio: Whether equal ratios are heard as equal steps, as octaves of a pitch are.
        lacking: Why a sound that is not silent may have none; "" where each has it.
    """

    unit: str
    least: float
    most: float
    ratio: bool = False
    lacking: str = ""


SOUND_ATTRIBUTES: dict[str, SoundAttribute] = {
    "loudness": SoundAttribute("LUFS", -120.0, 20.0),
    "pitch": SoundAttribute("Hz", 50.0, 2000.0, ratio=True, lacking="nothing in it is voiced"),
    "centroid": SoundAttribute("Hz", 1.0, 8000.0, ratio=True),
    "rate": SoundAttribute("onsets/s", 0.0, 20.0),
}


@dataclass(frozen=True)
class Bounds:
    """The least and the most of an attribute that an adapter was trained on.

    Attributes:
        name: The attribute's.
        unit: What it is counted in; "" for a number without one.
        least: What is told as 0.
        most: What is told as 1.
        ratio: Whether equal ratios are equal steps between them.

    Raises:
        ValueError: Bounds that are none.
    """

    name: str
    unit: str
    least: float
    most: float
    ratio: bool = False

    def __post_init__(self):
        finite = isfinite(self.least) and isfinite(self.most)
        if not (finite and self.least < self.most) or (self.ratio and self.least <= 0):
            raise ValueError(
                f"Bounds of {self.name} are {self.least:g} to {self.most:g}; expected the least "
                f"and more than it{', above 0' if self.ratio else ''}."
            )

    def share(self, value: float) -> float:
        """Return where a value lies, 0 at the least and 1 at the most, beyond them outside 0..1.

        Args:
            value: In the attribute's unit.
        """
        if not self.ratio:
            return (value - self.least) / (self.most - self.least)
        return log(max(value, 1e-9) / self.least) / log(self.most / self.least)

    def value(self, share: float) -> float:
        """Return the value, in the attribute's unit, at a share of the way between the bounds."""
        if not self.ratio:
            return self.least + share * (self.most - self.least)
        return self.least * (self.most / self.least) ** share

    def __str__(self) -> str:
        return f"{self.least:.4g} to {self.most:.4g} {self.unit}".rstrip()
