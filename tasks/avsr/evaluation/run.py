"""An evaluation from its configuration to its report, as `mcgurk evaluate` runs it."""

from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from tasks.avsr.evaluation.config import EvaluationConfig
from tasks.avsr.sets.collection import find_collection
from tasks.reports import Evaluated, OpenBar

if TYPE_CHECKING:
    from tasks.avsr.evaluation.report import Report

TITLE = "Word error rate, percent, with 95 % intervals:"


def run_evaluation(config: EvaluationConfig, folder: Path, open_bar: OpenBar) -> Evaluated:
    """Prepare, recognise and report.

    Args:
        config: What is evaluated, and how.
        folder: To write to.
        open_bar: Opens a progress bar.

    Raises:
        OSError: A file is not there, or cannot be written.
        ValueError: Clips, noise, model or sets are not what is expected.
    """
    if config.sets is not None:
        find_collection(config.sets)
    from tasks.avsr.evaluation.clips import find_clips, prepare_clips

    found = find_clips(config)
    from tasks.avsr.evaluation.evaluate import evaluate, plan_evaluation
    from tasks.avsr.sets.talker_sets import load_all

    plan_evaluation(config, found)  # what is wrong with the noise is told before work
    load = partial(load_all, config.model, config.sets, config.device)
    recogniser = load()
    with open_bar("Preparing clips", "{:.0f}".format) as show:
        prepared = prepare_clips(found, folder, config.workers, show)
    plan = plan_evaluation(config, prepared)
    with open_bar("Recognising", "{:.0f} clips".format) as show:
        return describe(evaluate(plan, recogniser, folder, show, load), folder)


def describe(report: "Report", folder: Path) -> Evaluated:
    """Return what is printed of a report: a table for each condition, and where the rest is."""
    from tasks.avsr.evaluation.report import REPORT, conditions_of, row_table

    return Evaluated(
        report.facts,
        TITLE,
        [row_table(report, condition) for condition in conditions_of(report)],
        folder / REPORT,
        [asdict(row) for row in report.rows],
        [f"Left out: {row}, for {reason}." for row, reason in report.left_out.items()],
    )
