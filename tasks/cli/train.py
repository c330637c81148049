"""mcgurk train."""

import json
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer

from tasks.cli.options import AsJson, Device, with_default

SKIP_BAD = "data.skip_bad"  # where configurations say it, if their data can be checked


def train(
    config: Annotated[
        Path, typer.Argument(metavar="CONFIG", help="An experiment in YAML, as in configs/.")
    ],
    changes: Annotated[
        list[str] | None,
        typer.Argument(metavar="CHANGES", help="Entries to set anew, as loop.steps=100."),
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            help=with_default("Folder to write.", "build/, the config's folder and name"),
        ),
    ] = None,
    skip_bad: Annotated[
        bool, typer.Option("--skip-bad", help="Leave out sounds that cannot be used, and tell.")
    ] = False,
    device: Device = "auto",
    as_json: AsJson = False,
) -> None:
    """Train an experiment, or a study of many.

    It goes on where it was interrupted.

    In two processes: python -m torch.distributed.run --nproc_per_node 2 -m tasks train CONFIG
    """
    from tasks.cli.memory import keep_freed_memory
    from tasks.training.launched import told_once

    keep_freed_memory()
    with told_once():
        _train(config, changes or [], output, skip_bad, device, as_json)


def _train(
    config: Path,
    changes: list[str],
    output: Path | None,
    skip_bad: bool,
    device: str,
    as_json: bool,
) -> None:
    """Read what the file is for, and train it."""
    from modalities.outputs import check_outputs
    from tasks.cli.run_folder import run_folder
    from tasks.config import has_entry, named_paths, read_config
    from tasks.experiments import EXPERIMENTS, STUDIES, WRITES, read_task
    from tasks.training.launched import count_processes

    name = read_task(config, "train")
    kind, run = {**EXPERIMENTS, **STUDIES}[name]()
    if skip_bad and not has_entry(kind, SKIP_BAD):
        raise ValueError(
            f"{config}: {name} has no {SKIP_BAD}, which --skip-bad sets; leave it out."
        )
    settings = read_config(kind, config, [*changes, *([f"{SKIP_BAD}=true"] if skip_bad else [])])
    if name in STUDIES and count_processes() > 1:
        raise ValueError(f"{config} is a study, which runs in one process; start one.")
    place = output or Path("build", *config.with_suffix("").parts[-2:])
    written = [place / entry for entry in WRITES[name] if not entry.endswith("/")]
    replaced = [place / entry for entry in WRITES[name] if entry.endswith("/")]
    check_outputs(written, [config, *named_paths(settings)], replaced)
    with run_folder(output, place) as folder:
        if name in STUDIES:
            _train_study(run, settings, folder, device, as_json)
        else:
            _train_experiment(run, settings, folder, device, as_json)


def _train_study(
    run: Callable[..., Any], study: Any, folder: Path, device: str, as_json: bool
) -> None:
    from tasks.cli.progress import progress_bar
    from tasks.training.study_report import TABLE

    with progress_bar("Training", as_json, "{:.0f} experiments".format) as show:
        results = run(study, folder, show, device)
    if as_json:
        print(json.dumps({"folder": str(folder), "results": [asdict(r) for r in results]}))
        return
    print((folder / TABLE).read_text(encoding="utf-8"))
    print(f"{folder / TABLE} holds this; what was measured and the plots lie beside it.")


def _train_experiment(
    build: Callable[..., Any], settings: Any, folder: Path, device: str, as_json: bool
) -> None:
    """Train; of several processes the first alone prints."""
    from tasks.cli.progress import progress_bar
    from tasks.training.launched import is_first
    from tasks.training.loop import CURVES, train

    task = _build(build, settings, device, as_json)
    for line in getattr(task, "left_out", ()) if is_first() else ():
        typer.echo(f"mcgurk: left out: {line}", err=True)
    with progress_bar("Training", as_json or not is_first(), "{:.0f} steps".format) as show:
        found = train(task, settings.loop, folder, show, device, asdict(settings))
    if not is_first():
        return
    for line in getattr(task, "notes", ()):
        typer.echo(f"mcgurk: {line}", err=True)
    if as_json:
        print(json.dumps({"folder": str(folder), **found}))
        return
    print(f"{folder / CURVES} shows how it went.")
    print(_told_of(settings.loop.best, found))
    for key, value in found.items():
        if key != "step":
            print(f"  {key.replace('_', ' ')}: {value:.4g}")
    _tell_next(folder)


def _build(build: Callable[..., Any], settings: Any, device: str, as_json: bool) -> Any:
    """Build a task; one that hears its sounds first does so on the device, with a bar."""
    from tasks.cli.progress import progress_bar
    from tasks.training.launched import is_first

    if not getattr(settings, "hears", False):
        return build(settings)
    with progress_bar("Hearing", as_json or not is_first(), "{:.0f} mixtures".format) as show:
        return build(settings, device, show)


def _told_of(best: str, found: dict[str, float]) -> str:
    """Say which weights were kept, before the numbers of them."""
    rest = "losses of training, and what was measured on the validation data:"
    return (
        f"The best by {best}, kept of step {found['step']:.0f}: {rest}"
        if best
        else (f"In the end, {rest}")
    )


def _tell_next(folder: Path) -> None:
    """Name the command that measures what was trained, where there is one."""
    from shlex import quote

    from tasks.experiments import EVALUATIONS

    if any(kind.holds and (folder / kind.holds).is_file() for kind in EVALUATIONS.values()):
        print(f"Test it with `mcgurk evaluate {quote(str(folder))}`.")
