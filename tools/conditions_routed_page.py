"""What `python -m tools.conditions_routed` measured, for docs/conditions.md."""

from collections.abc import Mapping
from statistics import fmean
from typing import Any

from fusion.conditions.routing.experts import EXPERTS
from tasks.reports import to_table
from tools.conditions_edits import ASKED, TASKS
from tools.conditions_routed import (
    FULL,
    MIXTURE,
    ONE,
    REPAINT,
    SAMPLE,
    SIGNED,
    STATIC,
    STUDY,
    TOKEN,
)
from tools.conditions_training import missed, read_study, show_sheet, tell_spread, values_of
from tools.digit_tables import count_seeds

NAMES = {
    FULL: "CARE-Edit: tokens, mask repaint, mixture",
    SIGNED: "the same, masks may shrink",
    REPAINT: "tokens, mask repaint",
    MIXTURE: "tokens, mixture",
    TOKEN: "tokens, 3 of 4 experts",
    SAMPLE: "whole pictures, 3 of 4",
    STATIC: "static sum of 4",
    ONE: "one expert, base, as wide",
    "k1": "tokens, 1 of 4",
    "k2": "tokens, 2 of 4",
    "k4": "tokens, 4 of 4",
}
ADDED = (FULL, REPAINT, MIXTURE)  # what has more than experts by token, and is to be better
Found = Mapping[str, list[Any]]


def tell_routed() -> list[str]:
    """Return the paragraphs of the section.

    Raises:
        FileNotFoundError: Nothing has been measured.
    """
    settings, found = read_study(STUDY)
    asked = "; ".join(f"*{task}*: {what}" for task, what in ASKED.items())
    return [
        "Half of a drawn shape, under a mask, is to be changed on a frozen small FLUX, and all "
        "that is told disagrees: words ask for one colour, a reference shows another, the shape "
        f"has a third. The task says who is right ({asked}), and all else is to stay. Experts "
        f"learn in {settings['steps']} steps of {settings['batch']} edits; {_tell_seeds(found)}. "
        "`make conditions-routed` does it.",
        to_table(
            ["mixed", "weights", "both", *TASKS, "inside", "outside", "rest", "information, bits"],
            [_row(name, seeds) for name, seeds in found.items()],
        ),
        f"Percent of {settings['pictures']} edits in which *both* halves of the shape have the "
        "colour that they are to have, the nearest of the six or the ground, of all and by task; "
        "the half *inside* the mask alone, and that *outside*; *rest* is the mean error where no "
        "shape is, of 255. *Information* is what the task says of which expert is weighed, and "
        "behind it what 95 % of permutations of the tasks stay below. A static sum, and an "
        "expert alone, are not told the task: they show what is lost without a router.",
        _usage(found),
        "Part of all weight that each expert has, by task, of routers that weigh tokens; the mean "
        "over layers, tokens and steps of sampling.",
        "\n".join(_aims(found)),
        show_sheet(STUDY, "Edits of shapes: sources, references, masks, targets and what came out"),
    ]


def _tell_seeds(found: Found) -> str:
    return count_seeds([len(seeds) for seeds in found.values()])


def _row(name: str, seeds: list[Any]) -> list[str]:
    told = [tell_spread(values_of(seeds, key), 1) for key in ("both", *TASKS, "inside", "outside")]
    information = ""
    if "information" in seeds[0]:
        found, chance = (fmean(values_of(seeds, k)) for k in ("information", "by_chance"))
        information = f"{found:.3f} ({chance:.3f})"
    rest = tell_spread(values_of(seeds, "error"), 1)
    return [NAMES[name], f"{seeds[0]['weights']:,}", *told, rest, information]


def _usage(found: Found) -> str:
    seeds = found[TOKEN]
    rows = [
        [task, *(f"{fmean(one['usage'][task][n] for one in seeds):.2f}" for n in range(4))]
        for task in TASKS
    ]
    return to_table(["task", *EXPERTS], rows)


def _aims(found: Found) -> list[str]:
    """Say what was aimed at, as far as it has been measured."""
    both = {name: fmean(values_of(seeds, "both")) for name, seeds in found.items()}
    own = both[TOKEN]
    against = {
        STATIC: "Better under conflict than a static sum",
        ONE: "Better than one expert",
        SAMPLE: "Tokens against whole pictures, both told the task",
        FULL: "Mask repaint and mixture beside",
        REPAINT: "Mask repaint alone beside",
        MIXTURE: "Mixture alone beside",
    }
    told = []
    for name, claim in against.items():
        if name in both:
            ours, other = (both[name], own) if name in ADDED else (own, both[name])
            told.append(f"* {claim}: {ours:.1f} % against {other:.1f} %{missed(ours > other)}.")
    information, chance = (fmean(values_of(found[TOKEN], k)) for k in ("information", "by_chance"))
    told.append(
        f"* Usage differs by task beyond chance: {information:.3f} bits against {chance:.3f}"
        f"{missed(information > chance)}."
    )
    sweep = {k: both[name] for k, name in enumerate(("k1", "k2", TOKEN, "k4"), 1) if name in both}
    if len(sweep) > 1:
        shown = ", ".join(f"{score:.1f} % with {k}" for k, score in sweep.items())
        best = "" if own == max(sweep.values()) else ", which is not so here"
        told.append(f"* Experts kept of four: {shown}; the paper has its best at 3{best}.")
    return told
