import shutil
from dataclasses import asdict, replace

import pytest

from data_prep.questions.manifest import read_questions
from tasks.training.loop import train
from tasks.vision_language.answerer import Answerer
from tasks.vision_language.config import WritingOptions
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
    from data_prep.questions.manifest import Question

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
