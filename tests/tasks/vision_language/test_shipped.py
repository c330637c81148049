"""What comes with mcgurk answers and describes what README's commands show it."""

import json
from pathlib import Path

import pytest

from tasks.__main__ import run
from tasks.vision_language.answerer import Answerer

SCENE = Path(__file__).parents[2] / "assets/scene.png"  # two circles, a star and a ring
CAPTION = "two circles, a purple star and an orange ring in a picture"


@pytest.fixture(scope="module")
def answerer():
    return Answerer.load("scenes", "cpu")


@pytest.mark.parametrize(
    ("question", "answer"),
    [
        ("what colour is the star?", "purple"),
        ("how many circles are there?", "2"),
        ("what shape is the orange thing?", "ring"),
        ("is there a red circle?", "yes"),
        ("is there a green square?", "no"),
        ("what do you see below the blue circle?", "ring"),
    ],
)
def test_the_adapter_answers_about_the_picture(answerer, question, answer):
    [found] = answerer.answer(SCENE, [question])
    assert found.text == answer


def test_the_adapter_judges_statements_on_two_pictures(answerer, tmp_path):
    statements = ["there is a star in each picture", "there is a green square in each picture"]
    assert [one.text for one in answerer.judge(SCENE, SCENE, statements)] == ["true", "false"]


def test_the_picture_is_described_as_the_readme_says(answerer, capsys):
    assert run(["caption", str(SCENE)]) == 0
    assert capsys.readouterr().out == f"{CAPTION}\n"
    for page in ("README.md", "docs/vision_language.md"):
        assert CAPTION in (Path(__file__).parents[3] / page).read_text(encoding="utf-8")


def test_the_commands_need_no_options(capsys):
    assert run(["answer", str(SCENE), "what colour is the star?", "--json"]) == 0
    [one] = json.loads(capsys.readouterr().out)["answers"]
    assert one["answers"][0]["text"] == "purple"
