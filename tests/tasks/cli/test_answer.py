import importlib
import json
import shutil

import cv2
import numpy as np
import pytest
from PIL import Image

from tasks.__main__ import run


@pytest.fixture(scope="module")
def trained(tmp_path_factory, save_tiny_clipseg, save_tiny_bart):
    """A folder with a model that has learnt two steps, in "model", and pictures."""
    from dataclasses import asdict

    from tasks.config import filled
    from tasks.training.loop import train
    from tasks.vision_language.config import VisionLanguageConfig
    from tasks.vision_language.training import VisionLanguageTraining
    from tools.render_questions import RenderOptions, render_folder

    folder = tmp_path_factory.mktemp("answers")
    render_folder(folder / "seen", RenderOptions(count=20, size=96, questions=2), workers=1)
    save_tiny_clipseg(folder / "eyes")
    save_tiny_bart(folder / "bart", folder / "eyes")
    entries = {
        "data": {"manifests": [str(folder / "seen")], "measured": 2, "tested": 2},
        "model": str(folder / "bart"),
        "images": str(folder / "eyes"),
        "options": {"rank": 2},
        "writing": {"beams": 1, "longest": 8},
        "loop": {"steps": 2, "batch": 1, "measure_every": 2},
    }
    config = filled(VisionLanguageConfig, entries, "the test")
    task = VisionLanguageTraining(config)
    train(task, config.loop, folder / "model", device="cpu", settings=asdict(config))
    return folder


@pytest.fixture
def ask(trained, capsys):
    """Runs a command with the model, and returns its exit code, stdout and stderr."""

    def call(*arguments, model=True):
        typed = [*map(str, arguments), *(["--model", str(trained / "model")] if model else [])]
        code = run(typed)
        told = capsys.readouterr()
        return code, told.out, told.err

    return call


@pytest.fixture
def picture(trained):
    return trained / "seen/images/000000.png"


def test_questions_are_answered_with_how_likely_each_answer_is(ask, picture):
    code, out, _ = ask("answer", picture, "what colour is the star?", "how many?", "--top", "2")
    assert code == 0
    first, second = (part.splitlines() for part in out.split("\n\n"))
    assert first[0] == "what colour is the star?" and second[0] == "how many?"
    assert 2 <= len(first) <= 3
    assert all(0 <= float(line.rsplit("  ", 1)[1]) <= 1 for line in first[1:])


def test_json_is_one_line(ask, picture):
    code, out, err = ask("answer", picture, "what is it?", "--json")
    told = json.loads(out)
    assert code == 0 and not err and out.count("\n") == 1
    [found] = told["answers"]
    assert found["question"] == "what is it?" and not found["cut"]
    assert 0 <= found["answers"][0]["probability"] <= 1


def test_a_statement_about_two_pictures_is_judged(ask, picture, trained):
    second = trained / "seen/images/000001.png"
    code, out, _ = ask("answer", picture, "both pictures show a star", "--and", second)
    assert code == 0 and out.split()[0] in ("true", "false")


def test_a_long_question_is_cut_with_a_note(ask, picture):
    code, _, err = ask("answer", picture, " ".join(["red"] * 25))
    assert code == 0 and "longer than the model reads; its end is cut" in err


def test_a_folder_is_described_in_lines_of_json(ask, trained, tmp_path):
    (tmp_path / "in").mkdir()
    for number in range(3):
        values = np.full((64, 64, 3), 80 * number, np.uint8)
        cv2.imwrite(str(tmp_path / "in" / f"{number}.png"), values)
    (tmp_path / "in" / "bad.png").write_bytes(b"no picture")
    code, out, err = ask("caption", tmp_path / "in", "-o", tmp_path / "out.jsonl")
    lines = [json.loads(line) for line in (tmp_path / "out.jsonl").read_text().splitlines()]
    assert code == 0 and [line["picture"][-5:] for line in lines] == ["0.png", "1.png", "2.png"]
    assert all(isinstance(line["caption"], str) for line in lines)
    assert "3 pictures" in out and "1 could not be read" in err and "bad.png" in err
    code, out, _ = ask("caption", tmp_path / "in")
    assert code == 0 and [json.loads(line) for line in out.splitlines()] == lines


def test_one_picture_is_described_in_a_sentence(ask, picture):
    code, out, _ = ask("caption", picture)
    assert code == 0 and out.count("\n") == 1


def test_captions_of_a_folder_that_was_interrupted_are_kept(ask, trained, tmp_path, monkeypatch):
    command = importlib.import_module("tasks.cli.caption")
    done = []

    def caption_some(answerer, some, *_):
        if done:
            raise KeyboardInterrupt
        done.extend((path, "a star") for path in some)
        return done

    monkeypatch.setattr(command, "AT_ONCE", 3)
    monkeypatch.setattr(command, "caption_some", caption_some)
    code, _, err = ask("caption", trained / "seen/images", "-o", tmp_path / "out.jsonl")
    assert code == 130 and "what was finished is kept" in err
    lines = (tmp_path / "out.jsonl").read_text().splitlines()
    assert [json.loads(line)["picture"] for line in lines] == [str(path) for path, _ in done]
    done.clear()
    (tmp_path / "out.jsonl").write_text("of a run that was whole")
    assert ask("caption", trained / "seen/images", "-o", tmp_path / "out.jsonl")[0] == 130
    assert (tmp_path / "out.jsonl").read_text() == "of a run that was whole"


@pytest.mark.parametrize(
    ("typed", "told"),
    [
        (["answer", "nowhere.png", "what?"], "nowhere.png"),
        (["answer", "PICTURE", ""], "The question is empty"),
        (["answer", "PICTURE", "what?", "--top", "0"], "--top is 0"),
        (["answer", "PICTURE", "what?", "--top", "101"], "--top is 101; expected 1 to 100"),
        (["answer", "PICTURE", "PICTURE"], "is a file; expected words. For a statement about two"),
        (["answer", "PICTURE", __file__], "is a file; expected words. Give what is in it, each"),
        (["answer", "PICTURE", "yes", "--and", "nowhere.png"], "nowhere.png"),
        (["caption", "nowhere"], "nowhere"),
        (["caption", "PICTURE", "--beams", "0"], "--beams is 0"),
        (["caption", "PICTURE", "--beams", "5000"], "--beams is 5000; expected 1 to 100"),
        (["caption", "PICTURE", "--longest", "1"], "--longest is 1"),
        (["caption", "PICTURE", "-o", "PICTURE"], "PICTURE"),
        (["caption", "PICTURE", "-o", "captions.png"], "is named as a picture is; expected"),
        (["caption", "PICTURE", "--longest", "65"], "places for 64. Give 64 or fewer"),
        (["answer", ".", "what?"], ". is a folder; expected a file"),
        (["answer", "PICTURE", "what?", "--model", ""], "--model is empty"),
        (["answer", "PICTURE", "what?", "--model", "scnes"], "There is no model 'scnes'"),
    ],
)
def test_mistakes_are_one_line_and_exit_2(ask, picture, typed, told):
    arguments = [str(picture) if word == "PICTURE" else word for word in typed]
    code, out, err = ask(*arguments, model="--model" not in typed)
    assert code == 2 and not out
    assert told.replace("PICTURE", str(picture)) in err and err.count("\n") == 1


def test_mistakes_of_models_are_told_before_they_are_loaded(ask, picture, tmp_path):
    code, _, err = ask("answer", picture, "what?", "--model", tmp_path, model=False)
    assert code == 2 and "holds no answerer.json" in err


def test_a_long_question_that_ends_like_a_file_is_a_question_and_told_in_short(ask, picture):
    code, _, err = ask("answer", picture, f"{'what is ' * 60}on 1.png")
    assert code == 0 and err.startswith("The question 'what is what is")
    assert (
        err.endswith(" ...' is longer than the model reads; its end is cut.\n") and len(err) < 200
    )
    code, _, err = ask("answer", picture, "red " * 200, "--and", picture)
    assert code == 0 and err.startswith("The statement 'red red")


def test_of_a_statement_both_answers_are_shown_where_two_are_asked_for(ask, picture):
    code, out, _ = ask("answer", picture, "it is red", "--and", picture, "--top", "2")
    assert code == 0 and {line.split()[0] for line in out.splitlines()} == {"it", "true", "false"}


def test_that_only_the_first_of_several_pictures_is_seen_is_told(ask, tmp_path):
    pages = [Image.new("RGB", (40, 40), (60 * n, 0, 0)) for n in range(3)]
    (tmp_path / "in").mkdir()
    path = tmp_path / "in/pages.tif"
    pages[0].save(path, save_all=True, append_images=pages[1:])
    for typed in (["answer", path, "what is it?"], ["caption", path]):
        code, out, err = ask(*typed)
        assert code == 0 and out and err == f"{path}: the first of 3 pictures.\n"
    code, _, err = ask("caption", tmp_path / "in", "--json")
    assert code == 0 and err == f"{path}: the first of 3 pictures.\n"
    (tmp_path / "in/more.tif").write_bytes(path.read_bytes())
    code, _, err = ask("caption", tmp_path / "in")
    assert code == 0 and err == "2 of the pictures: the first of 3 pictures.\n"


def test_letters_of_names_are_as_they_were_in_json(ask, picture, tmp_path):
    path = tmp_path / "bäume – 絵.png"
    path.write_bytes(picture.read_bytes())
    for typed in (["caption", path, "--json"], ["answer", path, "wo?", "--json"]):
        code, out, _ = ask(*typed)
        assert code == 0 and str(path) in out


def test_a_caption_without_words_is_told_as_an_answer_without_is(ask, picture, monkeypatch):
    monkeypatch.setattr("tasks.vision_language.answerer.Answerer.caption", lambda *_: [""])
    assert ask("caption", picture)[:2] == (0, "(nothing)\n")
    assert json.loads(ask("caption", picture, "--json")[1])["caption"] == ""


def test_what_cannot_be_read_is_told_beside_lines_of_json(ask, picture, tmp_path):
    (tmp_path / "1.png").write_bytes(picture.read_bytes())
    (tmp_path / "2.png").write_bytes(b"no picture")
    code, out, err = ask("caption", tmp_path, "--json")
    assert code == 0 and out.count("\n") == 1
    assert err.startswith("1 could not be read.\n") and err.count("2.png") == 1


@pytest.mark.parametrize("images", ["sound:whisper-tiny.en", "frames"])
def test_a_model_that_takes_no_pictures_describes_no_folder_of_them(
    ask, trained, picture, tmp_path, images
):
    shutil.copytree(trained / "model", tmp_path / "model")
    card = tmp_path / "model/answerer.json"
    card.write_text(json.dumps(json.loads(card.read_text()) | {"images": images}))
    model = ("--model", tmp_path / "model")
    code, _, err = ask("caption", picture.parent, *model, model=False)
    assert code == 2 and f"the model takes {images} in the place of pictures" in err
    code, _, err = ask("caption", picture, *model, model=False)
    assert code == 2 and str(picture) in err and err.count("\n") == 1
