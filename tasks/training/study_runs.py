"""Runs of a study: each trained once and kept, and gone on with where it was interrupted."""

import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from modalities.text_file import read_text
from modalities.whole_file import replace_when_whole
from tasks.devices import find_device
from tasks.training.contract import Trainable
from tasks.training.launched import count_processes
from tasks.training.loop import CHECKPOINT, train
from tasks.training.options import PLACES
from tasks.training.plain_numbers import plain_numbers

RECORD = "run.json"  # in the folder of each run that is finished
Perform = Callable[["Run", Path], dict[str, float]]
Progress = Callable[[float, float | None], None]


@dataclass(frozen=True)
class Run:
    """One experiment of a study.

    Attributes:
        row: What the study calls the changes that are compared.
        group: What it calls those under which rows are compared, as a data set; "" for none.
        value: What the swept option is set to; None where nothing is swept.
        seed: Fixes all that is drawn.
        place: Folder of the run within that of the study.
        config: The whole experiment, a dataclass with `LoopOptions` as its `loop`.
    """

    row: str
    group: str
    value: Any
    seed: int
    place: Path
    config: Any


@dataclass(frozen=True)
class Result:
    """What one run came to.

    Attributes:
        row: The run's row.
        group: The run's group; "" for none.
        value: The run's value of the swept option; None where nothing is swept.
        seed: The run's seed.
        measures: Numbers by name, "parameters" (how many were trained) and "seconds" (that training
            took) among them.
    """

    row: str
    group: str
    value: Any
    seed: int
    measures: dict[str, float]


def run_all(
    runs: Sequence[Run],
    perform: Perform,
    folder: Path,
    progress: Progress | None = None,
    needed: Sequence[str] = (),
) -> list[Result]:
    """Run what has not been run, and keep what each comes to.

    A run ends with its record, after which its checkpoint, three times the size of what was
    trained, is removed.

    Args:
        runs: All experiments of the study.
        perform: Trains a run in the folder that it is given, and returns numbers by name.
        folder: The study's; each run has its `place` in it.
        progress: Called with the runs done, and all.
        needed: Measures that each run must come to.

    Returns:
        One for each run, in their order.

    Raises:
        ValueError: The folder holds a run of another experiment, a record is damaged, a run does
            not come to a measure that is needed, or several processes were started.
        OSError: The folder cannot be written.
    """
    if count_processes() > 1:
        raise ValueError(f"A study runs in one process, not in {count_processes()}; start one.")
    kept = find_kept(runs, folder)
    found = []
    for number, run in enumerate(runs):
        place = folder / run.place
        if run.place not in kept:
            _keep(run, perform(run, place), place)
        measures = kept.get(run.place) or _read(place / RECORD)["measures"]
        _check_measures(measures, needed, run)
        (place / CHECKPOINT).unlink(missing_ok=True)
        found.append(Result(run.row, run.group, run.value, run.seed, measures))
        if progress:
            progress(number + 1, len(runs))
    return found


def find_kept(runs: Sequence[Run], folder: Path) -> dict[Path, dict[str, float]]:
    """Return the measures of the runs that are finished, by their places.

    Raises:
        ValueError: Two runs have one place, a place holds another experiment than the run, or its
            record is damaged.
    """
    kept: dict[Path, dict[str, float]] = {}
    places: dict[Path, Run] = {}
    for run in runs:
        if run.place in places:
            raise ValueError(
                f"{run.row!r} and {places[run.place].row!r} would both lie in {run.place}; "
                "take names and seeds that differ, in letters or digits."
            )
        places[run.place] = run
        path = folder / run.place / RECORD
        if not path.exists():
            continue
        record = _read(path)
        if not _is_same(record["experiment"], run.config):
            raise ValueError(
                f"{path.parent} holds another experiment than {run.row!r} now is; "
                "take another folder, or remove it."
            )
        kept[run.place] = record["measures"]
    return kept


def train_run(task: Trainable, run: Run, place: Path, device: str) -> dict[str, float]:
    """Train a run, or go on with it; where nothing is to be trained, measure it as it is.

    Args:
        task: Built from the run's configuration.
        run: What is trained.
        place: Its folder.
        device: "cpu", or "auto" for a GPU where there is one.

    Returns:
        The measurement on the validation data of what was exported; what the task has as
        `test_scores` once it is exported, with "test_" before the names; "parameters", how many
        were trained; "seconds", which training took, interrupted parts included, and 0 where
        nothing was trained.

    Raises:
        ValueError: The folder holds another experiment, or the loss is not finite.
        OSError: The folder cannot be written.
    """
    watched = _Watched(task)
    trained = sum(p.numel() for p in task.module.parameters() if p.requires_grad)
    if trained:
        train(watched, run.config.loop, place, None, device, asdict(run.config))
    else:
        _export_untrained(watched, place, device)
    tested = plain_numbers("test_scores", getattr(task, "test_scores", {}))
    return {
        **{name: value for name, value in watched.told.items() if name != "step"},
        **{f"test_{name}": value for name, value in tested.items()},
        "parameters": trained,
    }


def _export_untrained(task: "_Watched", place: Path, device: str) -> None:
    import torch

    task.module.to(find_device(device)).eval()
    with torch.no_grad():
        found = plain_numbers("measure()", task.measure())
    place.mkdir(parents=True, exist_ok=True)
    task.export(place, {**found, "seconds": 0.0})


class _Watched:
    """A task that remembers what it was told to export: only there the loop tells its seconds."""

    def __init__(self, task: Trainable):
        self.task = task
        self.module, self.size = task.module, task.size
        self.load, self.collate, self.measure = task.load, task.collate, task.measure
        self.told: dict[str, float] = {}

    def export(self, folder: Path, measured: dict[str, float]) -> None:
        self.told = measured
        self.task.export(folder, measured)


def _keep(run: Run, measures: dict[str, float], place: Path) -> None:
    content = {"experiment": asdict(run.config), "measures": measures}
    with replace_when_whole(place / RECORD) as partial:
        partial.write_text(json.dumps(content, indent=1, default=str) + "\n", encoding="utf-8")


def _read(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(read_text(path))
        return {name: dict(content[name]) for name in ("experiment", "measures")}
    except (ValueError, TypeError, KeyError) as error:
        raise ValueError(
            f"{path} is damaged ({type(error).__name__}); remove {path.parent} to train it again."
        ) from error


def _is_same(kept: dict[str, Any], config: Any) -> bool:
    """Tell whether a record is of a configuration; options that came later count as their default.

    So a study can be gone on with after an update that brought new options, and with what it keeps
    in another place.
    """
    from omegaconf import OmegaConf

    defaults: Any = OmegaConf.to_container(OmegaConf.structured(type(config)))
    asked = json.loads(json.dumps(asdict(config), default=str))
    one, other = (
        {name: value for name, value in entries.items() if name not in PLACES}
        for entries in (_fill(kept, defaults), asked)
    )
    return one == other


def _fill(given: dict[str, Any], defaults: dict[str, Any]) -> dict[str, Any]:
    filled = dict(defaults)
    for name, value in given.items():
        default = defaults.get(name)
        if isinstance(value, dict) and isinstance(default, dict):
            value = _fill(value, default)
        filled[name] = value
    return filled


def _check_measures(measures: dict[str, float], needed: Sequence[str], run: Run) -> None:
    for name in needed:
        if name not in measures:
            known = ", ".join(measures)
            raise ValueError(f"Run {run.place} came to no measure {name!r}; known: {known}.")
