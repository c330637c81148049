from pathlib import Path

import pytest

from tasks.config import read_config, read_name
from tasks.experiments import EXPERIMENTS, STUDIES, find_experiment
from tasks.training.study import plan_runs

CONFIGS = sorted(
    path
    for path in (Path(__file__).parents[2] / "configs").rglob("*.yaml")
    if "\ntask:" in path.read_text()
)


def test_there_are_experiments():
    assert len(CONFIGS) >= 4


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.stem)
def test_every_experiment_parses(path):
    name = read_name(path, "task")
    if name in STUDIES:
        study = read_config(STUDIES[name][0], path, ["base.loop.steps=7"])
        if name == "study":
            assert {run.config.loop.steps for run in plan_runs(study, find_experiment)} >= {7}
            return
        assert study.base.loop.steps == 7
        return
    kind, _ = EXPERIMENTS[name]
    config = read_config(kind, path, ["loop.steps=7"])
    assert isinstance(config, kind)
    assert config.loop.steps == 7


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("task: lips\nlosses: 1\n", "losses"),
        ("task: lips\nloop: {stesp: 3}\n", "stesp"),
        ("task: lips\nloop: {steps: many}\n", "many"),
        ("task: lips\nloop: {steps: 0}\n", "expected 1 or more"),
        ("task: lips\nobjective: none\n", "expected frames or ctc"),
        ("task: [\n", "while parsing"),
    ],
)
def test_mistakes_are_told_in_one_line(tmp_path, text, message):
    path = tmp_path / "a.yaml"
    path.write_text(text)
    with pytest.raises(ValueError, match=message) as error:
        read_config(EXPERIMENTS["lips"][0], path)
    assert str(error.value).startswith(str(path))
    assert "\n" not in str(error.value)


def test_a_file_that_does_not_say_its_task(tmp_path):
    (tmp_path / "a.yaml").write_text("data: 1\n")
    with pytest.raises(ValueError, match="does not say 'task'"):
        read_name(tmp_path / "a.yaml", "task")
    with pytest.raises(FileNotFoundError, match="expected a configuration"):
        read_name(tmp_path / "b.yaml", "task")
