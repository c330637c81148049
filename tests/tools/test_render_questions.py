import sys

import numpy as np
import pytest
from PIL import Image

from data_prep.questions.manifest import read_questions
from data_prep.questions.scenes.drawing import render_picture
from tools import pieces
from tools.render_questions import RenderOptions, main, render_folder

OPTIONS = RenderOptions(count=60, seed=2, look="unseen", size=96)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("questions")
    render_folder(folder, OPTIONS, 1)
    return folder


def test_pictures_lie_where_the_manifest_says(folder):
    rows = list(read_questions(folder / "manifest.jsonl"))
    paths = {path for row in rows for path in row.images}
    assert len(paths) == OPTIONS.count == len(list((folder / "images").iterdir()))
    assert {row.task for row in rows} == {"vqa", "gqa", "nlvr2", "caption"}
    assert all(len(row.images) == 1 + (row.task == "nlvr2") for row in rows)
    image = np.asarray(Image.open(folder / "images/000007.png"))
    assert np.array_equal(image, render_picture(2, 7, "unseen", 96).image)


def test_rows_of_other_seeds_and_looks_have_other_ids(folder, tmp_path):
    """So a training can have several folders."""
    ids = [{row.id for row in read_questions(folder / "manifest.jsonl")}]
    for seed, look in ((3, "unseen"), (2, "seen")):
        render_folder(tmp_path / look, RenderOptions(count=60, seed=seed, look=look, size=96), 1)
        ids.append({row.id for row in read_questions(tmp_path / look / "manifest.jsonl")})
    assert len(set.union(*ids)) == sum(map(len, ids))


def test_pieces_that_are_ready_in_another_order_give_the_same(folder, tmp_path, monkeypatch):
    def run(work, items, workers):
        yield from map(work, reversed(items))

    monkeypatch.setattr(pieces, "run_in_processes", run)
    render_folder(tmp_path, OPTIONS)
    for name in ("manifest.jsonl", "images/000059.png"):
        assert (tmp_path / name).read_bytes() == (folder / name).read_bytes()


def test_one_task_alone_has_the_rows_that_it_has_among_all(folder, tmp_path):
    render_folder(tmp_path, RenderOptions(60, 2, "unseen", 96, ("gqa",)), 1)
    alone = [row.to_json() for row in read_questions(tmp_path / "manifest.jsonl")]
    rows = [row for row in read_questions(folder / "manifest.jsonl") if row.task == "gqa"]
    assert [line.replace(str(tmp_path), str(folder)) for line in alone] == [
        row.to_json() for row in rows
    ]


def test_a_closing_line_counts_rows_and_says_what_is_known_blindly(tmp_path, monkeypatch, capsys):
    target = tmp_path / "new" / "folder"
    arguments = ["--count", "4", "--size", "96", "--tasks", "nlvr2,caption", "--workers", "1"]
    monkeypatch.setattr(sys, "argv", ["render", str(target), *arguments])
    main()
    said = capsys.readouterr().out
    assert said.startswith("12 rows (") and "nlvr2 8" in said and "caption 4" in said
    assert said.strip().endswith("blind: nlvr2 50.0")
    progress = []
    render_folder(target, RenderOptions(4, size=96), 1, lambda *done: progress.append(done))
    assert progress == [(4, 4)]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--look", "sen"], "No look 'sen'; known: seen, unseen"),
        (["--tasks", "vqa,gpa"], "The tasks are 'vqa,gpa'; known: vqa, gqa, nlvr2, caption"),
        (["--count", "0"], "count is 0"),
        (["--size", "32"], "at least 96 pixels"),
        (["--questions", "0"], "questions is 0"),
    ],
)
def test_what_cannot_be_drawn_is_refused_in_one_line(
    tmp_path, monkeypatch, capsys, arguments, message
):
    monkeypatch.setattr(sys, "argv", ["render", str(tmp_path / "new"), *arguments])
    with pytest.raises(SystemExit) as stopped:
        main()
    assert stopped.value.code == 2
    said = capsys.readouterr().err
    assert message in said and said.count("\n") == 1
    assert not (tmp_path / "new").exists()


def test_a_manifest_of_something_else_is_left_alone(tmp_path):
    (tmp_path / "manifest.jsonl").write_text('{"id": "a"}\n')
    with pytest.raises(ValueError, match="manifest.jsonl, line 1"):
        render_folder(tmp_path, OPTIONS, 1)
    assert (tmp_path / "manifest.jsonl").read_text() == '{"id": "a"}\n'
