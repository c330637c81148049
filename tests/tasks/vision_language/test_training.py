from dataclasses import asdict, replace

import numpy as np
import pytest
import torch

from data_prep.questions.manifest import Question
from tasks.training.loop import train
from tasks.vision_language.answerer import Answerer
from tasks.vision_language.scores import score_answers, scored_tasks
from tasks.vision_language.training import VisionLanguageTraining, check_goals, first_rows


def test_a_training_that_was_interrupted_ends_where_one_that_was_not_does(experiment, tmp_path):
    config = experiment()
    short = replace(config.loop, checkpoint_every=1)
    whole = train(VisionLanguageTraining(config), short, tmp_path / "whole", device="cpu")
    task = VisionLanguageTraining(config)

    def stop(done, all_steps):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train(task, short, tmp_path / "torn", stop, "cpu")
    torn = train(VisionLanguageTraining(config), short, tmp_path / "torn", device="cpu")
    assert torn == pytest.approx(whole)


def test_what_is_exported_answers_as_what_was_trained(experiment, tmp_path):
    config = experiment(sharing="multiple")
    task = VisionLanguageTraining(config)
    train(task, config.loop, tmp_path, device="cpu", settings=asdict(config))
    loaded = Answerer.load(tmp_path, "cpu")
    rows = [row for some in task.parts["test"].values() for row in some][:6]
    asked = task.reader.ask(rows)
    with torch.no_grad():
        with task.tuned.eval().use(asked.tasks):
            one = task.tuned.vl.encode(*asked.given).states
        with loaded.tuned.use(asked.tasks):
            other = loaded.tuned.vl.encode(*asked.given).states
    torch.testing.assert_close(one, other)
    assert loaded.card.scores.keys() >= {"average", "test_average", "validation_loss"}
    # A study writes "test_" before them.
    assert task.test_scores.keys() == {"vqa", "gqa", "nlvr2", "caption", "average"}


def test_pictures_are_encoded_where_the_model_is(experiment, tmp_path, monkeypatch):
    """On a GPU a training is slow otherwise; "meta" stands for one here."""
    config = experiment()
    task = VisionLanguageTraining(config)
    train(task, config.loop, tmp_path, device="cpu", settings=asdict(config))
    task.module.to("meta")
    with pytest.raises(NotImplementedError, match="meta"):  # what it computes has no numbers
        task.load(0, np.random.default_rng(0))
        task.reader.look(["tests/assets/scene.png"])
    assert {p.device.type for p in task.eyes.encoder.parameters()} == {"meta"}
    loaded, seen = Answerer.load(tmp_path, "cpu"), []
    monkeypatch.setattr(loaded.eyes, "to", lambda where: seen.append(where) or loaded.eyes)
    assert Answerer(loaded.tuned, loaded.eyes, loaded.card, "cpu").eyes is loaded.eyes
    assert [str(where) for where in seen] == ["cpu"]


def test_a_batch_of_one_task_has_the_loss_of_its_rows_in_a_mixed_one(experiment):
    """One of the other tasks beside it changes nothing, with adapters of its own for each."""
    task = VisionLanguageTraining(experiment(sharing="multiple", sampling={"kind": "mixed"}))
    rows = [some[0] for some in task.parts["train"].values()]
    texts = [next(iter(row.answers)) for row in rows]
    mixed = task._batch(rows, texts, [1.0] * len(rows))
    with torch.no_grad():
        whole = float(task.module([mixed])["loss"])
        alone = [
            float(task.module([task._batch([row], [text], [1.0])])["loss"])
            for row, text in zip(rows, texts, strict=True)
        ]
    assert whole == pytest.approx(np.mean(alone), rel=1e-4)


def test_measures_are_of_all_tasks_and_known_to_the_configuration(experiment):
    config = experiment()
    found = VisionLanguageTraining(config).measure()
    assert set(found) == {"vqa", "gqa", "nlvr2", "caption", "average", "validation_loss"}
    assert set(found) <= set(config.measures)


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"method": "adaptr"}, "did you mean|Did you mean"),
        ({"sharing": "half"}, "single"),
        ({"method": "full", "sharing": "multiple"}, "has no sharing 'multiple'"),
        ({"writing": {"beams": 0}}, "beams is 0"),
        ({"writing": {"beams": 101}}, "beams is 101; expected 1 to 100"),
        ({"data": {"manifests": ["x"], "tasks": ["snli"]}}, "snli"),
        ({"loop": {"best": "accuracy"}}, "accuracy"),
    ],
)
def test_mistakes_are_told_before_anything_is_loaded(experiment, changes, told):
    with pytest.raises(ValueError, match=told):
        experiment(**changes)


def test_features_of_another_encoder_are_refused(experiment, tmp_path, save_tiny_clipseg):
    folder = str(tmp_path / "features")
    task = VisionLanguageTraining(experiment(features=folder))
    task.load(0, np.random.default_rng(0))
    task.eyes.flush()
    with pytest.raises(ValueError, match="another|other"):
        VisionLanguageTraining(experiment(features=folder, images="scenes"))


@pytest.mark.parametrize("goal", ["average", "-validation_loss", "gqa"])
def test_a_goal_that_no_row_measures_is_told_before_the_first_epoch(experiment, goal):
    config = experiment(loop={"steps": 2, "batch": 1, "best": goal})
    with pytest.raises(ValueError, match=f"loop.best is '{goal}', .* do 0 rows measure"):
        check_goals(config, [])
    asked = Question("1", "vqa", ("a.png",), "why?", answers={"so": 1.0})
    described = Question("2", "caption", ("a.png",), answers={"a star": 1.0})
    if goal == "gqa":
        with pytest.raises(
            ValueError, match="known: loss, vqa, average, validation_loss. .*2 rows"
        ):
            check_goals(config, [asked, described])
    else:
        check_goals(config, [asked, described])


def test_what_is_measured_of_rows_is_what_goals_are_checked_by(experiment):
    task = VisionLanguageTraining(experiment())
    rows = first_rows(task.parts["validation"], 0)
    assert {*scored_tasks(rows)} == task.measure().keys() - {"average", "validation_loss"}
    described = [Question(n, "caption", ("a.png",), answers={"a star": 1.0}) for n in "12"]
    assert scored_tasks(described) == [] and score_answers(described, ["a star"] * 2) == {}
