"""Tables of Markdown on digit errors in scenarios."""

from collections.abc import Mapping, Sequence
from statistics import fmean, stdev

from tasks.reports import to_table

Errors = Mapping[str, float]  # percent, by scenario


def errors_by_scenario(columns: Mapping[str, Sequence[Errors]]) -> str:
    """Write a table with a line for each scenario and one for their mean.

    Args:
        columns: What was measured with each seed, by what stands above it; all of the same
            scenarios.
    """
    scenarios = list(next(iter(columns.values()))[0])
    lines = [
        [name, *(f"{fmean(one[name] for one in seeds):.1f}" for seeds in columns.values())]
        for name in scenarios
    ]
    lines.append(["**mean**", *(f"**{spread(means_of(seeds))}**" for seeds in columns.values())])
    return to_table(["digit errors, %", *columns], lines)


def errors_by_method(rows: Mapping[str, Mapping[str, Sequence[float]]], head: str) -> str:
    """Write a table with a line for each method, and a column for each scenario and their mean.

    Args:
        rows: Errors with each seed, by method and then scenario.
        head: What stands above the methods.
    """
    scenarios = list(next(iter(rows.values())))
    lines = []
    for name, found in rows.items():
        values = [fmean(seeds) for seeds in found.values()]
        lines.append([name, *(f"{value:.1f}" for value in values), f"{fmean(values):.1f}"])
    return to_table([head, *scenarios, "mean"], lines)


def means_of(seeds: Sequence[Errors]) -> list[float]:
    """Return the mean over scenarios of each seed."""
    return [fmean(errors.values()) for errors in seeds]


def spread(values: Sequence[float]) -> str:
    """Write the mean, and with two or more the standard deviation, such as "31.2 ± 0.4"."""
    told = f"{fmean(values):.1f}"
    return f"{told} ± {stdev(values):.1f}" if len(values) > 1 else told


def count_seeds(counts: Sequence[int]) -> str:
    """Say how many seeds there are, such as "3 seeds" or "1 to 2 seeds"."""
    low, high = min(counts), max(counts)
    told = str(high) if low == high else f"{low} to {high}"
    return f"{told} seed{'' if high == 1 else 's'}"
