from dataclasses import fields
from inspect import signature
from pathlib import Path

import pytest

from tasks.cli.evaluate import evaluate
from tasks.config import ALTERNATIVES, changed, read_config, read_name
from tasks.experiments import (
    COLLECTIONS,
    EVALUATIONS,
    EXPERIMENTS,
    STUDIES,
    USES,
    find_experiment,
    read_task,
)
from tasks.training.options import LoopOptions
from tasks.training.study import plan_runs

CONFIGS = sorted(
    path
    for path in (Path(__file__).parents[2] / "configs").rglob("*.yaml")
    if path.parent.name != "serving"  # Ray's, see tests/tasks/serving/test_ray_deployment.py
)
LOADERS = {
    **EXPERIMENTS,
    **STUDIES,
    **{name: evaluation.load for name, evaluation in EVALUATIONS.items()},
    **COLLECTIONS,
}


def test_there_are_configurations_of_every_use():
    tasks = {read_name(path, "task") for path in CONFIGS}
    for _, _, table in USES:
        assert tasks & set(table)


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.stem)
def test_every_configuration_says_its_task_and_parses(path):
    name = read_name(path, "task")
    kind, _ = LOADERS[name]()
    change = ["loop.steps=7"] if name in EXPERIMENTS else []
    config = read_config(kind, path, ["base.loop.steps=7"] if name in STUDIES else change)
    assert config.task == name
    if name in EXPERIMENTS:
        assert config.loop.in_steps(1000).steps == 7  # also where the file says it in epochs
    if name == "audio_classification_study":
        assert config.base.loop.in_steps(1000).steps == 7
    if name == "study":
        runs = plan_runs(config, find_experiment)
        assert {run.config.loop.in_steps(1000).steps for run in runs} >= {7}


@pytest.mark.parametrize("name", EVALUATIONS)
def test_options_of_evaluations_are_entries_and_options_of_the_command(name):
    evaluation = EVALUATIONS[name]
    entries = {field.name for field in fields(evaluation.load()[0])}
    assert {evaluation.target, *evaluation.options.values()} <= entries
    assert set(evaluation.options) <= set(signature(evaluate).parameters)


@pytest.mark.parametrize(
    ("command", "task", "message"),
    [
        (
            "train",
            "avsr_evaluation",
            r"is an evaluation \(avsr_evaluation\); use `mcgurk evalu",
        ),
        ("train", "avsr_collection", "is a collection .* use `mcgurk sets collect "),
        ("evaluate", "avsr", "is an experiment .* use `mcgurk train "),
        ("evaluate", "audio_classification_study", "is a study .* use `mcgurk train "),
        ("sets collect", "lips", "is an experiment .* use `mcgurk train "),
        ("train", "lisp", "no task 'lisp'; known: lips, .* Did you mean 'lips'"),
        ("evaluate", "dance", "no task 'dance'; known: avsr_evaluation, "),
        ("sets collect", "", "does not say 'task'; expected .* with one of avsr_collection"),
    ],
)
def test_a_file_of_another_command_or_of_none_is_told(tmp_path, command, task, message):
    path = tmp_path / "a.yaml"
    path.write_text(f"task: {task}\n")
    with pytest.raises(ValueError, match=message):
        read_task(path, command)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("task: lips\nlosses: 1\n", "losses"),
        ("task: lips\nloop: {stesp: 3}\n", "stesp"),
        ("task: lips\nloop: {steps: many}\n", "many"),
        ("task: lips\nloop: {steps: 0}\n", "expected 1 or more"),
        ("task: lips\nobjective: none\n", "expected frames or ctc"),
        ("task: [\n", "line 2: did not find expected node content"),
        ("task: lips\n\tseed: 1\n", "line 2: found a tab"),
    ],
)
def test_mistakes_are_told_in_one_line(tmp_path, text, message):
    path = tmp_path / "a.yaml"
    path.write_text(text)
    with pytest.raises(ValueError, match=message) as error:
        read_config(EXPERIMENTS["lips"]()[0], path)
    assert str(error.value).startswith(str(path))
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("loop.steps=abc", "loop.steps is 'abc'; expected a whole number."),
        ("loop.steps=2.5", "loop.steps is '2.5'; expected a whole number."),
        ("loop.steps=", "loop.steps has no value; expected a whole number."),
        ("loop.betas=1", "loop.betas is one value; expected a list, as loop.betas=[ONE] or"),
        ("loop.learning_rate=.nan", "Option 'learning_rate' is nan; expected 0 or more."),
        ("loop.betas=[0.9,1]", "Option 'betas' is (0.9, 1.0); expected each 0 to below 1."),
        ("loop.stesp=3", "There is no entry 'loop.stesp'. Did you mean: 'steps'?"),
        ("loops=3", "There is no entry 'loops'. Did you mean"),
        ("dance=3", "There is no entry 'dance'."),
        ("loop=3", "3 stands where entries of its own are expected, as loop.steps=100."),
        ("loop.steps", "'loop.steps' sets nothing; changes are KEY=VALUE, as loop.steps=100."),
        ("=3", "'=3' sets nothing; changes are KEY=VALUE"),
        ("loop.steps={", "'loop.steps={' sets nothing; changes are KEY=VALUE"),
    ],
)
def test_a_change_that_cannot_be_is_told_by_its_name(tmp_path, change, message):
    path = tmp_path / "a.yaml"
    path.write_text("task: lips\n")
    with pytest.raises(ValueError) as error:
        read_config(EXPERIMENTS["lips"]()[0], path, [change])
    assert str(error.value).startswith(f"{path}: {message}")
    assert "Config'" not in str(error.value) and "Options" not in str(error.value)


@pytest.mark.parametrize("change", ["loop.best=", "loop.best=''", 'loop.best=""'])
def test_a_text_is_made_empty_as_shells_hand_on_empty_quotes(tmp_path, change):
    path = tmp_path / "a.yaml"
    path.write_text("task: lips\nloop: {best: -loss}\n")
    kind = EXPERIMENTS["lips"]()[0]
    assert read_config(kind, path).loop.best == "-loss"
    assert read_config(kind, path, [change]).loop.best == ""
    with pytest.raises(ValueError, match="loop.steps"):
        read_config(kind, path, ["loop.steps="])


def test_one_value_in_the_place_of_a_list_is_told_with_how_a_list_is_typed(tmp_path):
    path = tmp_path / "a.yaml"
    path.write_text("task: vision_language\n")
    with pytest.raises(ValueError, match="data.manifests is one value; expected a list, as data"):
        read_config(EXPERIMENTS["vision_language"]()[0], path, ["data.manifests=build/own"])


@pytest.mark.parametrize(("one", "other"), ALTERNATIVES)
def test_what_is_typed_wins_over_the_other_way_in_which_a_file_says_it(tmp_path, one, other):
    kind, _ = EXPERIMENTS["segmentation"]()
    path = tmp_path / "a.yaml"
    path.write_text(f"task: segmentation\nloop: {{{one}: 5, batch: 4}}\n")
    loop = read_config(kind, path, [f"loop.{other}=7"]).loop
    assert (getattr(loop, one), getattr(loop, other), loop.batch) == (0, 7, 4)
    assert getattr(loop.in_steps(40), other) == 7
    assert getattr(read_config(kind, path, ["loop.batch=2"]).loop.in_steps(40), other) == 100
    path.write_text(f"task: segmentation\nloop: {{{other}: 7}}\n")
    assert getattr(read_config(kind, path, [f"loop.{one}=3"]).loop.in_steps(16), other) == 3
    assert getattr(changed(kind(loop=LoopOptions(**{one: 5})), [f"loop.{other}=7"]).loop, one) == 0


@pytest.mark.parametrize(("one", "other"), ALTERNATIVES)
def test_one_thing_said_in_two_ways_is_refused(tmp_path, one, other):
    kind, _ = EXPERIMENTS["segmentation"]()
    path = tmp_path / "a.yaml"
    path.write_text("task: segmentation\n")
    told = f"{path}: loop.{one}=5 and loop.{other}=7 are two ways to say one thing; leave one out."
    with pytest.raises(ValueError) as error:
        read_config(kind, path, [f"loop.{one}=5", f"loop.{other}=7"])
    assert str(error.value) == told
    path.write_text(f"task: segmentation\nloop: {{{one}: 5, {other}: 7}}\n")
    with pytest.raises(ValueError) as error:
        read_config(kind, path)
    assert str(error.value) == told
    path.write_text(f"task: segmentation\nloop: {{{one}: 0, {other}: 7}}\n")
    assert getattr(read_config(kind, path).loop, other) == 7


def test_what_a_study_says_in_base_wins_over_the_other_way_in_its_experiment(tmp_path):
    experiment = tmp_path / "experiment.yaml"
    experiment.write_text("task: segmentation\nloop: {epochs: 5}\n")
    path = tmp_path / "study.yaml"
    path.write_text(
        f"task: study\nof: segmentation\nconfig: {experiment}\nmeasure: dice\nseeds: [0]\n"
        "rows: {a: [], b: [loop.steps=8]}\n"
    )
    kind, _ = STUDIES["study"]()
    for typed, expected in (([], {100, 8}), (["base.loop.steps=7"], {7, 8})):
        runs = plan_runs(read_config(kind, path, typed), find_experiment)
        assert {run.config.loop.in_steps(320).steps for run in runs} == expected


def test_a_file_with_half_an_interpolation_is_told(tmp_path):
    path = tmp_path / "a.yaml"
    path.write_text("task: lips\nname: ${b\n")
    with pytest.raises(ValueError, match="a.yaml is no configuration in YAML"):
        read_name(path, "task")


def test_a_folder_is_told_to_be_one(tmp_path):
    for read in (lambda: read_name(tmp_path, "task"), lambda: read_config(dict, tmp_path)):
        with pytest.raises(ValueError) as error:
            read()
        assert str(error.value) == f"{tmp_path} is a folder; expected a configuration in YAML."


@pytest.mark.parametrize("text", ["data: 1\n", "", "- task: lips\n", "task: 3\n", "lips\n"])
def test_a_file_that_does_not_say_its_task(tmp_path, text):
    (tmp_path / "a.yaml").write_text(text)
    with pytest.raises(ValueError, match="does not say 'task'"):
        read_name(tmp_path / "a.yaml", "task")
    with pytest.raises(FileNotFoundError, match="expected a configuration"):
        read_name(tmp_path / "b.yaml", "task")


def test_the_task_of_a_file_cannot_be_set_anew(tmp_path):
    path = tmp_path / "a.yaml"
    path.write_text("task: lips\n")
    kind, _ = EXPERIMENTS["lips"]()
    with pytest.raises(ValueError, match="'task=lisp' cannot be set anew"):
        read_config(kind, path, ["task=lisp"])


def test_a_file_that_another_program_marked_is_read_and_one_in_another_encoding_is_told(tmp_path):
    path = tmp_path / "config.yaml"
    text = "task: naïve\r\n"
    for encoding in ("utf-8-sig", "utf-16"):
        path.write_bytes(text.encode(encoding))
        assert read_name(path, "task") == "naïve"
    path.write_bytes(text.encode("latin-1"))
    with pytest.raises(ValueError, match=r"config.yaml looks like Latin-1"):
        read_name(path, "task")
