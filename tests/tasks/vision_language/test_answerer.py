import json
import shutil
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, replace
from pathlib import Path

import pytest
import torch

from data_prep.questions.manifest import Question, read_questions, write_questions
from tasks.training.loop import train
from tasks.vision_language.answerer import Answerer
from tasks.vision_language.config import WritingOptions
from tasks.vision_language.evaluation import run as evaluation
from tasks.vision_language.evaluation.config import VisionLanguageEvaluationConfig
from tasks.vision_language.evaluation.run import find_mistakes, find_rows
from tasks.vision_language.evaluation.sheet import Shown
from tasks.vision_language.training import VisionLanguageTraining


@pytest.fixture(scope="module")
def trained(experiment, tmp_path_factory):
    folder = tmp_path_factory.mktemp("trained")
    config = experiment()
    train(
        VisionLanguageTraining(config), config.loop, folder, device="cpu", settings=asdict(config)
    )
    return folder


@pytest.fixture(scope="module")
def answerer(trained):
    return Answerer.load(trained, "cpu")


@pytest.fixture(scope="module")
def pictures(asked_folder):
    return sorted((asked_folder / "seen/images").glob("*.png"))


def test_many_questions_are_answered_as_each_by_itself(answerer, pictures):
    questions = ["what colour is the star?", "is there a ring?", "how many things are there?"]
    together = answerer.answer(pictures[0], questions, top=3)
    for question, found in zip(questions, together, strict=True):
        [alone] = answerer.answer(pictures[0], [question], top=3)
        assert [one.text for one in alone.answers] == [one.text for one in found.answers]
        assert [one.probability for one in alone.answers] == pytest.approx(
            [one.probability for one in found.answers], rel=1e-4
        )
        shares = [one.probability for one in found.answers]
        assert shares == sorted(shares, reverse=True) and sum(shares) <= 1.001
        assert len({one.text for one in found.answers}) == len(found.answers)


def test_a_statement_is_true_or_false(answerer, pictures):
    [found] = answerer.judge(pictures[0], pictures[1], ["both pictures show a star"])
    assert {one.text for one in found.answers} == {"true", "false"}
    assert sum(one.probability for one in found.answers) == pytest.approx(1.0)


def test_a_picture_is_described_as_in_a_batch(answerer, pictures):
    texts = answerer.caption(pictures[:3], WritingOptions(beams=2, longest=10))
    assert texts[1:2] == answerer.caption([pictures[1]], WritingOptions(beams=2, longest=10))


def test_a_long_question_is_said_to_be_cut(answerer, pictures):
    found = answerer.answer(pictures[0], ["red?", " ".join(["red"] * 30)])
    assert [one.cut for one in found] == [False, True]


@pytest.mark.parametrize("texts", [[], [""], ["what?", " "], "what?"])
def test_empty_questions_are_refused(answerer, pictures, texts):
    with pytest.raises(ValueError, match="expected a list of one or more"):
        answerer.answer(pictures[0], texts)


def test_a_task_that_was_not_trained_is_refused(answerer, experiment, pictures, tmp_path):
    config = experiment(data={"manifests": experiment().data.manifests, "tasks": ["caption"]})
    train(VisionLanguageTraining(config), config.loop, tmp_path, device="cpu")
    with pytest.raises(ValueError, match="trained for caption, and not for questions"):
        Answerer.load(tmp_path, "cpu").answer(pictures[0], ["what?"])


def test_an_evaluation_writes_scores_and_a_line_for_each_answer(answerer, asked_folder, tmp_path):
    config = VisionLanguageEvaluationConfig(questions=str(asked_folder / "seen"), mistakes=4)
    found = answerer.evaluate(config, tmp_path)
    assert set(found.data["scores"]) == {"vqa", "gqa", "nlvr2", "caption", "average"}
    names = {path.name for path in tmp_path.iterdir()}
    assert names == {"scores.json", "report.md", "answers.jsonl", "mistakes.png"}
    assert found.data["scores"]["average"] == pytest.approx(answerer.card.scores["test_average"])
    lines = (tmp_path / "answers.jsonl").read_text().splitlines()
    assert len(lines) == int(found.facts["questions"].split()[0])


def test_questions_of_the_training_are_evaluated_without_pictures_that_are_gone(
    experiment, asked_folder, tmp_path
):
    shutil.copytree(asked_folder / "seen", tmp_path / "seen")
    config = experiment(data={"manifests": [str(tmp_path / "seen")]})
    train(
        VisionLanguageTraining(config),
        config.loop,
        tmp_path / "trained",
        None,
        "cpu",
        asdict(config),
    )
    gone = next(
        row for row in read_questions(tmp_path / "seen/manifest.jsonl") if row.fold == "test"
    )
    (tmp_path / "seen" / gone.images[0]).unlink()
    asked = VisionLanguageEvaluationConfig(answerer=str(tmp_path / "trained"), device="cpu")
    with pytest.raises(FileNotFoundError, match="--skip-bad"):
        find_rows(asked)
    rows, _, left_out = find_rows(replace(asked, skip_bad=True))
    assert rows and gone.id not in {row.id for row in rows}
    assert any(line.startswith(f"{gone.id}: there is no ") for line in left_out)


def test_mistakes_are_of_all_tasks(asked_folder):
    rows = [Question(f"{task}{n}", task, ("a",)) for task in ("vqa", "gqa") for n in range(9)]
    shown = [Shown(row, "", 0.0) for row in rows]
    found = find_mistakes([*shown, Shown(rows[0], "", 100.0)], 6)
    assert [one.row.task for one in found] == ["vqa"] * 3 + ["gqa"] * 3
    assert len(find_mistakes(shown[:1], 6)) == 1


def test_an_answerer_that_is_not_whole_is_refused(trained, tmp_path):
    with pytest.raises(FileNotFoundError, match=r"holds no answerer\.json"):
        Answerer.load(tmp_path)
    (tmp_path / "answerer.json").write_text("{}")
    with pytest.raises(ValueError, match="damaged"):
        Answerer.load(tmp_path)
    (tmp_path / "answerer.json").write_text((trained / "answerer.json").read_text())
    with pytest.raises(FileNotFoundError, match="not whole"):
        Answerer.load(tmp_path)


@pytest.mark.parametrize("task", ["nlvr2", "caption", "snli", "tvqa"])
def test_questions_of_another_kind_are_refused(answerer, pictures, task):
    with pytest.raises(ValueError, match=f"No task '{task}' of questions .*known: vqa, gqa"):
        answerer.answer(pictures[0], ["what?"], task=task)


def test_a_statement_about_one_picture_is_refused(answerer, pictures):
    one = Question("0", "nlvr2", (str(pictures[0]),), "both are red")
    with pytest.raises(ValueError, match="has 1 images; nlvr2 needs 2"):
        answerer.answer_rows([one])


@pytest.mark.parametrize("texts", [[5], [None], ["\ud800?"]])
def test_questions_that_are_no_text_are_refused(answerer, pictures, texts):
    with pytest.raises(ValueError, match="expected a list of one or more|no Unicode"):
        answerer.answer(pictures[0], texts)
    for top in (1.5, 101):
        with pytest.raises(ValueError, match=f"top is {top}; expected 1 to 100 answers"):
            answerer.answer(pictures[0], ["what?"], top=top)
    with pytest.raises(ValueError, match="expected a list of files"):
        answerer.caption(str(pictures[0]))


def test_captions_longer_than_the_model_has_places_for_are_refused(
    answerer, pictures, experiment, monkeypatch, tmp_path
):
    with pytest.raises(ValueError, match="up to 65 tokens .* places for 64"):
        answerer.caption([pictures[0]], WritingOptions(1, 65))
    with pytest.raises(ValueError, match="places for 64. Give 64 or fewer"):
        VisionLanguageTraining(experiment(writing={"longest": 65}))
    config = VisionLanguageEvaluationConfig(questions=experiment().data.manifests[0], longest=65)
    with monkeypatch.context() as patched, pytest.raises(ValueError, match="places for 64"):
        patched.setattr(Answerer, "answer_rows", None)  # it is told before anything is answered
        answerer.evaluate(config, tmp_path)


def test_more_questions_than_are_looked_into_at_once_are_answered(answerer, pictures, monkeypatch):
    questions = ["what is it?", "is there a ring?", "how many?", "what colour is the star?"]
    whole = answerer.answer(pictures[0], questions, top=2)
    monkeypatch.setattr("tasks.vision_language.answerer.AT_ONCE", 4)
    parts = answerer.answer(pictures[0], questions, top=2)
    assert [one.text for one in parts] == [one.text for one in whole]
    assert [one.question for one in parts] == questions


def test_threads_that_share_an_answerer_of_many_adapters_have_their_own_answers(
    experiment, pictures, tmp_path
):
    config = experiment(sharing="multiple")
    answerer = Answerer.fit(config, tmp_path, device="cpu")
    with torch.no_grad():
        for number, parameter in enumerate(answerer.tuned.trained()):
            generator = torch.Generator().manual_seed(number)
            parameter += 0.3 * torch.randn(parameter.shape, generator=generator)
    calls = [
        lambda: answerer.answer(pictures[0], ["what is it?"], task="vqa"),
        lambda: answerer.answer(pictures[0], ["what is it?"], task="gqa"),
        lambda: answerer.judge(pictures[0], pictures[1], ["both are red"]),
    ]
    alone = [call() for call in calls]
    with ThreadPoolExecutor(3) as pool:
        together = [pool.submit(call) for call in calls * 8]
    for number, found in enumerate(together):
        assert found.result() == alone[number % len(calls)]


@pytest.mark.parametrize(
    ("file", "change"),
    [
        ("answerer.json", {"images": 5}),
        ("answerer.json", {"model": None}),
        ("answerer.json", {"tasks": [5]}),
        ("answerer.json", {"trained": "many"}),
        ("answerer.json", {"fresh_embedding": "no"}),
        ("answerer.json", {"writing": {"beams": "x"}}),
        ("answerer.json", {"writing": {"width": 3}}),
        ("tuned/tuned.json", {"options": 5}),
        ("tuned/tuned.json", {"tasks": [1]}),
    ],
)
def test_a_card_with_an_entry_of_another_kind_is_damaged(trained, tmp_path, file, change):
    shutil.copytree(trained, tmp_path / "copy")
    path = tmp_path / "copy" / file
    path.write_text(json.dumps(json.loads(path.read_text()) | change))
    with pytest.raises(ValueError, match=f"{path.name} is damaged .*train the"):
        Answerer.load(tmp_path / "copy", "cpu")


def test_an_evaluation_asks_once_what_an_answerer_was_trained_with(
    answerer, trained, tmp_path, monkeypatch
):
    asked = []
    told = evaluation.trained_with
    monkeypatch.setattr(evaluation, "trained_with", lambda name: asked.append(name) or told(name))
    config = VisionLanguageEvaluationConfig(answerer=str(trained), mistakes=0)
    answerer.evaluate(config, tmp_path / "out")
    assert asked == [str(trained)]


def test_an_evaluation_leaves_out_what_cannot_be_read_and_tells_what_is_cut(
    answerer, asked_folder, tmp_path
):
    shutil.copytree(asked_folder / "seen", tmp_path / "seen")
    manifest = tmp_path / "seen/manifest.jsonl"
    rows = [row for row in read_questions(manifest) if row.fold == "test"]
    rows[0] = replace(rows[0], text=" ".join(["what"] * 30))
    bad = next(row for row in rows if row.images[0] != rows[0].images[0])
    write_questions(manifest, rows)
    Path(bad.images[0]).write_bytes(b"no picture")
    config = VisionLanguageEvaluationConfig(questions=str(manifest), mistakes=0)
    with pytest.raises(ValueError, match="cannot be read as a picture"):
        answerer.evaluate(config, tmp_path / "out")
    found = answerer.evaluate(replace(config, skip_bad=True), tmp_path / "out")
    assert any(line.startswith(f"{bad.id}: ") for line in found.data["left_out"])
    [cut] = found.data["cut"]
    assert cut.endswith("have a text that is longer than the model reads, and is cut at its end")
    assert cut.startswith("1 of ") and f"{cut}." in (tmp_path / "out/report.md").read_text()
