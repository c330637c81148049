"""mcgurk evaluate."""

from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from tasks.cli.options import AsJson

if TYPE_CHECKING:
    from tasks.avsr.evaluation import EvaluationConfig, Report

WIDTH = 150  # columns of the tables in a file
YAML = (".yaml", ".yml")


def evaluate(
    target: Annotated[
        Path,
        typer.Argument(help="Folder of clips, prepared or raw, or an evaluation in YAML."),
    ],
    model: Annotated[str | None, typer.Option(help="Frozen model; whisper-tiny.en.")] = None,
    sets: Annotated[str | None, typer.Option(help="Adapter sets; none without.")] = None,
    noise: Annotated[
        Path | None, typer.Option(help="Folder with music, natural and voices in it.")
    ] = None,
    category: Annotated[
        list[str] | None,
        typer.Option(help="babble, sidespeaker, music or natural; again for more. All without."),
    ] = None,
    snr: Annotated[
        list[float] | None, typer.Option(help="Decibels; again for more. -10 to 10 without.")
    ] = None,
    voices_from_clips: Annotated[
        bool | None,
        typer.Option(help="Babble of the other clips; without, where the folder has no voices."),
    ] = None,
    seed: Annotated[int | None, typer.Option(help="Of noise, faces and intervals; 0.")] = None,
    normaliser: Annotated[
        str | None,
        typer.Option(help="whisper, lower, split or grid; by the transcripts without."),
    ] = None,
    clips: Annotated[int | None, typer.Option(help="How many, drawn by the seed.")] = None,
    device: Annotated[str | None, typer.Option(help="auto, cpu, cuda or mps; auto.")] = None,
    processes: Annotated[
        int | None, typer.Option(help="That recognise, one core each and each with the model; 1.")
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", help="Folder; build/evaluation and the name without."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Measure word error rates in noise; goes on where it was interrupted."""
    from tasks.cli.quiet import silence_libraries

    silence_libraries()
    given = {
        "model": model,
        "sets": sets,
        "noise": None if noise is None else str(noise),
        "categories": tuple(category) if category else None,
        "snr_db": tuple(snr) if snr else None,
        "voices_from_clips": voices_from_clips,
        "seed": seed,
        "normaliser": normaliser,
        "clips": clips,
        "device": device,
        "processes": processes,
    }
    config = read_target(target, {key: value for key, value in given.items() if value is not None})
    folder = output or Path("build", "evaluation", target.resolve().stem)
    report = run_evaluation(config, folder, as_json)
    if as_json:
        from tasks.avsr.evaluation.report import rows_to_json

        print(rows_to_json(report.rows))
    else:
        print_report(report, folder)


def read_target(target: Path, given: dict[str, Any]) -> "EvaluationConfig":
    """Return what to evaluate.

    Args:
        target: A YAML file, or a folder of clips.
        given: Options of the command line, which win over the file.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: The file or an option sets what cannot be.
    """
    from tasks.avsr.evaluation import EvaluationConfig
    from tasks.config import read_config

    if target.suffix.lower() in YAML and not target.is_dir():
        return replace(read_config(EvaluationConfig, target), **given)
    return EvaluationConfig(target=str(target), **given)


def run_evaluation(config: "EvaluationConfig", folder: Path, hidden: bool) -> "Report":
    """Prepare, recognise and report, with bars on stderr.

    Args:
        config: What to evaluate, in what noise.
        folder: To write to.
        hidden: Show no bars.

    Raises:
        OSError: A file is not there, or cannot be written.
        ValueError: Clips, noise, model or sets are not what is expected.
    """
    from tasks.avsr import evaluation
    from tasks.avsr.sets.set_recogniser import load_recogniser
    from tasks.cli.progress import progress_bar

    found = evaluation.find_clips(config)
    evaluation.plan_evaluation(config, found)  # what is wrong with the noise is told before work
    load = partial(load_recogniser, config.model, config.sets, config.device)
    recogniser = load()
    with progress_bar("Preparing clips", hidden, "{:.0f}".format) as show:
        prepared = evaluation.prepare_clips(found, folder, config.workers, show)
    plan = evaluation.plan_evaluation(config, prepared)
    with progress_bar("Recognising", hidden, "{:.0f} clips".format) as show:
        return evaluation.evaluate(plan, recogniser, folder, show, load)


def print_report(report: "Report", folder: Path) -> None:
    """Print a table for each condition, and where the rest is."""
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    from tasks.avsr.evaluation.report import REPORT, conditions_of, row_table

    console = Console(highlight=False)
    if not console.is_terminal:
        console = Console(highlight=False, width=WIDTH)
    for name, fact in report.facts.items():
        console.print(f"[dim]{name}:[/dim] {escape(fact)}")
    console.print("\nWord error rate, percent, with 95 % intervals:")
    for condition in conditions_of(report):
        head, lines = row_table(report, condition)
        table = Table(box=None, padding=(0, 2, 0, 0), header_style="bold")
        table.add_column(escape(head[0]), no_wrap=True)
        for title in head[1:]:
            table.add_column(escape(title), justify="right")
        for line in lines:
            table.add_row(*map(escape, line))
        console.print(table)
    for row, reason in report.left_out.items():
        console.print(f"Left out: {row}, for {reason}.", markup=False)
    console.print(f"{folder / REPORT} has the whole report.", markup=False)
