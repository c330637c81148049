"""What `python -m tools.conditions_cycle` measured, for docs/conditions.md."""

from collections.abc import Mapping, Sequence
from statistics import fmean
from typing import Any

from tasks.reports import to_table
from tools.conditions_cycle import (
    EVALUATOR,
    FEW,
    METHOD,
    REAL,
    SCORERS,
    SOUND,
    STUDY,
    TAUGHT,
    TYPES,
)
from tools.conditions_judges import load_judge, measure_judge
from tools.conditions_training import missed, read_study, show_sheet, tell_spread, values_of
from tools.digit_tables import count_seeds

SPOILT = {"all": "all", "other": "another picture's", "noise": "noise"}
LEAST_AREA = 0.9  # what was aimed at
CHANCE = "by chance, as many"


def tell_cycle() -> list[str]:
    """Return the paragraphs of the section.

    Raises:
        FileNotFoundError: Nothing has been measured.
    """
    settings, found = read_study(STUDY)
    seeds = found[METHOD]
    shape, colour = measure_judge(load_judge("shapes"))
    return [
        "Drawn shapes of 16 x 16 are told by words and by four conditions: edges; the cover, "
        "where the shape is; a coarse picture of colours; place and size as numbers. Each has an "
        f"injector of its own on one frozen U-Net; they learnt together in {settings['steps']:,} "
        f"steps of {settings['batch']} pictures, told one or several. Then about a third of all "
        "conditions is spoilt: half of these are another picture's, half are noise. A cycle "
        "paints by one condition alone, in one step from the real picture behind noise or in "
        f"{FEW} steps from noise alone, reads the conditions there again, and compares; scores "
        "are deviations from what sound conditions reach on other pictures. The evaluator, a "
        "network of two small layers where the paper has a language model, learnt to tell the "
        f"scores of the first way of {settings['scored']:,} pictures from conditions and words "
        f"alone. {count_seeds([len(seeds)]).capitalize()}; `make conditions-cycle` does it.",
        _table_of_areas(seeds),
        "Area under the ROC curve of sound conditions against spoilt ones, by what they were "
        "spoilt with and by type; 0.5 is chance. *Own*: the condition, read again; *image*: the "
        "painted picture beside the real one, which there is in training alone; *others*: the "
        "other three, read in what it painted, and it in what they painted, which needs no real "
        "picture and is ours.",
        _table_of_pictures(seeds),
        f"What is painted of {settings['pictures']} pictures where only some of the conditions "
        "are told, the words always. Thresholds were chosen on other pictures. *Right* is the "
        "percent of conditions that were told and sound, or neither. Shapes and colours are "
        f"named by a judge that is right in {shape:.1f} % and {colour:.1f} % of real ones; edges "
        "are F1 with one pixel of tolerance; the error is the mean difference to the real "
        "picture, of 255.",
        "\n".join(_aims(seeds)),
        show_sheet(
            STUDY, "Shapes painted by spoilt conditions, by those kept, by sound ones alone"
        ),
    ]


def _table_of_areas(seeds: Sequence[Any]) -> str:
    names = {
        "cycle, real picture": "cycle: own",
        "double cycle, real picture": "double cycle: own, image",
        "cycle from noise": "cycle from noise: own",
        "cycle from noise, and the others": "cycle from noise: own, others",
        EVALUATOR: "evaluator",
    }
    rows = [
        [names[way], "needed" if way in REAL else "", *(_area(seeds, way, c) for c in _columns())]
        for way in (*SCORERS, EVALUATOR)
    ]
    return to_table(["scored by", "real picture", *SPOILT.values(), *TYPES], rows)


def _columns() -> list[str]:
    return [*SPOILT, *TYPES]


def _area(seeds: Sequence[Any], way: str, column: str) -> str:
    return tell_spread(values_of(seeds, "areas", way, column), 2)


def _table_of_pictures(seeds: Sequence[Any]) -> str:
    digits = {"told": 1, "right": 1, "shape": 1, "colour": 1, "edges": 1, "error": 1}
    rows = [
        [name, *(tell_spread(values_of(seeds, "painted", name, k), d) for k, d in digits.items())]
        for name in seeds[0]["painted"]
    ]
    head = ["told", "conditions", "right, %", "shape, %", "colour, %", "edges, %", "error"]
    return to_table(head, rows)


def _aims(seeds: Sequence[Mapping[str, Any]]) -> list[str]:
    def area(way: str) -> float:
        return fmean(values_of(seeds, "areas", way, "all"))

    def error(name: str) -> float:
        return fmean(values_of(seeds, "painted", name, "error"))

    def edges(name: str) -> float:
        return fmean(values_of(seeds, "painted", name, "edges"))

    def shape(name: str) -> float:
        return fmean(values_of(seeds, "painted", name, "shape"))

    kept, others = error(EVALUATOR), area("cycle from noise, and the others")
    return [
        f"* The cycle tells sound conditions from spoilt ones, area above {LEAST_AREA:g}: "
        f"{area(TAUGHT):.2f} with the real picture at hand"
        f"{missed(area(TAUGHT) > LEAST_AREA)}; {others:.2f} without it"
        f"{missed(others > LEAST_AREA)}. From noise, another picture's condition is consistent "
        f"with itself: its own cycle has {area('cycle from noise'):.2f}.",
        f"* The evaluator, which needs no real picture and paints nothing: {area(EVALUATOR):.2f}"
        f"{missed(area(EVALUATOR) > LEAST_AREA)}.",
        f"* What the evaluator keeps is better told than all conditions: error {kept:.1f} against "
        f"{error('all'):.1f}, edges {edges(EVALUATOR):.1f} % against {edges('all'):.1f} %"
        f"{missed(kept < error('all') and edges(EVALUATOR) > edges('all'))}.",
        f"* And better than as many by chance: error {kept:.1f} against {error(CHANCE):.1f}, edges "
        f"{edges(EVALUATOR):.1f} % against {edges(CHANCE):.1f} %"
        f"{missed(kept < error(CHANCE) and edges(EVALUATOR) > edges(CHANCE))}.",
        f"* Words alone paint a shape that is named right in {shape('none'):.1f} %, conditions one "
        f"in {shape(SOUND):.1f} %, but at its place: error {error('none'):.1f} against "
        f"{error(SOUND):.1f}.",
    ]
