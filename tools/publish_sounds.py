"""Write what `make sounds` measured into docs/audio_classification.md, between its marks."""

import json
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import mean

from tasks.audio_classification.study_report import SHOTS_PLOT, Result
from tasks.training.study import RESULTS
from tasks.training.study_report import PLOT, TABLE
from tools.machine import processor
from tools.marks import rewrite

ROOT = Path(__file__).resolve().parents[1]
BUILT = ROOT / "build/audio_classification/fsdd_study"
PAGE = ROOT / "docs/audio_classification.md"
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
        "\n".join(compare_with_paper(results)),
    ]
    rewrite(PAGE, "study", lambda _: "\n\n".join(parts))


def compare_with_paper(results: Sequence[Result]) -> list[str]:
    """Say in sentences what agrees with PETL-AST's Table 1, and what does not.

    Args:
        results: Results of a study, of all its methods; only those with all sounds count.
    """
    whole = [result for result in results if not result.shots]
    found = []
    for task in dict.fromkeys(result.task for result in whole):
        ours = [result for result in whole if result.task == task]
        name, adapter = _best(ours, lambda method: method.startswith(ADAPTERS))
        _, prompts = _best(ours, lambda method: method.startswith(PROMPTS))
        _, full = _best(ours, lambda method: method == FULL)
        _, linear = _best(ours, lambda method: method == LINEAR)
        found.append(
            f"* {task}: the best adapter is {name} with {adapter:.1f} %, "
            f"{adapter - linear:+.1f} points from the linear probe, "
            f"{adapter - prompts:+.1f} from the better prompts and "
            f"{adapter - full:+.1f} from full fine-tuning."
        )
    return found


def _best(results: Sequence[Result], chosen: Callable[[str], bool]) -> tuple[str, float]:
    """Return the best of some methods, and its mean accuracy."""
    methods = [name for name in dict.fromkeys(r.method for r in results) if chosen(name)]
    means = {m: mean(r.accuracy for r in results if r.method == m) for m in methods}
    best = max(means, key=lambda method: means[method])
    return best, means[best]


if __name__ == "__main__":
    main()
