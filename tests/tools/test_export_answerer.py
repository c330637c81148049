"""A trained answerer becomes one that comes along, and its card says what it is not."""

import json
import sys
from dataclasses import asdict

import pytest

from tasks.training.loop import train
from tasks.vision_language.answerer import Answerer
from tasks.vision_language.training import VisionLanguageTraining
from tools import export_answerer as tool


@pytest.fixture(scope="module")
def trained(experiment, tmp_path_factory):
    """What one step left, and an evaluation of it beside it."""
    folder = tmp_path_factory.mktemp("trained")
    config = experiment(licence="CC0-1.0", loop={"steps": 1, "warmup": 0})
    task = VisionLanguageTraining(config)
    train(task, config.loop, folder / "answerer", device="cpu", settings=asdict(config))
    (folder / "scores").mkdir()
    told = {"facts": {"questions": "8 of elsewhere, test"}, "scores": {"vqa": 61.46}}
    (folder / "scores/scores.json").write_text(json.dumps(told))
    return folder


@pytest.mark.parametrize("half", [False, True])
def test_it_answers_as_what_was_trained(trained, asked_folder, tmp_path, half):
    tool.export_answerer(trained / "answerer", tmp_path / "out", half=half)
    assert {path.name for path in (tmp_path / "out").iterdir()} == {
        "answerer.json",
        "README.md",
        "tuned",
    }
    first, second = (Answerer.load(at, "cpu") for at in (trained / "answerer", tmp_path / "out"))
    picture = next((asked_folder / "seen/images").iterdir())
    asked = ["what colour is the star?"]
    one, other = (by.answer(picture, asked, top=2)[0].answers for by in (first, second))
    tolerance = 0.01 if half else 1e-6
    for a, b in zip(one, other, strict=True):
        assert a.probability == pytest.approx(b.probability, abs=tolerance)


def test_the_card_tells_scores_of_training_and_evaluations(trained, tmp_path):
    tool.export_answerer(trained / "answerer", tmp_path / "out", [trained / "scores"])
    text = (tmp_path / "out/README.md").read_text()
    card = Answerer.load(trained / "answerer", "cpu").card
    assert text.startswith("---\nlicense: cc0-1.0\n---\n# out\n")
    assert f"vqa {card.scores['test_vqa']:.1f}" in text and card.data in " ".join(text.split())
    assert "* 8 of elsewhere, test: vqa 61.5" in text and "What it is not" in text


def test_mistakes_are_one_line(trained, tmp_path, monkeypatch, capsys):
    (tmp_path / "bad").mkdir()
    (tmp_path / "bad/scores.json").write_text("{}")
    for wrong, told in (("bad", "is damaged"), ("nowhere", "nowhere")):
        monkeypatch.setattr(
            sys,
            "argv",
            ["tool", str(trained / "answerer"), str(tmp_path / "out"), "--evaluation"]
            + [str(tmp_path / wrong)],
        )
        with pytest.raises(SystemExit) as error:
            tool.main()
        err = capsys.readouterr().err
        assert error.value.code == 2 and told in err and err.count("\n") == 1
