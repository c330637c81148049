"""What was measured of conditions on small MM-DiTs, as paragraphs for docs/conditions.md."""

import json
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import fmean
from typing import Any

from tasks.reports import to_table
from tools import conditions_easycontrol as easycontrol
from tools import conditions_mmdits as mmdits
from tools import conditions_pka as pka
from tools import conditions_unic as unic
from tools.conditions_training import tell_spread
from tools.digit_tables import count_seeds
from tools.machine import processor

PAGE = Path(__file__).resolve().parents[1] / "docs"
Seeds = Sequence[Mapping[str, Mapping[str, float]]]
REACHED = {True: "reached", False: "MISSED"}


def tell_easycontrol() -> list[str]:
    """Return the section of EasyControl.

    Raises:
        FileNotFoundError: Nothing was measured.
    """
    found = _read(easycontrol.RESULTS)
    seeds: Seeds = found["seeds"]
    head = ["trained by", "told", "edges, F1", "colour right, %", "distance"]
    lines = [
        [form, told, *_cells(seeds, f"{form}, {told}", ("edges", "colour", "distance"))]
        for form in easycontrol.FORMS
        for told in easycontrol.TOLD
    ]
    times = found["steps"]
    steps = [[form, *(f"{value:.1f}" for value in times[form])] for form in easycontrol.FORMS]
    return [
        f"Two branches of rank {found['rank']} were trained apart for {_tell_lesson(found)} on "
        f"{_tell_base('flux')}: one is told edges, the other a subject, another picture in the "
        "wanted colour. That was done by the causal mask, and in one sequence in which all tokens "
        "see all; then both are told at once. No word is told.",
        to_table(head, lines),
        f"{_tell_test(found, seeds)} An edge counts as found within a pixel; distance is "
        "Fréchet's, of what the judge sees. The step size was chosen by the edges of validation "
        "pictures, with the mask.",
        to_table(
            ["ms a step", *(_number(count, "condition") for count in easycontrol.COUNTS)], steps
        ),
        f"Without conditions a step takes {times['none']:.1f} ms, {easycontrol.ROWS} pictures at "
        f"once, one core of {processor()}.",
        "\n".join(_aims_of_easycontrol(found)),
        _picture(easycontrol.SHEET, "Edges and subjects, and what is painted of both"),
    ]


def _aims_of_easycontrol(found: Mapping[str, Any]) -> list[str]:
    kept, absent, times = found["kept"]["kept"], found["kept"]["absent"], found["steps"]
    both = {
        form: {name: _mean(found["seeds"], f"{form}, both", name) for name in ("edges", "colour")}
        for form in easycontrol.FORMS
    }
    causal, dense = (both[form] for form in easycontrol.FORMS)
    better = fmean(causal.values()) > fmean(dense.values())
    most = times[easycontrol.CAUSAL][-1] / times[easycontrol.DENSE][-1]
    return [
        f"* Keys and values that are kept paint what new ones at each step paint: they differ by "
        f"{kept:.1g} at most (aim: 1e-5): {REACHED[kept <= 1e-5]}.",
        f"* Without a condition the base is what it was: it differs by {absent:g} (aim: 0): "
        f"{REACHED[absent == 0]}.",
        f"* Both at once, untrained: {_pair(causal)} with the mask, {_pair(dense)} all to all (aim:"
        f" a higher mean with the mask): {REACHED[better]}.",
        f"* With {easycontrol.COUNTS[-1]} conditions a step takes {most:.2f} of one all to all.",
    ]


def _pair(told: Mapping[str, float]) -> str:
    return f"edges {told['edges']:.1f} and colour {told['colour']:.1f}"


def tell_unic() -> list[str]:
    """Return the section of UNIC-Adapter.

    Raises:
        FileNotFoundError: Nothing was measured.
    """
    found = _read(unic.RESULTS)
    seeds: Seeds = found["seeds"]
    head = ["adapter", "instruction", "outline kept, F1", "colour kept, %", "mirrored outline, F1"]
    lines = []
    for name in seeds[0]:
        form, _, task = name.partition(", ")
        lines.append([form, task, *_cells(seeds, name, unic.TASKS)])
    return [
        f"One adapter of rank {found['rank']} was trained for {_tell_lesson(found)} beside "
        f"{_tell_base('sd3')}. It is told a picture and one of three instructions, two tokens "
        "each, and nothing else: copy its outline in a new colour, copy its colour onto another "
        "shape, or mirror it. The colour was asked for twice as often as each of the others, and "
        "times were late ones, logit-normal (1, 1), which validation pictures chose.",
        to_table(head, lines),
        f'{_tell_test(found, seeds)} "wanted" is what is measured of the targets themselves; '
        '"base alone" paints without an adapter.',
        "\n".join(_aims_of_unic(seeds)),
        _picture(unic.SHEET, "Pictures that are told, and what each instruction makes of them"),
    ]


def _aims_of_unic(seeds: Seeds) -> list[str]:
    own = {task: _mean(seeds, f"{unic.WHOLE}, {task}", task) for task in unic.TASKS}
    others = {
        task: max(_mean(seeds, f"{unic.WHOLE}, {one}", task) for one in unic.TASKS if one != task)
        for task in ("copy outline", "mirror")
    }
    idle = _mean(seeds, f"{unic.WHOLE}, copy outline", "copy colour")
    told = [own[task] > others[task] for task in others] + [own["copy colour"] > 2 * idle]
    untold = {task: _mean(seeds, f"{unic.UNTOLD}, {unic.NONE}", task) for task in unic.TASKS}
    unturned = {task: _mean(seeds, f"{unic.UNTURNED}, {task}", task) for task in unic.TASKS}
    lost = {task: own[task] - unturned[task] for task in unic.TASKS}
    pixels = min(lost["copy outline"], lost["mirror"]) > 5 > lost["copy colour"]

    def each(values: Mapping[str, float]) -> str:
        return ", ".join(f"{task} {value:.1f}" for task, value in values.items())

    return [
        f"* One adapter does three tasks: {each(own)}; with another instruction the outline is "
        f"kept by {others['copy outline']:.1f}, mirrored by {others['mirror']:.1f}, and the colour "
        f"kept by {idle:.1f} where a new one is asked for (aim: each higher by its own "
        f"instruction, the colour twice as high): {REACHED[all(told)]}.",
        f"* Trained without the instruction: {each(untold)} (aim: each below): "
        f"{REACHED[all(untold[task] < own[task] for task in own)]}.",
        f"* Without rotary positions: {each(unturned)} (aim: outline and mirror lose 5 or more, "
        f"the colour does not): {REACHED[pixels]}.",
    ]


def tell_pka() -> list[str]:
    """Return the section of PKA.

    Raises:
        FileNotFoundError: Nothing was measured.
    """
    found = _read(pka.RESULTS)
    counts, names = found["counts"], ("edges", "shape", "colour", "distance")
    head = ["edges, F1", "shape right, %", "colour right, %", "distance"]
    lines = [
        [form, ", ".join(pka.ORDER[:count]), *_cells(counts, f"{form}, {count}", names)]
        for form in (pka.SPARSE, pka.DENSE)
        for count in range(1, len(pka.ORDER) + 1)
    ]
    swept = [
        [name, *_cells(found["thresholds"], name, ("places", "colour", "shape", "distance"))]
        for name in found["thresholds"][0]
    ]
    timed = [
        [*name.split(", subject" if "subject" in name else ", edges")[:1], name.split(", ")[-1]]
        + _cells(found["times"], name, names)
        for name in found["times"][0]
    ]
    return [
        f"Four branches of rank {found['rank']} were trained apart for {_tell_lesson(found)} on "
        "the frozen FLUX: edges, the region of the shape and the colours of 4 x 4 blocks are read "
        "by position, a subject by the places that look at the word of the shape. That word is "
        "told, the colour is not. Beside them stand branches that every place reads whole.",
        to_table(["read", "told", *head], lines),
        f"{_tell_test(found, counts)} Distance is Fréchet's, of what the judge sees.",
        to_table(
            ["threshold", "places that read, %", "colour right, %", "shape right, %", "distance"],
            swept,
        ),
        "A subject alone: its fidelity is the colour. The branch is one, trained at "
        f"{pka.TRAINED_BY:g}.",
        to_table(["times drawn", "told", *head], timed),
        "Edges alone and a subject alone, trained for "
        f"{found['short']['steps']} steps, {count_seeds([len(found['times'])])}.",
        "\n".join(_aims_of_pka(found)),
        _picture(pka.SHEET, "What is told, and what is painted of one to four conditions"),
    ]


def _aims_of_pka(found: Mapping[str, Any]) -> list[str]:
    counts, swept, times = found["counts"], found["thresholds"], found["times"]
    last = len(pka.ORDER)
    ours, theirs = (
        fmean(_mean(counts, f"{form}, {last}", name) for name in ("edges", "colour"))
        for form in (pka.SPARSE, pka.DENSE)
    )
    best = max(swept[0], key=lambda name: _mean(swept, name, "colour"))
    published, uniform = (
        [
            (one[f"{label}, {pka.EDGES}"]["edges"] + one[f"{label}, {pka.SUBJECT}"]["colour"]) / 2
            for one in times
        ]
        for label in pka.TIMES
    )
    ahead = [one - other for one, other in zip(published, uniform, strict=True)]
    return [
        f"* With all four, the mean of edges and colour is {ours:.1f}, read whole {theirs:.1f} "
        f"(aim: not below by 5): {REACHED[ours >= theirs - 5]}.",
        f"* The subject's colour is best told at a threshold of {best}; at {pka.TRAINED_BY:g}, by "
        f"which it was trained, {_mean(swept, f'{pka.TRAINED_BY:g}', 'colour'):.1f} % are right, "
        f"at 1 {_mean(swept, '1', 'colour'):.1f} %.",
        "* Times by logit-normal (0.5, 1.5): the mean of edges by edges and colour by a subject is "
        f"{tell_spread(published)}, by uniform ones {tell_spread(uniform)} (aim: above with each "
        f"seed): {REACHED[min(ahead) > 0]}.",
    ]


def _read(path: Path) -> Any:
    if not path.exists():
        raise FileNotFoundError(f"Nothing was measured: there is no {path.name}.")
    return json.loads(path.read_text(encoding="utf-8"))


def _mean(seeds: Seeds, name: str, measured: str) -> float:
    return fmean(seed[name][measured] for seed in seeds)


def _cells(seeds: Seeds, name: str, measured: Sequence[str]) -> list[str]:
    return [tell_spread([seed[name][one] for seed in seeds]) for one in measured]


def _tell_base(kind: str) -> str:
    """Say which base stands below, and how well it paints by words alone."""
    found, name = _read(mmdits.RESULTS)[kind], {"flux": "FLUX", "sd3": "Stable Diffusion 3"}[kind]
    return (
        f"a frozen {name} of {found['weights']:,} weights, which by words alone paints "
        f"{found['shape']:.0f} % of the shapes and {found['colour']:.0f} % of the colours right"
    )


def _tell_lesson(found: Mapping[str, Any]) -> str:
    return f"{found['lesson']['steps']:,} steps of {found['lesson']['batch']} pictures"


def _tell_test(found: Mapping[str, Any], seeds: Seeds) -> str:
    shape, colour = found["judge"]
    return (
        f"{found['tested']} pictures of 16 x 16 pixels that nothing was trained on, "
        f"{count_seeds([len(seeds)])}, {found['seconds'] / 60:.0f} minutes of a core of "
        f"{processor()}. The judge itself tells {shape:.1f} % of the shapes and {colour:.1f} % of "
        "the colours of real pictures right."
    )


def _number(count: int, what: str) -> str:
    return f"{count} {what}{'' if count == 1 else 's'}"


def _picture(sheet: Path, what: str) -> str:
    """Copy a contact sheet beside the page, and return the line that shows it."""
    name = f"conditions_{sheet.name}"
    shutil.copyfile(sheet, PAGE / name)
    return f"![{what}]({name})"
