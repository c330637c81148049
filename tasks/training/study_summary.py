"""Results of a study over its seeds: which belong together, their mean and deviation."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from statistics import mean, stdev
from typing import Any

from tasks.training.study_runs import Result

FIGURES = 4  # of the largest mean in a column, where no decimals are asked for


@dataclass(frozen=True)
class Measure:
    """A number of each result, and how a report tells it.

    Attributes:
        name: What it is called in the results.
        head: What stands above its column, after the group's name; "" for the name.
        axis: What stands beside its axis; "" for the name.
        decimals: Digits after the point; None for as many as the column's largest mean needs to
            show four figures.
    """

    name: str
    head: str = ""
    axis: str = ""
    decimals: int | None = None

    @property
    def spoken(self) -> str:
        """The name in words."""
        return self.name.replace("_", " ")


@dataclass(frozen=True)
class Summary:
    """A measure over several seeds.

    Attributes:
        mean: Its arithmetic mean.
        deviation: Its standard deviation, that of a sample (by n - 1); 0 for one seed, not a number
            where one of several is infinite or none.
    """

    mean: float
    deviation: float

    def tell(self, decimals: int) -> str:
        """Return both with so many digits after the point, as "97.3 ± 0.4"."""
        return f"{self.mean:.{decimals}f} ± {self.deviation:.{decimals}f}"


def summarise(results: Sequence[Result], name: str) -> Summary:
    """Put the results of several seeds together.

    Args:
        results: One or more.
        name: The measure that is looked at.
    """
    values = [result.measures[name] for result in results]
    if len(values) == 1:
        return Summary(values[0], 0.0)
    known = all(map(math.isfinite, values))  # of others `stdev` is an error of its own
    return Summary(mean(values), stdev(values) if known else math.nan)


def decimals_of(summaries: Iterable[Summary], measure: Measure) -> int:
    """Return how many digits after the point the cells of a column are told with, 0 or more."""
    if measure.decimals is not None:
        return measure.decimals
    sizes = [abs(s.mean) for s in summaries if math.isfinite(s.mean) and s.mean]
    return max(0, FIGURES - 1 - math.floor(math.log10(max(sizes)))) if sizes else FIGURES - 1


def rows_of(results: Sequence[Result]) -> list[str]:
    """Return the rows of results, in their order."""
    return list(dict.fromkeys(result.row for result in results))


def groups_of(results: Sequence[Result]) -> list[str]:
    """Return the groups of results, in their order; [""] where the study has none."""
    return list(dict.fromkeys(result.group for result in results))


def values_of(results: Sequence[Result]) -> list[Any]:
    """Return the swept values of results, None left out: numbers by size, else in their order."""
    values: list[Any] = []
    for result in results:
        if result.value is not None and result.value not in values:
            values.append(result.value)
    return sorted(values) if are_numbers(values) else values


def are_numbers(values: Sequence[Any]) -> bool:
    """Tell whether all are numbers; a truth value is none."""
    return all(isinstance(value, int | float) and not isinstance(value, bool) for value in values)


def split_values(results: Sequence[Result]) -> list[list[Result]]:
    """Part results by the swept value; those without one come first."""
    parts = [[result for result in results if result.value is None]]
    parts += [[r for r in results if r.value == value] for value in values_of(results)]
    return [part for part in parts if part]
