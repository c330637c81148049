"""Studies: every method on every task, each experiment once."""

import json
from pathlib import Path

import pytest

from tasks.__main__ import run
from tasks.audio_classification.study_report import Result, write_report


@pytest.fixture
def study(tones, encoder, tmp_path) -> Path:
    path = tmp_path / "study.yaml"
    path.write_text(
        f"""
task: audio_classification_study
base:
  data: {{folder: {tones}, validation: 0.2}}
  encoder: {encoder}
  window_s: 0.5
  loop: {{steps: 2, batch: 8, learning_rate: 0.01, warmup: 0, measure_every: 2}}
tasks:
  tones: [window_s=0.5]
methods:
  linear: [loop.steps=4]
  bottleneck, one: [method=bottleneck, "options={{rank: 2}}"]
shots: [0, 1]
few_shot: [tones]
few_shot_methods: [linear]
seeds: [0, 1]
"""
    )
    return path


def test_each_experiment_is_run_once_and_tabled(study, tmp_path, capsys):
    out = tmp_path / "out"
    assert run(["train", str(study), "-o", str(out), "--json"]) == 0
    results = json.loads(capsys.readouterr().out)["results"]
    assert [(r["method"], r["shots"], r["seed"]) for r in results] == [
        ("linear", 0, 0),
        ("linear", 0, 1),
        ("bottleneck, one", 0, 0),
        ("bottleneck, one", 0, 1),
        ("linear", 1, 0),
        ("linear", 1, 1),
    ]
    assert results[0]["parameters"] == 0 and results[0]["head"] == 2 * 32 + 2 + 2 * 32
    # Two blocks, after attention and after the feed-forward part.
    assert results[2]["parameters"] == 2 * 2 * (32 * 2 + 2 + 2 * 32 + 32)
    assert not list(out.rglob("checkpoint.pt"))
    times = {path: path.stat().st_mtime_ns for path in out.rglob("classifier.json")}
    assert len(times) == 6
    assert run(["train", str(study), "-o", str(out)]) == 0
    assert "| linear | 0 |" in capsys.readouterr().out
    assert times == {path: path.stat().st_mtime_ns for path in out.rglob("classifier.json")}
    assert {"parameters.png", "shots.png", "table.md", "results.json"} <= {
        path.name for path in out.iterdir()
    }


def test_what_cannot_be_is_told_before_any_work(study, tmp_path, capsys):
    text = study.read_text()
    for old, new, words in (
        ("{rank: 2}", "{rnak: 2}", "no option 'rnak'"),
        ("method=bottleneck", "method=bottle", "bottle"),
        ("few_shot: [tones]", "few_shot: [notes]", "no 'notes'; known: tones"),
        ("loop.steps=4", "loop.stesp=4", "stesp"),
        ("seeds: [0, 1]", "seeds: []", "needs methods, tasks and seeds"),
    ):
        study.write_text(text.replace(old, new))
        assert run(["train", str(study), "-o", str(tmp_path / "out")]) == 2
        told = capsys.readouterr().err
        assert words in told and told.count("\n") == 1
        assert not list(tmp_path.glob("out/**/classifier.json"))


def test_folders_of_earlier_versions_count_as_finished(study, tmp_path):
    """They have a card and seconds.json, and no record of the run."""
    out = tmp_path / "out"
    assert run(["train", str(study), "-o", str(out), "seeds=[0]"]) == 0
    for path in out.rglob("run.json"):
        path.unlink()
        (path.parent / "seconds.json").write_text("123.4")
    times = {path: path.stat().st_mtime_ns for path in out.rglob("classifier.json")}
    assert run(["train", str(study), "-o", str(out), "seeds=[0]"]) == 0
    assert times == {path: path.stat().st_mtime_ns for path in out.rglob("classifier.json")}
    results = json.loads((out / "results.json").read_text())
    assert [result["seconds"] for result in results] == [123.4] * 3


def test_a_changed_method_is_refused(study, tmp_path, capsys):
    out = tmp_path / "out"
    assert run(["train", str(study), "-o", str(out), "seeds=[0]", "shots=[0]"]) == 0
    study.write_text(study.read_text().replace("{rank: 2}", "{rank: 3}"))
    assert run(["train", str(study), "-o", str(out), "seeds=[0]", "shots=[0]"]) == 2
    assert "holds another experiment than 'bottleneck, one' now is" in capsys.readouterr().err


def test_the_report_has_a_table_of_methods_and_one_of_shots(tmp_path):
    results = [
        Result(method, task, shots, seed, 90.0 + 2 * seed - shots, size, 100, 3.4)
        for method, size in (("LoRA, rank 6", 36864), ("head", 0))
        for task, every in (("digit", (0, 8, 1)), ("speaker", (0,)))
        for shots in every
        for seed in (0, 1, 2)
    ]
    write_report(results, tmp_path)
    assert (tmp_path / "table.md").read_text() == (
        "| method | trained parameters | digit, % | speaker, % | seconds |\n"
        "| --- | --- | --- | --- | --- |\n"
        "| LoRA, rank 6 | 36,864 | 92.0 ± 2.0 | 92.0 ± 2.0 | 3 |\n"
        "| head | 0 | 92.0 ± 2.0 | 92.0 ± 2.0 | 3 |\n"
        "\n"
        "| digit, %, sounds of each class | 1 | 8 |\n"
        "| --- | --- | --- |\n"
        "| LoRA, rank 6 | 91.0 ± 2.0 | 84.0 ± 2.0 |\n"
        "| head | 91.0 ± 2.0 | 84.0 ± 2.0 |\n"
    )


def test_the_general_study_tells_accuracy_on_test_sounds(tones, encoder, tmp_path):
    (tmp_path / "tones.yaml").write_text(
        f"""
task: audio_classification
data: {{folder: {tones}, validation: 0.2}}
encoder: {encoder}
window_s: 0.5
loop: {{steps: 2, batch: 8, warmup: 0, measure_every: 2}}
"""
    )
    (tmp_path / "study.yaml").write_text(
        f"""
task: study
of: audio_classification
config: {tmp_path / "tones.yaml"}
rows: {{linear: [], bottleneck: [method=bottleneck, "options={{rank: 2}}"]}}
seeds: [0]
measure: test_accuracy
columns: [accuracy]
"""
    )
    out = tmp_path / "out"
    assert run(["train", str(tmp_path / "study.yaml"), "-o", str(out)]) == 0
    results = json.loads((out / "results.json").read_text())
    for result in results:
        card = json.loads((out / result["row"] / "0/classifier.json").read_text())
        assert result["measures"]["test_accuracy"] == card["scores"]["accuracy"]
        assert result["measures"]["parameters"] == sum(
            card["parameters"][name] for name in ("method", "norms", "head")
        )
