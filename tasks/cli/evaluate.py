"""mcgurk evaluate."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from tasks.cli.evaluate_options import (
    Category,
    Changes,
    Clips,
    Device,
    Masks,
    Model,
    Noise,
    Normaliser,
    Output,
    Part,
    Processes,
    Questions,
    Seed,
    Sets,
    SkipBad,
    Snr,
    Sounds,
    Target,
    VoicesFromClips,
)
from tasks.cli.options import AsJson

if TYPE_CHECKING:
    from tasks.experiments import Evaluation
    from tasks.reports import Evaluated

WIDTH = 150  # columns of the tables in a file
YAML = (".yaml", ".yml")
NOT_OF_A_TASK = ("target", "changes", "output", "as_json")


def evaluate(
    context: typer.Context,
    target: Target,
    changes: Changes = None,
    model: Model = None,
    sets: Sets = None,
    noise: Noise = None,
    category: Category = None,
    snr: Snr = None,
    voices_from_clips: VoicesFromClips = None,
    seed: Seed = None,
    normaliser: Normaliser = None,
    clips: Clips = None,
    sounds: Sounds = None,
    masks: Masks = None,
    questions: Questions = None,
    part: Part = None,
    skip_bad: SkipBad = None,
    device: Device = None,
    processes: Processes = None,
    output: Output = None,
    as_json: AsJson = False,
) -> None:
    """Measure how well a model recognises, finds or answers.

    Of a folder of clips: word error rates in noise; it goes on where it was interrupted. Of a
    trained classifier: how often it is right, and how well it knows that. Of a trained segmenter:
    how well its masks fit, for each image and class, with a picture of the worst. Of a trained
    answerer: the official score of each task, with a picture of mistakes. Of a trained painter: how
    like true pictures its own are.
    """
    from modalities.outputs import check_outputs
    from tasks.cli.progress import progress_bar
    from tasks.cli.run_folder import run_folder
    from tasks.config import named_paths

    name, evaluation = find_evaluation(target)
    given = {key: value for key, value in context.params.items() if key not in NOT_OF_A_TASK}
    entries = to_entries({k: v for k, v in given.items() if v not in (None, [], ())}, name)
    kind, run = evaluation.load()
    config = read_target(kind, target, evaluation.target, entries, changes or [])
    place = output or default_folder(target)
    check_outputs([place / name for name in evaluation.writes], [target, *named_paths(config)])
    with run_folder(output, place, _told_apart(config, evaluation.one_folder)) as folder:
        found = run(config, folder, lambda label, show: progress_bar(label, as_json, show))
    if as_json:
        print(json.dumps(found.data, ensure_ascii=False))
    else:
        print_evaluated(found)


def _told_apart(config: Any, entries: Sequence[str]) -> dict[str, Any]:
    """Return entries of a configuration as JSON has them; one file or folder by one name."""
    whole = asdict(config)
    named = {entry: whole[entry] for entry in entries}
    for entry, value in named.items():
        if isinstance(value, str) and value and Path(value).exists():
            named[entry] = str(Path(value).resolve())
    return json.loads(json.dumps(named, default=str))


def default_folder(target: Path) -> Path:
    """Return where the report goes by default: below build/evaluation, as the target below build/.

    Args:
        target: A file in YAML, or a folder; one elsewhere goes by its name alone.
    """
    named = target.resolve()
    places = Path(named.name if named.is_dir() else named.stem)
    if named.is_dir() and named.is_relative_to(Path("build").resolve()):
        places = named.relative_to(Path("build").resolve())
    return Path("build", "evaluation") / places


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
            "segmenter, answerer or painter, or an evaluation in YAML."
        )
    marked = [name for name, e in EVALUATIONS.items() if e.holds and (target / e.holds).is_file()]
    if not marked:
        _refuse_trained(target)
    [others] = [name for name, e in EVALUATIONS.items() if not e.holds]
    name = next(iter(marked), others)
    return name, EVALUATIONS[name]


def _refuse_trained(target: Path) -> None:
    """Refuse a folder with what was trained and is not measured by this command."""
    from modalities.folder_contents import DATA, MARKS, describe_folder

    if any((target / file).is_file() for file in MARKS if file != DATA):
        raise ValueError(
            f"{target} holds {describe_folder(target)}, which is measured while it is trained and "
            "not by this command; expected a folder with clips, or of a trained classifier, "
            "segmenter, answerer or painter. See metrics.jsonl of its training."
        )


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
    """Print facts, tables with a blank line after each, and notes, and where the rest is."""
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
        console.print()
    for note in found.notes:
        console.print(note, markup=False)
    console.print(f"{found.report} has the whole report.", markup=False)
