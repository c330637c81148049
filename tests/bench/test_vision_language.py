"""What the bench of vision and language compares does the same work, and its rows can be made."""

import sys

import pytest
import torch

from bench import vision_language as bench
from modalities.vision_language.grid_files import load_grid_encoder
from tasks.vision_language.training import Learner, VisionLanguageTraining
from tasks.vision_language.tuned import tune
from tools.render_questions import RenderOptions, render_folder

from ..modalities.vision_language.small_models import FEATURE_DIM, build

TINY = {"rank": 4}


@pytest.fixture(scope="module")
def folder(tmp_path_factory, save_tiny_clipseg, save_tiny_bart):
    folder = tmp_path_factory.mktemp("bench")
    render_folder(folder / "few", RenderOptions(count=4, size=96, questions=1), workers=1)
    save_tiny_clipseg(folder / "eyes")
    save_tiny_bart(folder / "bart", folder / "eyes")
    return folder


@pytest.fixture(scope="module")
def experiment(folder):
    return bench.experiment(folder / "few", str(folder / "bart"), str(folder / "eyes"), 4, TINY)


def test_pictures_that_are_looked_at_anew_show_what_was_kept(experiment):
    task = VisionLanguageTraining(experiment)
    names = [row.images[0] for rows in task.parts["train"].values() for row in rows]
    kept = task.eyes.of(names)
    anew = bench.look_anew(load_grid_encoder(experiment.images), names)
    torch.testing.assert_close(anew, kept)


def test_rows_of_kept_features_and_of_many_questions_are_made(folder, experiment):
    kept = bench.kept(experiment, "tiny", 1)
    assert "epoch of" in kept.what and kept.ours > 0 and kept.theirs > 0
    asked = bench.many_questions(folder / "few", experiment.model, experiment.images, "tiny", 1)
    assert asked.peer == "one question" and asked.ratio == asked.ours / asked.theirs


def test_the_answerer_is_brief_and_looks_once_at_a_picture(folder, experiment):
    answerer = bench.build_answerer(experiment.model, load_grid_encoder(experiment.images))
    looked = []
    dim = answerer.tuned.vl.visual_embedding.feature_dim
    answerer.reader.look = lambda paths: looked.append(paths) or torch.zeros(1, 9, dim)
    picture = next((folder / "few/images").iterdir())
    [answered] = answerer.answer(picture, ["how many ?"], top=1)
    assert len(answered.text.split()) <= 2
    answerer.answer(picture, ["how many ?"] * 8)
    assert [len(paths) for paths in looked] == [1, 1], "a picture is looked at once for all"


def test_a_mixed_batch_has_the_rows_of_one_of_one_task_and_the_same_loss():
    tuned = tune(build("bart"), "adapter", bench.TASKS, "multiple", TINY)
    batch = bench.batch_of(8, FEATURE_DIM)
    assert batch["tasks"] == (*bench.TASKS, *bench.TASKS)
    learner = Learner(tuned)
    with torch.no_grad():
        for name, parameter in tuned.named_trained().items():
            if "mcgurk_adapters" in name:  # which do nothing now: it does not matter whose they are
                parameter.zero_()
        losses = [float(learner([{**batch, "tasks": names}])["loss"]) for names in tasks_of(batch)]
    assert losses[0] == pytest.approx(losses[1], rel=1e-5)
    row = bench.mixed(tuned, 8, "tiny", 1)
    assert row.target == "<= 1.15" and row.ours > 0


def tasks_of(batch):
    """Return the tasks of its rows, and as many of one task that answers as these do."""
    mixed = tuple("gqa" if name == "caption" else name for name in batch["tasks"])
    return mixed, ("vqa",) * len(mixed)


def test_a_file_holds_what_is_trained_and_little_else():
    tuned = tune(build("bart"), "adapter", bench.TASKS, "single", TINY)
    row = bench.file(tuned, "tiny")
    trained, total = tuned.count()
    assert 4 * trained < row.ours * 1e6 < 4 * trained + 20_000
    assert row.theirs == pytest.approx(4 * total / 1e6)


def test_the_adapter_of_the_published_size_is_24_mb():
    with torch.device("meta"):
        trained, total = bench.published("adapter").count()
    assert (trained, total) == (6_081_600, 145_606_464) and round(4 * trained / 1e6) == 24


@pytest.mark.parametrize("method", ["adapter", "full"])
def test_what_is_measured_in_a_process_of_its_own_trains_with_the_optimiser_s_memory(
    method, monkeypatch
):
    tuned = tune(build("bart"), method, bench.TASKS)
    small = bench.batch_of(4, FEATURE_DIM)
    monkeypatch.setattr(bench, "batch_of", lambda count: small)
    monkeypatch.setattr(bench, "published", lambda name: tuned if name == method else None)
    monkeypatch.setattr(sys, "argv", ["-c", method])
    before = [parameter.detach().clone() for parameter in tuned.trained()]
    names: dict = {}
    exec(bench.MEMORY, names)
    states = names["optimiser"].state
    assert all({"exp_avg", "exp_avg_sq"} <= states[p].keys() for p in tuned.trained())
    assert any(not torch.equal(a, b) for a, b in zip(before, tuned.trained(), strict=True))


def test_the_row_of_memory_sets_one_adapter_beside_full_fine_tuning(monkeypatch):
    asked = []
    monkeypatch.setattr(bench, "run_for_peak", lambda code, name: asked.append(name) or 100.0)
    assert bench.memory().ratio == 1 and asked == ["adapter", "full"]
