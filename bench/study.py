"""Write what `make sounds` measured into docs/audio_classification.md, between its marks."""

import json
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path

from bench.__main__ import processor
from tasks.audio_classification.study import RESULTS, TABLE, Result, cell_of
from tasks.audio_classification.study_report import PLOT, SHOTS_PLOT

ROOT = Path(__file__).resolve().parents[1]
BUILT = ROOT / "build/audio_classification/fsdd_study"
PAGE = ROOT / "docs/audio_classification.md"
BEGIN, END = "<!-- study: begin -->", "<!-- study: end -->"
FULL, LINEAR, PROMPTS = "full fine-tuning", "linear probe", ("shallow prompts", "deep prompts")
ADAPTERS = ("bottleneck", "conformer", "Soft-MoA")


def main() -> None:
    """Put tables, plots and what they say into the page."""
    results = [Result(**row) for row in json.loads((BUILT / RESULTS).read_text(encoding="utf-8"))]
    for name in (PLOT, SHOTS_PLOT):
        shutil.copyfile(BUILT / name, ROOT / "docs" / f"sounds_{name}")
    tables = (BUILT / TABLE).read_text(encoding="utf-8").strip().split("\n\n")
    seeds = sorted({result.seed for result in results})
    parts = [
        tables[0],
        f"Mean and deviation of {len(seeds)} seeds; parameters without the head; seconds of "
        f"a training, its measuring included, on a core of {processor()}.",
        f"![Accuracy by trained parameters](sounds_{PLOT})",
        *tables[1:],
        f"![Accuracy by sounds of each class](sounds_{SHOTS_PLOT})",
        *compare_with_paper(results),
    ]
    before, rest = PAGE.read_text(encoding="utf-8").split(BEGIN)
    _, after = rest.split(END)
    text = "\n\n".join(parts)
    PAGE.write_text(f"{before}{BEGIN}\n{text}\n{END}{after}", encoding="utf-8")


def compare_with_paper(results: Sequence[Result]) -> list[str]:
    """Say in sentences what agrees with PETL-AST's Table 1, and what does not.

    Args:
        results: Of a study; those with all sounds count.
    """
    whole = [result for result in results if not result.shots]
    tasks = list(dict.fromkeys(result.task for result in whole))
    found = []
    for task in tasks:
        ours = [result for result in whole if result.task == task]

        def best(
            chosen: Callable[[str], bool], ours: list[Result] = ours
        ) -> tuple[str, float, float]:
            names = [n for n in dict.fromkeys(r.method for r in ours) if chosen(n)]
            cells = {n: cell_of([r for r in ours if r.method == n]) for n in names}
            name = max(cells, key=lambda n: cells[n].accuracy)
            return name, cells[name].accuracy, cells[name].deviation

        adapter = best(lambda n: n.startswith(ADAPTERS))
        prompts = best(lambda n: n.startswith(PROMPTS))
        full, linear = best(lambda n: n == FULL), best(lambda n: n == LINEAR)
        found.append(
            f"* {task}: the best adapter is {adapter[0]} with {adapter[1]:.1f} %, "
            f"{adapter[1] - linear[1]:+.1f} points from the linear probe, "
            f"{adapter[1] - prompts[1]:+.1f} from the better prompts and "
            f"{adapter[1] - full[1]:+.1f} from full fine-tuning."
        )
    return ["\n".join(found)]


if __name__ == "__main__":
    main()
