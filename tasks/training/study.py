"""Studies of any task: rows that differ in a few entries, times seeds; a table and plots."""

import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from modalities.spelling import did_you_mean
from modalities.whole_file import replace_when_whole
from tasks.config import changed, filled, read_config, read_name
from tasks.training.study_report import Measure, write_report
from tasks.training.study_runs import (
    Progress,
    Result,
    Run,
    find_kept,
    run_all,
    train_run,
)

RESULTS = "results.json"
# Returns the configuration of a task, and what it is built with, by the task's name.
Find = Callable[[str], tuple[type, Callable[[Any], Any]]]


@dataclass(frozen=True)
class StudyConfig:
    """Experiments to run: each row in each group, with each value of a swept option, and each seed.

    Attributes:
        task: "study".
        of: The task whose experiments are run, as "audio_classification".
        config: An experiment of it in YAML, which the rows change; "" for the task's defaults.
        base: Entries that all rows have in common, as they stand in YAML; they win over `config`.
        rows: Entries that each row changes, as {"lora": ["method=lora"]}.
        groups: Entries that each group changes, as {"digit": ["data.dataset=fsdd_digit"]}; each
            row is run in each, and has a column of the table for each. None for one without a name.
        sweep: An option that takes each of `values` in turn, as "options.rank"; "" for none.
        values: What the swept option is set to, two or more.
        sweep_rows: Rows that it is set for; empty for all. Others are run once, without it.
        seeds: One run for each.
        seed_entries: Options that are set to the seed.
        measure: What is plotted, and the first column: a number that training ends with, as
            "accuracy" on validation data, or "test_accuracy" where the task has test scores.
        columns: Further measures in the table.
    """

    task: str = "study"
    of: str = ""
    config: str = ""
    base: dict[str, Any] = field(default_factory=dict)
    rows: dict[str, list[str]] = field(default_factory=dict)
    groups: dict[str, list[str]] = field(default_factory=dict)
    sweep: str = ""
    values: list[Any] = field(default_factory=list)
    sweep_rows: tuple[str, ...] = ()
    seeds: tuple[int, ...] = (0, 1, 2)
    seed_entries: tuple[str, ...] = ("loop.seed",)
    measure: str = ""
    columns: tuple[str, ...] = ()

    def __post_init__(self):
        for name in ("of", "rows", "seeds", "measure"):
            if not getattr(self, name):
                raise ValueError(f"A study needs {name!r}; set of, rows, seeds and measure.")
        if bool(self.sweep) != bool(self.values):
            raise ValueError("sweep and values go together; name an option and what it is set to.")
        if None in self.values:
            raise ValueError("values: null is no value; make it a row of its own.")
        twice = [value for i, value in enumerate(self.values) if value in self.values[:i]]
        if twice:  # 1 and 1.0, or 1 and true: their runs would count as one
            raise ValueError(f"values: {twice[0]!r} comes twice; expected values that differ.")
        unknown = set(self.sweep_rows) - set(self.rows)
        if unknown:
            raise ValueError(f"sweep_rows: no {min(unknown)!r}; known: {', '.join(self.rows)}.")

    @property
    def measures(self) -> tuple[str, ...]:
        """What is measured, the plotted one first."""
        return tuple(dict.fromkeys((self.measure, *self.columns)))


def run_study(
    config: StudyConfig,
    folder: str | Path,
    progress: Progress | None = None,
    device: str = "auto",
    *,
    find: Find,
) -> list[Result]:
    """Run the experiments that have not been run, and write results.json, table.md and plots.

    Args:
        config: Which rows, groups, values and seeds to run, of which task.
        folder: For it; each experiment has a folder in it.
        progress: Called with the experiments done, and all.
        device: "cpu", or "auto" for a GPU where there is one.
        find: Returns the configuration of a task and what builds it, by the task's name.

    Returns:
        One result for each experiment.

    Raises:
        FileNotFoundError: Data or weights are not there.
        ValueError: A name is unknown, a run cannot end with a measure, entries do not fit, or the
            folder holds other experiments.
        OSError: The folder cannot be written.
    """
    folder = Path(folder)
    runs = plan_runs(config, find)
    _, build = find(config.of)
    for run in runs:
        _check_measures(config, run)
    kept = find_kept(runs, folder)
    _check_each([run for run in runs if run.place not in kept], build)

    def perform(run: Run, place: Path) -> dict[str, float]:
        return train_run(build(run.config), run, place, device)

    found = run_all(runs, perform, folder, progress, config.measures)
    write_results(found, folder)
    write_report(found, folder, [Measure(name) for name in config.measures], config.sweep)
    return found


def write_results(results: Sequence[Any], folder: Path) -> None:
    """Write results.json: a list with the entries of each result, a dataclass.

    Raises:
        OSError: The folder cannot be written.
    """
    with replace_when_whole(folder / RESULTS) as partial:
        partial.write_text(json.dumps([asdict(result) for result in results], indent=1) + "\n")


def plan_runs(config: StudyConfig, find: Find) -> list[Run]:
    """Return the experiments of a study, by groups, rows, values and seeds.

    Args:
        config: The study.
        find: Returns the configuration of a task and what builds it, by the task's name.

    Raises:
        FileNotFoundError: There is no such configuration.
        ValueError: There is no such task, or a change is of an entry that is not there.
    """
    base = _base(config, find)
    runs = []
    for group, of_group in (config.groups or {"": []}).items():
        for row, of_row in config.rows.items():
            for value in _values_of(row, config):
                set_value = [] if value is None else [f"{config.sweep}={json.dumps(value)}"]
                for seed in config.seeds:
                    drawn = [f"{entry}={seed}" for entry in config.seed_entries]
                    try:
                        found = changed(base, [*of_group, *of_row, *set_value, *drawn])
                    except ValueError as error:
                        raise ValueError(f"{_where(group, row)}: {error}") from error
                    place = _place(group, row, config.sweep, value, seed)
                    runs.append(Run(row, group, value, seed, place, found))
    return runs


def _base(config: StudyConfig, find: Find) -> Any:
    """Return what all rows have in common."""
    kind, _ = find(config.of)
    base: Any = kind
    if config.config:
        named = read_name(config.config, "task")
        if named != config.of:
            raise ValueError(f"{config.config} is of task {named!r}; expected {config.of!r}.")
        base = read_config(kind, config.config)
    return filled(base, config.base, "base")


def _values_of(row: str, config: StudyConfig) -> Sequence[Any]:
    swept = config.sweep and (not config.sweep_rows or row in config.sweep_rows)
    return config.values if swept else (None,)


def _where(group: str, row: str) -> str:
    return f"Row {row!r} in group {group!r}" if group else f"Row {row!r}"


def _place(group: str, row: str, sweep: str, value: Any, seed: int) -> Path:
    parts = [plain(group)] if group else []
    parts.append(plain(row))
    if value is not None:
        parts.append(plain(f"{sweep.rpartition('.')[2]} {value}"))
    return Path(*parts, str(seed))


def plain(name: str) -> str:
    """Return a name as one of a folder: letters and digits, all else as underscores."""
    return "".join(c if c.isalnum() else "_" for c in name)


def _check_measures(config: StudyConfig, run: Run) -> None:
    """Check before the first run that each can end with what is to be measured.

    A configuration that does not tell its `measures` is not asked.
    """
    told = getattr(run.config, "measures", ())
    known = dict.fromkeys((*told, "seconds", "parameters"))
    for name in config.measures if told else ():
        if name not in known:
            entry = "measure" if name == config.measure else "columns"
            raise ValueError(
                f"{entry}: {_where(run.group, run.row)} ends with no {name!r}; known: "
                f"{', '.join(known)}.{did_you_mean(name, known)}"
            )


def _check_each(runs: Sequence[Run], build: Callable[[Any], Any]) -> None:
    """Build each row, each value and each group at least once.

    What configurations alone do not show, as an option of a method that is not there, is told
    before hours of work.
    """
    seen: set[tuple[str, str]] = set()
    for run in runs:
        kinds = {("row", run.row), ("value", repr(run.value)), ("group", run.group)}
        if not kinds <= seen:
            seen |= kinds
            try:
                build(run.config)
            except ValueError as error:
                raise ValueError(f"{_where(run.group, run.row)}: {error}") from error
