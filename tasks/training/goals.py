"""What is to get better in a training, as a text names it."""

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from modalities.spelling import did_you_mean

LOWER_IS_BETTER = {"loss", "error", "errors", "hd95"}  # words in the names of measures


@dataclass(frozen=True)
class Goal:
    """A measure that is to rise, or to fall.

    Attributes:
        name: What it is called among what is measured.
        higher: Whether more of it is better.
    """

    name: str
    higher: bool

    def value(self, row: Mapping[str, Any]) -> float:
        """Return what a row has of it, turned so that higher is better."""
        return row[self.name] if self.higher else -row[self.name]


def read_goal(text: str) -> Goal:
    """Read a goal.

    Args:
        text: The name of a measure whose highest value is best; with "-" before it, its lowest.

    Raises:
        ValueError: It names a loss or an error, whose highest value is its worst.
    """
    name = text.removeprefix("-")
    if name == text and LOWER_IS_BETTER.intersection(re.split(r"[\W_]+", name)):
        raise ValueError(
            f"{text!r} would be best where it is highest; write '-{text}', as lower is better."
        )
    return Goal(name, higher=name == text)


def check_known(option: str, text: str, known: Collection[str]) -> None:
    """Check that what a goal names is measured.

    Args:
        option: Which option holds it, for the message.
        text: The goal; "" is none.
        known: Names of all that is measured.

    Raises:
        ValueError: It is not.
    """
    name = text.removeprefix("-")
    if text and name not in known:
        raise ValueError(
            f"loop.{option} is {text!r}, and no {name!r} is measured; known: "
            f"{', '.join(known) or 'nothing'}.{did_you_mean(name, known)}"
        )
