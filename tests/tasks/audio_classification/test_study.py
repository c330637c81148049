"""Studies: every method on every task, each experiment once."""

import json
from pathlib import Path

import pytest

from tasks.__main__ import run


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
