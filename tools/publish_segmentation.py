"""Write what `make segmentation` measured into docs/segmentation.md, between its marks."""

import json
from collections.abc import Sequence
from pathlib import Path
from statistics import mean

from data_prep.masks.images import read_pair
from tasks.config import filled
from tasks.reports import to_table
from tasks.segmentation.config import SegmentationConfig
from tasks.segmentation.data import find_masks
from tasks.segmentation.published import (
    DA_VL,
    FULL,
    METHODS,
    PUBLISHED,
    SA_VLC,
    TITLES,
    UNET_DICE,
)
from tasks.segmentation.segmenter import Segmenter
from tasks.training.study import RESULTS, plain
from tasks.training.study_plots import draw_parameters
from tasks.training.study_report import row_table
from tasks.training.study_runs import RECORD, Result
from tasks.training.study_summary import Measure, rows_of, summarise
from tools.machine import processor
from tools.marks import rewrite
from tools.segmentation_sheets import compare_on_data, compare_on_scenes

ROOT = Path(__file__).resolve().parents[1]
BUILT = ROOT / "build/segmentation/busi_study"
PAGE = ROOT / "docs/segmentation.md"
PLOT, SCENES_SHEET = "segmentation_parameters.png", "segmentation_scenes.jpg"
BUSI_SHEET = "busi_sheet.png"  # of pictures that may not be passed on: beside the results alone
# Rows of configs/segmentation/busi_study.yaml; those of adapters begin with DA- or SA-.
ZERO_SHOT, ALL_OF_IT, UNET = "zero-shot", "full fine-tuning", "U-Net"
DENSE, SHALLOW = "DA-", "SA-"
DICE = Measure("test_dice", "Dice, %", "Dice of the test pictures, %", 1)
UNRELATED = Measure("test_dice_unrelated", "Dice, unrelated prompt, %", decimals=1)
MEASURES = (
    DICE,
    Measure("test_iou", "IoU, %", decimals=1),
    Measure("test_hd95_px", "HD95, px", decimals=1),
    UNRELATED,
)


def main() -> None:
    """Put tables, the plot, the sheet and what they say into the page."""
    rewrite(PAGE, "published", lambda _: published_table())
    results = [Result(**row) for row in json.loads((BUILT / RESULTS).read_text(encoding="utf-8"))]
    config = read_experiment(results[0], BUILT)
    draw_parameters(results, DICE, PAGE.parent / PLOT)
    shown = (ZERO_SHOT, best_of(results, (DENSE, SHALLOW)), ALL_OF_IT)
    segmenters = {row: Segmenter.load(_place(results, row, BUILT), "cpu") for row in shown}
    compare_on_data(segmenters, config, BUILT / BUSI_SHEET)
    compare_on_scenes(segmenters, PAGE.parent / SCENES_SHEET)
    print(f"{BUILT / BUSI_SHEET} shows the test pictures; keep it to yourself.")
    parameters = segmenters[ZERO_SHOT].card.parameters
    text = "\n\n".join(write_study(results, config, shown[1], parameters))
    rewrite(PAGE, "study", lambda _: text)


def published_table() -> str:
    """Return the paper's table, with the Dice of a plain U-Net on the same splits."""
    heads = [f"{name}, {millions:g} M" for name, millions in METHODS.values()]
    lines = []
    for name, cells in PUBLISHED.items():
        told = [f"{cell.dice:.2f} / {cell.iou:.2f} / {cell.hd95_px:.2f}" for cell in cells.values()]
        lines.append([TITLES[name], *told, f"{UNET_DICE[name]:.2f}"])
    return to_table(["Dice, % / IoU, % / HD95, px", *heads, "U-Net, Dice, %"], lines)


def write_study(
    results: Sequence[Result], config: SegmentationConfig, best: str, parameters: int
) -> list[str]:
    """Return the paragraphs that tell a study.

    Args:
        results: Those of all rows of configs/segmentation/busi_study.yaml.
        config: One of its experiments.
        best: The row of adapters that the sheets show.
        parameters: How many the frozen model has.
    """
    parts, empty = count_masks(config)
    seeds = sorted({result.seed for result in results})
    return [
        "\n".join(row_table(results, MEASURES, "method")),
        f"Mean and deviation of the seeds {', '.join(map(str, seeds))}; scores of the "
        f"{parts['test']} test pictures in their own size; seconds of a training, its measuring "
        f"included, on one machine of {processor()} that had other work, too: [speed](speed.md) "
        f"compares epochs on a quiet one. {parts['train']} pictures trained for "
        f"{config.loop.epochs} epochs of batches of {config.loop.batch}; the weights with the best "
        f"Dice on {parts['validation']} others were kept.",
        f"![Dice by trained parameters]({PLOT})",
        "\n".join(compare(results)),
        comparison_table(results),
        "Published are CLIPSeg of 150 M parameters and BUSI's 780 pictures, of which 624 trained "
        "and 78 tested, 13 of these without a tumor, where an empty mask counts as 100 %. Here it "
        f"is a model of {parameters / 1e6:.1f} M that learns from {parts['train']} pictures, "
        f"{empty['train']} of them without a tumor, and is tested on {parts['test']}, "
        f"{empty['test']} without. Each column compares its own methods; columns do not compare.",
        f"![Rendered scenes: truth and what is found]({SCENES_SHEET})",
        f"Scenes that no model has seen. {ZERO_SHOT} is the model as it comes; {best} and "
        f"{ALL_OF_IT} have learnt from ultrasound since, with seed {seeds[0]}, and show what is "
        "left of the rest. Pictures of BUSI may not be passed on by its terms, so none is shown "
        f"here: the same sheet of the test pictures is {BUSI_SHEET} beside the study's results.",
    ]


def count_masks(config: SegmentationConfig) -> tuple[dict[str, int], dict[str, int]]:
    """Return how many masks an experiment has in each part, and in how many nothing is."""
    parts = find_masks(config.data).parts
    empty = {name: sum(not read_pair(row)[1].any() for row in of) for name, of in parts.items()}
    return {name: len(of) for name, of in parts.items()}, empty


def compare(results: Sequence[Result]) -> list[str]:
    """Say in sentences what was aimed at, and what came of it."""
    adapter, dense = best_of(results, (DENSE, SHALLOW)), best_of(results, (DENSE,))
    shallow = best_of(results, (SHALLOW,))
    dice = {row: _mean(results, row, DICE.name) for row in rows_of(results)}
    other = _mean(results, adapter, UNRELATED.name)
    return [
        f"* The best dense adapters are {dense} with {dice[dense]:.1f} %: "
        f"{dice[dense] - dice[ALL_OF_IT]:+.1f} points from full fine-tuning (aim: -2 or better), "
        f"{dice[dense] - dice[ZERO_SHOT]:+.1f} from zero-shot (aim: +10).",
        f"* The best shallow adapters are {shallow} with {dice[shallow]:.1f} %: "
        f"{dice[shallow] - dice[dense]:+.1f} points from the best dense ones.",
        f"* {adapter}: {dice[adapter] - other:+.1f} points by the right prompt from an unrelated "
        "one (aim: +15).",
        f"* The plain U-Net, without prompts, has {dice[UNET]:.1f} %: "
        f"{dice[UNET] - dice[adapter]:+.1f} points from {adapter}.",
    ]


def comparison_table(results: Sequence[Result]) -> str:
    """Return ours beside what is published for BUSI, of other sizes of model and data."""
    paper = PUBLISHED["busi"]
    shallow, dense = (
        next(row for row in rows_of(results) if row.startswith(f"{METHODS[method][0]},"))
        for method in (SA_VLC, DA_VL)
    )
    pairs = [
        (ALL_OF_IT, paper[FULL].dice),
        (shallow, paper[SA_VLC].dice),
        (dense, paper[DA_VL].dice),
        (UNET, UNET_DICE["busi"]),
    ]
    lines = [
        [row, f"{printed:.2f}", summarise(_of(results, row), DICE.name).tell(1)]
        for row, printed in pairs
    ]
    return to_table(["BUSI, Dice, %", "published", "here"], lines)


def best_of(results: Sequence[Result], starts: tuple[str, ...]) -> str:
    """Return the row with the highest mean Dice among those whose names start so."""
    rows = [row for row in rows_of(results) if row.startswith(starts)]
    return max(rows, key=lambda row: _mean(results, row, DICE.name))


def read_experiment(result: Result, folder: Path) -> SegmentationConfig:
    """Read the whole configuration of a run.

    Raises:
        OSError: Its record is not there.
        ValueError: It is of another task.
    """
    record = json.loads((folder / _run(result) / RECORD).read_text(encoding="utf-8"))
    return filled(SegmentationConfig, record["experiment"], RECORD)


def _place(results: Sequence[Result], row: str, folder: Path) -> Path:
    """Return where the first run of a row left its segmenter."""
    return folder / _run(_of(results, row)[0])


def _run(result: Result) -> Path:
    return Path(plain(result.row), str(result.seed))


def _of(results: Sequence[Result], row: str) -> list[Result]:
    return [result for result in results if result.row == row]


def _mean(results: Sequence[Result], row: str, name: str) -> float:
    return mean(result.measures[name] for result in _of(results, row))


if __name__ == "__main__":
    main()
