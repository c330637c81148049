"""Studies of any task: rows times seeds, here of a line whose end is known in closed form."""

import json
import re
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import torch
from torch import nn

from tasks.__main__ import run
from tasks.experiments import EXPERIMENTS
from tasks.training.loop import CHECKPOINT, LoopOptions
from tasks.training.study_plots import draw_parameters, draw_sweep
from tasks.training.study_report import row_table, sweep_table, write_report
from tasks.training.study_runs import RECORD, Result
from tasks.training.study_summary import Measure

RATE, FAR = 0.25, 2.0
trained: list[str] = []  # names of what was trained, a name for each training
stops: list[str] = []  # names at which training is broken off


@dataclass(frozen=True)
class LineConfig:
    task: str = "line"
    name: str = ""
    weights: int = 1
    scale: float = 1.0
    form: str = "straight"
    features: str = ""
    frozen: bool = False
    loop: LoopOptions = field(default_factory=LoopOptions)


class Line:
    """Learns y = x from a slope of as many tenths as its seed; each step of Adam goes one rate."""

    def __init__(self, config: LineConfig):
        if config.form not in ("straight", "curved"):
            raise ValueError(f"form: no {config.form!r}")
        self.config = config
        self.module = _Slope(config)
        self.size = 4
        self.test_scores: dict[str, float] = {}
        trained.append(f"built {config.name} {config.loop.seed}")

    def load(self, index, random):
        return float(index + 1)

    def collate(self, examples):
        return {"x": torch.tensor(examples)}

    def measure(self):
        trained.append(f"{self.config.name} {self.config.loop.seed}")
        if trained[-1] in stops:
            raise KeyboardInterrupt
        missing = FAR - float(self.module.slope.detach()[0])
        return {"missing": missing * self.config.scale}

    def export(self, folder: Path, measured):
        if f"export {self.config.name} {self.config.loop.seed}" in stops:
            raise KeyboardInterrupt
        self.test_scores = {"missing": 10 * measured["missing"]}
        (folder / "slope.txt").write_text(str(float(self.module.slope.detach()[0])))


class _Slope(nn.Module):
    def __init__(self, config: LineConfig):
        super().__init__()
        start = torch.full((config.weights,), config.loop.seed / 10)
        self.slope = nn.Parameter(start, requires_grad=not config.frozen)

    def forward(self, batch):
        return {"loss": ((self.slope.sum() - 100) * batch["x"]).square().mean()}


@pytest.fixture(autouse=True)
def line(monkeypatch):
    monkeypatch.setitem(EXPERIMENTS, "line", lambda: (LineConfig, Line))
    trained.clear()
    stops.clear()


STUDY = f"""
task: study
of: line
base:
  loop: {{steps: 1, batch: 4, learning_rate: {RATE}, warmup: 0, weight_decay: 0.0}}
rows:
  slow: [name=slow]
  fast, two: [name=fast, weights=2, "loop.learning_rate={2 * RATE}"]
measure: missing
columns: [test_missing]
"""


@pytest.fixture
def study(tmp_path) -> Path:
    path = tmp_path / "lines.yaml"
    path.write_text(STUDY)
    return path


def train(path: Path, *more: str) -> int:
    return run(["train", str(path), "-o", str(path.parent / "out"), "--device", "cpu", *more])


def rows_of(table: str) -> list[list[str]]:
    return [[c.strip() for c in line.strip("|").split("|")] for line in table.splitlines()]


def test_rows_times_seeds_have_mean_and_deviation_in_the_table(study, capsys):
    """After a step from s / 10, FAR - rate - s / 10 is missing: its deviation is a tenth."""
    assert train(study) == 0
    out = study.parent / "out"
    text = (out / "table.md").read_text()
    told = capsys.readouterr().out
    assert told.startswith(text) and told.splitlines()[-1].startswith(str(out / "table.md"))
    slow, fast = FAR - RATE - 0.1, FAR - 2 * RATE - 0.1
    assert rows_of(text) == [
        ["row", "trained parameters", "missing", "test missing", "seconds"],
        ["---"] * 5,
        ["slow", "1", f"{slow:.3f} ± 0.100", f"{10 * slow:.2f} ± 1.00", "0"],
        ["fast, two", "2", f"{fast:.3f} ± 0.100", f"{10 * fast:.2f} ± 1.00", "0"],
    ]
    results = [Result(**one) for one in json.loads((out / "results.json").read_text())]
    assert [(r.row, r.seed) for r in results] == [
        (row, seed) for row in ("slow", "fast, two") for seed in (0, 1, 2)
    ]
    expected = [FAR - rate - seed / 10 for rate in (RATE, 2 * RATE) for seed in (0, 1, 2)]
    assert [r.measures["missing"] for r in results] == pytest.approx(expected, abs=1e-5)
    assert {r.measures["parameters"] for r in results[3:]} == {2}
    assert (out / "parameters.png").stat().st_size > 1000 and not (out / "sweep.png").exists()


def test_a_row_that_trains_nothing_is_measured_as_it_is(study, capsys):
    study.write_text(f"{STUDY}seeds: [5]\n".replace("rows:", "rows:\n  as it is: [frozen=true]"))
    assert train(study) == 0
    out = study.parent / "out"
    line = ["as it is", "0", f"{FAR - 0.5:.3f} ± 0.000", f"{10 * (FAR - 0.5):.2f} ± 0.00", "0"]
    assert line in rows_of((out / "table.md").read_text())
    assert json.loads((out / "as_it_is/5/run.json").read_text())["measures"]["seconds"] == 0
    assert (out / "as_it_is/5/slope.txt").read_text() == "0.5"
    trained.clear()
    assert train(study) == 0
    assert trained == []


def test_the_table_tells_the_best_measurements(study, capsys):
    """What is missing falls with each step: the best by "missing" is the first."""
    loop = ["base.loop.steps=9", "base.loop.measure_every=1", "base.loop.schedule=constant"]
    assert train(study, "seeds=[0]", *loop, "base.loop.best=missing", "base.loop.stop_after=2") == 0
    slow, fast = rows_of((study.parent / "out/table.md").read_text())[2:]
    assert slow[2:4] == [f"{FAR - RATE:.3f} ± 0.000", f"{10 * (FAR - RATE):.2f} ± 0.00"]
    assert fast[2] == f"{FAR - 2 * RATE:.3f} ± 0.000"
    assert len((study.parent / "out/slow/0/metrics.jsonl").read_text().splitlines()) == 3


def test_features_kept_in_another_place_make_no_other_run(study):
    assert train(study) == 0
    trained.clear()
    assert train(study, "base.features=elsewhere") == 0
    assert trained == []


def test_json_gives_the_results_alone(study, capsys):
    assert train(study, "seeds=[4]", "--json") == 0
    found = json.loads(capsys.readouterr().out)
    assert found["folder"] == str(study.parent / "out")
    assert [(r["row"], r["seed"], r["value"]) for r in found["results"]] == [
        ("slow", 4, None),
        ("fast, two", 4, None),
    ]


def test_a_killed_study_runs_only_what_is_missing(study, tmp_path, capsys):
    stops.append("fast 1")
    assert train(study) == 130
    out = tmp_path / "out"
    assert len(list(out.rglob(RECORD))) == 4 and not (out / "results.json").exists()
    stops.clear()
    trained.clear()
    assert train(study) == 0
    assert trained == ["built fast 1", "built fast 1", "fast 1", "built fast 2", "fast 2"]
    assert not list(out.rglob(CHECKPOINT))
    whole = tmp_path / "whole"
    assert run(["train", str(study), "-o", str(whole), "--device", "cpu"]) == 0
    assert (out / "table.md").read_text() == (whole / "table.md").read_text()


def test_a_run_that_was_trained_but_not_recorded_is_not_trained_again(study):
    stops.append("export slow 1")
    assert train(study) == 130
    place = study.parent / "out/slow/1"
    assert (place / CHECKPOINT).exists() and not (place / RECORD).exists()
    stops.clear()
    trained.clear()
    assert train(study) == 0
    assert (place / RECORD).exists() and "slow 1" not in trained and "slow 2" in trained


def test_a_finished_study_trains_nothing_and_takes_further_rows_and_seeds(study):
    assert train(study) == 0
    trained.clear()
    assert train(study) == 0
    assert trained == []
    more = ["seeds=[0,1,2,3]", "rows.third=[name=third]"]
    assert train(study, *more) == 0
    assert [name for name in trained if "built" not in name] == [
        "slow 3",
        "fast 3",
        *(f"third {seed}" for seed in range(4)),
    ]


def test_a_changed_row_is_refused_before_any_work(study, capsys):
    assert train(study) == 0
    kept = {path: path.read_bytes() for path in (study.parent / "out").rglob("*.*")}
    study.write_text(STUDY.replace("name=fast, ", "name=fast, scale=3, ") + "seeds: [0, 7]\n")
    trained.clear()
    capsys.readouterr()
    assert train(study) == 2
    told = capsys.readouterr().err
    assert "out/fast__two/0 holds another experiment than 'fast, two' now is" in told
    assert told.count("\n") == 1 and trained == []
    assert kept == {path: path.read_bytes() for path in (study.parent / "out").rglob("*.*")}


def test_options_that_came_after_a_record_count_as_their_default(study, capsys):
    assert train(study) == 0
    for path in (study.parent / "out").rglob(RECORD):
        record = json.loads(path.read_text())
        del record["experiment"]["scale"], record["experiment"]["loop"]["clip_norm"]
        path.write_text(json.dumps(record))
    trained.clear()
    assert train(study) == 0 and trained == []
    assert train(study, "base.scale=2") == 2
    assert "holds another experiment" in capsys.readouterr().err


def test_a_damaged_record_is_named(study, capsys):
    assert train(study) == 0
    (study.parent / "out/slow/1" / RECORD).write_text("{")
    assert train(study) == 2
    assert "run.json is damaged (JSONDecodeError); remove" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("of: line", "of: lines", "of: no task 'lines'; known: lips, "),
        ("of: line", "of: ''", "A study needs 'of'"),
        ("measure: missing", "measure: ''", "A study needs 'measure'"),
        ("base:", "bass:", "There is no entry 'bass'"),
        ("steps: 1", "stesp: 1", "base: There is no entry 'loop.stesp'. Did you mean: 'steps'?"),
        ("weights=2", "wieghts=2", "Row 'fast, two': name=fast wieghts=2"),
        ("weights=2", "form=round", "Row 'fast, two': form: no 'round'"),
        ("weights=2", "weights=two", "Row 'fast, two': "),
        ("columns: ", "sweep_rows: [quick]\ncolumns: ", "no 'quick'; known: slow, fast, two"),
        ("columns: ", "sweep: scale\ncolumns: ", "sweep and values go together"),
        (
            "columns: ",
            "seed_entries: [seed]\ncolumns: ",
            "Row 'slow': name=slow seed=0: There is no entry 'seed'",
        ),
        ("columns: ", "sweep: scael\nvalues: [1]\ncolumns: ", "There is no entry 'scael'"),
        ("  slow:", "  fast two: []\n  fast-two: []\n  slow:", "'fast-two' and 'fast two' would"),
        ("base:", "config: nowhere.yaml\nbase:", "There is no nowhere.yaml"),
    ],
)
def test_what_cannot_be_is_told_in_a_line_before_any_training(study, capsys, old, new, words):
    study.write_text(STUDY.replace(old, new))
    assert train(study) == 2
    told = capsys.readouterr().err
    assert words in told and told.count("\n") == 1
    assert not (study.parent / "out").exists()


@pytest.mark.parametrize(
    ("entry", "given"), [("measure", "measure: {}"), ("columns", "columns: [{}]")]
)
def test_a_misspelled_measure_is_told_before_the_first_run(
    study, capsys, monkeypatch, entry, given
):
    """Where a configuration says what a training ends with, as all of ours do."""
    monkeypatch.setattr(LineConfig, "measures", ("loss", "missing", "test_missing"), raising=False)
    column = "columns: " + STUDY.partition("columns: ")[2].partition("\n")[0]
    old = "measure: missing" if entry == "measure" else column
    study.write_text(STUDY.replace(old, given.format("misssing")))
    assert train(study) == 2
    told = capsys.readouterr().err
    assert f"{entry}: Row" in told and "ends with no 'misssing'" in told
    assert told.endswith("Did you mean 'missing'?\n") and told.count("\n") == 1
    assert trained == [] and not (study.parent / "out").exists()


def test_a_measure_that_is_not_there_is_told_after_one_run_which_is_kept(study, capsys):
    study.write_text(STUDY.replace("measure: missing", "measure: accuracy"))
    assert train(study) == 2
    told = capsys.readouterr().err
    assert "slow/0 came to no measure 'accuracy'; known: loss, missing, seconds, test_miss" in told
    study.write_text(STUDY)
    trained.clear()
    assert train(study) == 0
    assert "slow 0" not in trained


def test_several_processes_are_refused(study, monkeypatch, capsys):
    monkeypatch.setenv("WORLD_SIZE", "2")
    assert train(study) == 2
    told = capsys.readouterr().err
    assert "stud" in told and "one process" in told and told.count("\n") == 1


def test_rows_change_an_experiment_of_a_file_and_base_wins_over_it(study, tmp_path):
    (tmp_path / "line.yaml").write_text("task: line\nscale: 5\nname: filed\n")
    study.write_text(f"{STUDY}config: {tmp_path / 'line.yaml'}\n")
    assert train(study, "base.scale=2", "seeds=[0]") == 0
    record = json.loads((tmp_path / "out/slow/0" / RECORD).read_text())
    assert record["experiment"]["name"] == "slow"
    assert record["experiment"]["scale"] == 2 and record["experiment"]["loop"]["steps"] == 1
    assert record["measures"]["missing"] == pytest.approx(2 * (FAR - RATE))


def test_an_experiment_of_another_task_is_refused(study, tmp_path, capsys):
    (tmp_path / "lips.yaml").write_text("task: lips\n")
    study.write_text(f"{STUDY}config: {tmp_path / 'lips.yaml'}\n")
    assert train(study) == 2
    assert "lips.yaml is of task 'lips'; expected 'line'" in capsys.readouterr().err


SWEPT = f"""{STUDY}
groups: {{one: [], double: [scale=2]}}
sweep: weights
values: [4, 2, 1]
sweep_rows: [slow]
seeds: [0, 2]
"""


def test_an_option_is_swept_in_each_group_for_the_rows_that_are_named(study):
    study.write_text(SWEPT)
    assert train(study) == 0
    out = study.parent / "out"
    places = {str(path.parent.relative_to(out)) for path in out.rglob(RECORD)}
    assert places == {
        f"{group}/{row}/{seed}"
        for group in ("one", "double")
        for row in ("slow/weights_1", "slow/weights_2", "slow/weights_4", "fast__two")
        for seed in (0, 2)
    }
    table, one, double = (out / "table.md").read_text().strip().split("\n\n")
    assert [line[:4] for line in rows_of(table)] == [
        ["row", "weights", "trained parameters", "one, missing"],
        ["---"] * 4,
        *(["slow", str(n), str(n), f"{FAR - RATE - 0.1:.3f} ± 0.141"] for n in (1, 2, 4)),
        ["fast, two", "", "2", f"{FAR - 2 * RATE - 0.1:.3f} ± 0.141"],
    ]
    assert rows_of(one)[0] == ["one, missing, weights", "1", "2", "4"]
    assert rows_of(double)[2:] == [["slow", *3 * [f"{2 * (FAR - RATE - 0.1):.3f} ± 0.283"]]]
    assert (out / "sweep.png").stat().st_size > 1000


def result(row, value, seed, error, group="", parameters=10, **more) -> Result:
    measures = {"error": error, "parameters": parameters, "seconds": 3.4, **more}
    return Result(row, group, value, seed, measures)


def test_digits_are_as_many_as_the_largest_mean_of_a_column_needs():
    for size, cell in ((0.00123, "0.001230"), (1.5, "1.500"), (99.96, "99.96"), (54321, "54321")):
        table = row_table([result("a", None, 0, size)], [Measure("error")])
        assert rows_of("\n".join(table))[2][2].startswith(f"{cell} ± 0")
    for value in (0.0, float("nan"), float("inf")):
        assert f"{value:.3f} ± " in row_table([result("a", None, 0, value)], [Measure("error")])[2]


def test_groups_with_unlike_counts_of_parameters_show_both():
    results = [result("a", None, 0, 1.0, "x", 1200), result("a", None, 0, 2.0, "y", 900)]
    assert row_table(results, [Measure("error", "%", decimals=1)]) == [
        "| row | trained parameters | x, % | y, % | seconds |",
        "| --- | --- | --- | --- | --- |",
        "| a | 900 to 1,200 | 1.0 ± 0.0 | 2.0 ± 0.0 | 3 |",
    ]


def test_values_that_are_no_numbers_keep_their_order():
    results = [result("a", value, 0, 1.0) for value in ("warm", "cold")]
    assert (
        sweep_table(results, "", Measure("error"), "start")[0] == "| error, start | warm | cold |"
    )


@pytest.mark.parametrize("values", [(0.1, 1, 10), (0, 1), ("warm", "cold"), (True, False), (3,)])
def test_plots_are_drawn_for_any_values(tmp_path, values):
    results = [result("a", v, s, s, parameters=n + 1) for n, v in enumerate(values) for s in (1, 2)]
    results.append(result("still", None, 1, 1.5))
    results.append(result("untrained", None, 1, 1.2, parameters=0))
    write_report(results, tmp_path, [Measure("error")], "option")
    draw_sweep(results, Measure("error"), tmp_path / "again.png", "option")
    assert (tmp_path / "again.png").read_bytes() == (tmp_path / "sweep.png").read_bytes()
    draw_parameters(results, Measure("error"), tmp_path / "again.png")
    assert (tmp_path / "again.png").read_bytes() == (tmp_path / "parameters.png").read_bytes()


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_a_measure_that_is_no_number_in_one_run_is_told_and_drawn_as_such(tmp_path, bad):
    results = [result("a", v, s, bad if s else 1.0, parameters=v) for v in (1, 2) for s in (0, 1)]
    results += [result("b", v, s, 2.0, parameters=v) for v in (1, 2) for s in (0, 1)]
    write_report(results, tmp_path, [Measure("error")], "option")
    lines = rows_of((tmp_path / "table.md").read_text())
    assert lines[2][3] == f"{bad} ± nan" and lines[4][3] == "2.000 ± 0.000"


@pytest.mark.parametrize("name", ["a|b", "_a", "", r"$\frac$", "$"])
def test_rows_of_any_name_have_their_cell_and_their_line_in_the_legend(tmp_path, name):
    results = [result(name, None, 0, 1.0, name), result(name, None, 0, 2.0, "z", 20)]
    write_report(results, tmp_path, [Measure("error")])
    line = (tmp_path / "table.md").read_text().splitlines()[2]
    cells = [cell.strip() for cell in re.split(r"(?<!\\)\|", line)]
    assert cells[1].replace("\\|", "|") == name and len(cells) == 7
    assert (tmp_path / "parameters.png").stat().st_size > 1000


@pytest.mark.parametrize("values", ["[1, 2, 1]", "[1, 1.0]", "[1, true]"])
def test_a_value_that_comes_twice_is_refused(study, capsys, values):
    study.write_text(f"{STUDY}sweep: weights\nvalues: {values}\n")
    assert train(study) == 2
    assert "comes twice" in capsys.readouterr().err
    assert trained == []
