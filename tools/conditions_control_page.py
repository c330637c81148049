"""Tell what `python -m tools.conditions_control` measured."""

from collections.abc import Mapping
from statistics import fmean
from typing import Any

from tasks.reports import to_table
from tools.conditions_control import (
    FASTER,
    LOOKED,
    MAPPED,
    NAME,
    SAME,
    SCRATCH,
    TESTED,
    TOLD,
)
from tools.conditions_training import missed, read_study, show_sheet, tell_spread, values_of
from tools.digit_tables import count_seeds

MOST_USELESS = 0.25  # the share at which a useless condition counts as left out
Found = Mapping[str, list[Any]]  # what each seed measured, by method


def tell_control() -> list[str]:
    """Return the paragraphs of the section.

    Raises:
        FileNotFoundError: Nothing has been measured.
    """
    settings, found = read_study(NAME)
    rows = []
    for method, seeds in found.items():
        row = [method, f"{seeds[0]['trained']:,}"]
        row += [tell_spread(values_of(seeds, "f1", str(step))) for step in (0, *TOLD)]
        row.append(tell_spread(values_of(seeds, "seconds"), 0))
        rows.append(row)
    source = settings["source"]
    return [
        f"A ControlNet learns edges for a base of 16 x 16 in {source['steps']} steps of "
        f"{source['batch']} pictures, and is frozen. Ctrl-Adapter maps its features to a base of "
        "32 x 32 with other widths, whose noise has 400 times where the first has 1,000; beside "
        "it a ControlNet is trained from scratch on the larger base, by the same steps of "
        f"{settings['batch']} pictures, by two rates; the mapping's rate and how long the frozen "
        "ControlNet was trained were chosen on the validation "
        f"({count_seeds([len(one) for one in found.values()])}). The "
        f"table tells the edge F1 by the steps that were made: edges found again in {TESTED} "
        "painted pictures, brought to 16 x 16, one pixel of tolerance, percent. "
        "`make conditions-control` does it.",
        to_table(["trained", "weights", *map(str, (0, *TOLD)), "seconds"], rows),
        "\n".join(_aims(found)),
        show_sheet(
            NAME, "Shapes painted by edges, by a ControlNet from scratch and by a mapped one"
        ),
    ]


def steps_to(seeds: list[Any], aim: float) -> int | None:
    """Return after how many steps the mean F1 over seeds is first as high as an aim, or None."""
    for step in LOOKED:
        if fmean(values_of(seeds, "f1", str(step))) >= aim:
            return step
    return None


def scratch_to(found: Found, aim: float) -> int | None:
    """Return after how many steps control from scratch is first as good, at its better rate."""
    steps = [steps_to(found[method], aim) for method in (SCRATCH, FASTER)]
    return min((one for one in steps if one is not None), default=None)


def _levels(found: Found) -> str:
    """Say after how many steps some levels of F1 are reached, mapped and from scratch."""
    told = []
    for level in (80, 85, 90):
        mapped = steps_to(found[MAPPED], level)
        own = scratch_to(found, level)
        if mapped and own:
            told.append(f"F1 {level} after {mapped} steps against {own} from scratch")
    return ", ".join(told) or "no level above 80 was reached by both"


def _aims(found: Found) -> list[str]:
    """Say what was aimed at, and whether it was reached."""
    last = str(LOOKED[-1])
    end = {method: fmean(values_of(seeds, "f1", last)) for method, seeds in found.items()}
    aim = max(
        fmean(values_of(found[method], "f1", str(step)))
        for step in LOOKED
        for method in (SCRATCH, FASTER)
    )
    own, mapped = scratch_to(found, aim), steps_to(found[MAPPED], aim)
    assert own is not None
    reached = mapped is not None and 3 * mapped <= own
    mix = [one["mix"] for one in found[MAPPED]]
    equal, learnt, useless = (fmean(values_of(mix, key)) for key in ("equal", "learnt", "useless"))
    return [
        f"* A third of the steps or fewer: the best of the control from scratch, F1 {aim:.1f} "
        f"after {own} steps, is reached by mapped features after "
        f"{mapped if mapped is not None else f'more than {last}'} steps{missed(reached)}.",
        f"* Clocks matched by shares beat the same time: F1 {end[MAPPED]:.1f} against "
        f"{end[SAME]:.1f} after {last} steps{missed(end[MAPPED] > end[SAME])}.",
        f"* On the way there: {_levels(found)}.",
        "* Learned weights leave a useless condition out, the edges of another picture beside the "
        f"right ones: its share goes from 0.50 to {useless:.2f}, and F1 from {equal:.1f} to "
        f"{learnt:.1f} (aim: a share below {MOST_USELESS}, and a better F1)"
        f"{missed(useless < MOST_USELESS and learnt > equal)}.",
    ]
