"""An evaluation from its configuration to its report, as `mcgurk evaluate` runs it."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from data_prep.masks.manifest import MaskedImage
from tasks.reports import Evaluated, OpenBar
from tasks.segmentation.card import CARD, read_card
from tasks.segmentation.config import MaskDataOptions
from tasks.segmentation.data import find_masks, read_rows
from tasks.segmentation.evaluation.config import ALL, SegmentationEvaluationConfig
from tasks.segmentation.evaluation.outcomes import Asked, Segments, measure_masks
from tasks.segmentation.evaluation.prompts import choose_prompts
from tasks.segmentation.evaluation.report import build_report, save_report
from tasks.segmentation.evaluation.sheet import WORST, WorstCases


def run_evaluation(
    config: SegmentationEvaluationConfig,
    folder: Path,
    open_bar: OpenBar,
    load: Callable[[str, str], Segments],
) -> Evaluated:
    """Segment images by their prompts, score the masks, and report.

    Args:
        config: Which segmenter, and which masks.
        folder: To write to.
        open_bar: Opens a progress bar.
        load: Loads a segmenter from its folder or name, for a device.

    Raises:
        OSError: A file is not there, or cannot be written.
        ValueError: Masks, prompts, segmenter or device are not what is expected.
    """
    if not config.segmenter:
        raise ValueError("No segmenter is named; expected a folder that training wrote, or a name.")
    rows, told = find_rows(config)
    prompts = choose_prompts([row for row in rows if row.mask], config)
    segmenter = load(config.segmenter, config.device)
    asked = Asked(prompts, config.unrelated_prompts, config.threshold, config.skip_bad)
    worst = WorstCases(config.worst)
    with open_bar("Segmenting", "{:.0f}".format) as show:
        found = measure_masks(segmenter, rows, asked, worst.add, show)
    facts = {
        "segmenter": config.segmenter,
        "masks": f"{len(found.outcomes)} of {told}",
        "prompts": _tell_prompts(config),
        "threshold": f"{config.threshold:g}",
    }
    if config.unrelated_prompts:
        facts["unrelated"] = "; ".join(config.unrelated_prompts)
    if config.worst:
        worst.save(folder / WORST)
    told = save_report(build_report(found, facts), found.outcomes, folder)
    if not config.worst:
        return told
    return replace(told, notes=[*told.notes, f"{folder / WORST} shows the worst cases."])


def find_rows(config: SegmentationEvaluationConfig) -> tuple[list[MaskedImage], str]:
    """Find what is to be segmented.

    Args:
        config: Names a manifest, a data set, or a segmenter that says what it was trained on; and
            a part of it.

    Returns:
        The rows, one or more, and what they are in words.

    Raises:
        FileNotFoundError: There is no such file or folder.
        ValueError: None is named, it holds something else, or has no such part.
    """
    if config.masks:
        rows, place = read_rows(MaskDataOptions(folder=config.masks)), config.masks
    elif config.data is not None:
        options = MaskDataOptions(config.data.dataset, config.data.folder)
        rows, place = read_rows(options), f"{options.dataset} in {options.folder}"
    else:
        options = trained_on(config.segmenter)
        # Parted as it was trained, where the data set has no parts of its own.
        rows = [row for part in find_masks(options).parts.values() for row in part]
        place = f"{options.dataset} in {options.folder}"
    folds = sorted({row.fold for row in rows if row.fold})
    part = config.part or ("test" if folds else ALL)
    kept = [row for row in rows if part in (ALL, row.fold)]
    if not kept:
        known = ", ".join((*folds, ALL)) if folds else f"{ALL}, as they are not parted"
        raise ValueError(f"{place} has no masks for {part!r}; expected one of {known}.")
    return kept, place if part == ALL else f"{place}, {part}"


def trained_on(segmenter: str) -> MaskDataOptions:
    """Return which images a segmenter was trained and tested on.

    Raises:
        ValueError: It does not say it: it is bare, or damaged.
    """
    if not (Path(segmenter) / CARD).is_file():
        raise ValueError(
            "No masks are named; expected a manifest that `mcgurk prepare` wrote, as --masks "
            "MANIFEST, or a data set, as data.dataset=busi data.folder=FOLDER."
        )
    try:
        return MaskDataOptions(**read_card(segmenter).images)
    except TypeError as error:
        raise ValueError(f"{segmenter} is damaged ({error}); train the segmenter again.") from error


def _tell_prompts(config: SegmentationEvaluationConfig) -> str:
    if config.text:
        return f"{config.text!r} for all"
    return f"{config.prompts}, seed {config.seed}"
