"""Questions and captions of videos are read as VALUE gives them out."""

import json
from pathlib import Path

import numpy as np
import pytest

from data_prep.datasets.questions.catalog import QUESTION_DATASETS
from data_prep.datasets.remarks import Remarks
from data_prep.questions.manifest import Question

ASKED = {"q": "Why?", "qid": 5, "vid_name": "v1", "ts": "1.50-4", "answer_idx": 2}
CHOICES = {f"a{n}": f"Choice {n}." for n in range(5)}
MOMENT = {"vid_name": "v1", "clip_id": 9, "ts": [2, 4.5]}
DESCS = {"descs": [{"desc": "He runs.", "desc_id": 1}, {"desc": "A man runs.", "desc_id": 2}]}


def put(folder: Path, place: str, *entries: object) -> None:
    (folder / place).parent.mkdir(parents=True, exist_ok=True)
    (folder / place).write_text("".join(json.dumps(entry) + "\n" for entry in entries))


@pytest.fixture
def folder(tmp_path):
    """Subtitles of one video, and its features of two models."""
    said = [
        {"text": " Anna :  Run!", "start": 0.5, "end": 3},
        {"text": "No.", "start": 6, "end": 7},
    ]
    put(tmp_path, "ann/tv_subtitles.jsonl", {"vid_name": "v1", "sub": said})
    for model, dim in (("clip-vit", 512), ("slowfast", 2304)):
        place = tmp_path / "vis_features/tv" / model
        place.mkdir(parents=True)
        np.savez(place / "v1.npz", features=np.zeros((3, dim), np.float16))
    return tmp_path


def found(name: str, folder: Path, remarks: Remarks | None = None) -> dict[str, Question]:
    rows = QUESTION_DATASETS[name](folder, Remarks() if remarks is None else remarks)
    return {row.id: row for row in rows}


def test_tvqa_asks_with_choices_before_subtitles_and_is_answered_by_a_letter(folder):
    put(folder, "ann/tvqa/tvqa_train.jsonl", ASKED | CHOICES)
    put(folder, "ann/tvqa/tvqa_test_release.jsonl", {**ASKED, **CHOICES, "qid": 6})
    row = found("tvqa", folder)["5"]
    choices = " ".join(f"a{n}: Choice {n}." for n in range(5))
    assert row.text == f"[Q] Why? [TS] (1.5-4) [Choices] {choices} [Subs] Anna : Run! No."
    assert row.answers == {"a2": 1.0} and row.fold == "train" and row.task == "tvqa"
    assert row.images == (str(folder / "vis_features/tv/clip-vit/v1.npz"),), "not slowfast's"


def test_a_test_without_answers_and_a_moment_that_is_not_known_are_taken(folder):
    hidden = {key: value for key, value in ASKED.items() if key != "answer_idx"}
    put(folder, "tvqa_test_release.jsonl", hidden | CHOICES | {"ts": "nan-nan"})
    row = found("tvqa", folder)["5"]
    assert row.answers == {} and row.fold == "test" and "[TS]" not in row.text


def test_how2qa_has_four_choices_and_may_lack_subtitles(folder):
    four = {key: CHOICES[key] for key in list(CHOICES)[:4]}
    put(folder, "how2qa_val_release.jsonl", ASKED | four)
    remarks = Remarks()
    row = found("how2qa", folder, remarks)["5"]
    assert row.fold == "validation" and "a3: Choice 3." in row.text and "[Subs]" not in row.text
    assert ["how2_subtitles.jsonl"] in remarks.notes.values()


def test_captions_of_a_moment_have_what_is_said_in_it(folder):
    put(folder, "tvc_train_release.jsonl", MOMENT | DESCS)
    put(folder, "tvc_val_release.jsonl", MOMENT | DESCS | {"clip_id": 10})
    put(folder, "tvc_test_release.jsonl", MOMENT | {"clip_id": 11})
    rows = found("tvc", folder)
    assert rows.keys() == {"9_0", "9_1", "10", "11"}
    assert rows["9_1"].answers == {"A man runs.": 1.0}
    assert rows["9_1"].text == "[TS] (2-4.5) [Subs] Anna : Run!", "the second line is later"
    assert rows["10"].references == ("He runs.", "A man runs.")
    assert rows["11"].references == () and rows["11"].fold == "test"


def test_names_of_videos_may_differ_by_case_alone(folder):
    place = folder / "vis_features/tv/clip-vit"
    np.savez(place / "V1.npz", features=np.zeros((3, 512)))
    put(folder, "yc2c_val_release.jsonl", {**MOMENT, **DESCS, "vid_name": "V1"})
    assert found("yc2c", folder)["9"].images == (str(place / "V1.npz"),)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"answer_idx": 5}, "entry 1 has the answer_idx 5; expected a number below 5"),
        ({"ts": "soon"}, "has the ts 'soon'; expected start and end in seconds"),
        ({"q": ""}, "has no q; expected"),
        ({"a1": " "}, "has no a1; expected"),
        ({"vid_name": "v2"}, "1 file of features of 1 row is not below .*: v2; expected all"),
    ],
)
def test_bad_questions_are_told(folder, change, told):
    put(folder, "tvqa_val.jsonl", ASKED | CHOICES | change)
    with pytest.raises(ValueError, match=told):
        found("tvqa", folder)


def test_features_of_another_model_are_told(folder):
    (folder / "vis_features/tv/clip-vit/v1.npz").unlink()
    put(folder, "tvqa_val.jsonl", ASKED | CHOICES)
    with pytest.raises(ValueError, match=r"slowfast/v1.npz has features \[3, 2304\]; expected"):
        found("tvqa", folder)


def test_captions_that_train_may_not_be_missing_and_tables_neither(folder):
    with pytest.raises(ValueError, match="has no tvc_train.jsonl"):
        found("tvc", folder)
    put(folder, "tvc_train_release.jsonl", MOMENT)
    with pytest.raises(ValueError, match="entry 1 has no descs; expected captions"):
        found("tvc", folder)


def test_a_line_that_is_cut_is_told(folder):
    (folder / "tvc_val_release.jsonl").write_text('{"vid_name": "v1", "cl')
    with pytest.raises(ValueError, match="tvc_val_release.jsonl, entry 1 cannot be read"):
        found("tvc", folder)
