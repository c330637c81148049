"""mcgurk evaluate."""

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from tasks.cli.options import AsJson

if TYPE_CHECKING:
    from tasks.experiments import Evaluation
    from tasks.reports import Evaluated

WIDTH = 150  # columns of the tables in a file
YAML = (".yaml", ".yml")
NOT_OF_A_TASK = ("target", "changes", "output", "as_json")


def evaluate(
    context: typer.Context,
    target: Annotated[
        Path,
        typer.Argument(
            help="Folder of clips, prepared or raw; of a trained classifier; or an evaluation in "
            "YAML, as in configs/."
        ),
    ],
    changes: Annotated[
        list[str] | None, typer.Argument(help="Entries to set anew, as batch=8.")
    ] = None,
    model: Annotated[
        str | None,
        typer.Option(help="Frozen model of clips; another place of a classifier's own."),
    ] = None,
    sets: Annotated[
        str | None, typer.Option(help="Clips: adapter sets.", show_default="none")
    ] = None,
    noise: Annotated[
        Path | None, typer.Option(help="Clips: folder with music, natural and voices in it.")
    ] = None,
    category: Annotated[
        list[str] | None,
        typer.Option(
            help="Clips: babble, sidespeaker, music or natural; again for more.",
            show_default="those with recordings",
        ),
    ] = None,
    snr: Annotated[
        list[float] | None,
        typer.Option(help="Clips: decibels; again for more.", show_default="-10 -5 0 5 10"),
    ] = None,
    voices_from_clips: Annotated[
        bool | None,
        typer.Option(
            help="Clips: babble of the other clips.",
            show_default="where the folder has no voices",
        ),
    ] = None,
    seed: Annotated[
        int | None, typer.Option(help="Clips: of noise, faces and intervals.", show_default="0")
    ] = None,
    normaliser: Annotated[
        str | None,
        typer.Option(
            help="Clips: whisper, lower, split or grid.", show_default="by the transcripts"
        ),
    ] = None,
    clips: Annotated[
        int | None, typer.Option(help="How many clips, drawn by the seed.", show_default="all")
    ] = None,
    sounds: Annotated[
        Path | None,
        typer.Option(
            help="Classifier: folder of classes, or .csv of path and label.",
            show_default="its own data",
        ),
    ] = None,
    part: Annotated[
        str | None,
        typer.Option(
            help="Classifier: train, validation, test or all.",
            show_default="test; all of --sounds",
        ),
    ] = None,
    skip_bad: Annotated[
        bool | None,
        typer.Option("--skip-bad", help="Classifier: leave out sounds that cannot be used."),
    ] = None,
    device: Annotated[
        str | None, typer.Option(help="auto, cpu, cuda or mps.", show_default="auto")
    ] = None,
    processes: Annotated[
        int | None,
        typer.Option(
            help="Clips: that recognise, one core each and each with the model.", show_default="1"
        ),
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", help="Folder.", show_default="build/evaluation/ and name"),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Measure how well clips or sounds are recognised.

    Of a folder of clips: word error rates in noise; it goes on where it was interrupted. Of a
    trained classifier: how often it is right, and how well it knows that.
    """
    from tasks.cli.progress import progress_bar
    from tasks.cli.quiet import silence_libraries

    silence_libraries()
    name, evaluation = find_evaluation(target)
    given = {key: value for key, value in context.params.items() if key not in NOT_OF_A_TASK}
    entries = to_entries({k: v for k, v in given.items() if v not in (None, [], ())}, name)
    kind, run = evaluation.load()
    config = read_target(kind, target, evaluation.target, entries, changes or [])
    folder = output or Path("build", "evaluation", target.resolve().stem)
    found = run(config, folder, lambda label, show: progress_bar(label, as_json, show))
    if as_json:
        print(json.dumps(found.data, ensure_ascii=False))
    else:
        print_evaluated(found)


def find_evaluation(target: Path) -> tuple[str, "Evaluation"]:
    """Return what a target is evaluated as: a file says it, a folder by what it holds.

    Raises:
        FileNotFoundError: There is no such file or folder.
        ValueError: The file is no evaluation.
    """
    from tasks.experiments import EVALUATIONS, read_task

    if target.suffix.lower() in YAML and not target.is_dir():
        name = read_task(target, "evaluate")
        return name, EVALUATIONS[name]
    if not target.is_dir():
        raise FileNotFoundError(
            f"{str(target)!r} is no folder; expected one with clips, or of a trained classifier, "
            "or an evaluation in YAML."
        )
    marked = [name for name, e in EVALUATIONS.items() if e.holds and (target / e.holds).is_file()]
    [others] = [name for name, e in EVALUATIONS.items() if not e.holds]
    name = next(iter(marked), others)
    return name, EVALUATIONS[name]


def to_entries(given: Mapping[str, Any], name: str) -> dict[str, Any]:
    """Return entries of a configuration from options of the command line.

    Args:
        given: Values by the options' names.
        name: The evaluation's.

    Raises:
        ValueError: One is an option of other evaluations.
    """
    from tasks.experiments import EVALUATIONS

    known = EVALUATIONS[name].options
    for option in given:
        if option not in known:
            flags = ", ".join(map(_flag, known))
            raise ValueError(f"{_flag(option)} is no option of {name}, which has {flags}.")
    return {known[option]: _plain(value) for option, value in given.items()}


def _flag(option: str) -> str:
    return f"--{option.replace('_', '-')}"


def _plain(value: Any) -> Any:
    """Return a value as configurations have it."""
    if isinstance(value, Path):
        return str(value)
    return tuple(value) if isinstance(value, list) else value


def read_target(
    kind: type, target: Path, entry: str, entries: Mapping[str, Any], changes: list[str]
) -> Any:
    """Return what to evaluate.

    Args:
        kind: Dataclass of the configuration.
        target: A YAML file, or a folder.
        entry: Entry that a folder sets.
        entries: What the command line sets, by name; they win over the file.
        changes: As "batch=8", which win over both.

    Raises:
        ValueError: The file, an entry or a change sets what cannot be.
    """
    from tasks.config import changed, read_config

    is_folder = target.is_dir()
    config = kind(**{entry: str(target)}) if is_folder else read_config(kind, target)
    config = replace(config, **entries)
    return changed(config, changes) if changes else config


def print_evaluated(found: "Evaluated") -> None:
    """Print facts, tables and notes, and where the rest is."""
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    console = Console(highlight=False)
    if not console.is_terminal:
        console = Console(highlight=False, width=WIDTH)
    for name, fact in found.facts.items():
        console.print(f"[dim]{name}:[/dim] {escape(fact)}")
    console.print(f"\n{escape(found.title)}")
    for head, lines in found.tables:
        table = Table(box=None, padding=(0, 2, 0, 0), header_style="bold")
        table.add_column(escape(head[0]), no_wrap=True)
        for title in head[1:]:
            table.add_column(escape(title), justify="right")
        for line in lines:
            table.add_row(*map(escape, line))
        console.print(table)
    for note in found.notes:
        console.print(note, markup=False)
    console.print(f"{found.report} has the whole report.", markup=False)
