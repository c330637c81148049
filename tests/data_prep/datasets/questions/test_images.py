"""Questions and captions of images are read as they are published, and as VL-T5 has them."""

import json
from pathlib import Path

import pytest

from data_prep.datasets.questions.catalog import QUESTION_DATASETS
from data_prep.datasets.remarks import Remarks
from data_prep.questions.manifest import Question

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning")
LABEL = {"net": 1.0, "mesh": 0.3}


def put(path: Path, data: object) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(data))


def put_lines(path: Path, *entries: object) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(entry) + "\n" for entry in entries))


def touch(folder: Path, *places: str) -> None:
    for place in places:
        (folder / place).parent.mkdir(parents=True, exist_ok=True)
        (folder / place).touch()


def found(name: str, folder: Path, **options: object) -> dict[str, Question]:
    rows = QUESTION_DATASETS[name](folder, **options)  # pyright: ignore[reportArgumentType]
    assert len({row.id for row in rows}) == len(rows)
    return {row.id: row for row in rows}


def put_official(folder: Path, part: str = "train2014", number: int = 7) -> None:
    """Write one question of VQAv2 with its ten answers."""
    question = {"image_id": number, "question": "What is it?", "question_id": number * 1000}
    answers = [{"answer": "net", "answer_id": n} for n in range(7)]
    answers += [{"answer": word, "answer_id": 8} for word in ("mesh", "mesh", "web")]
    put(
        folder / f"v2_OpenEnded_mscoco_{part}_questions.json",
        {"data_subtype": part, "questions": [question]},
    )
    if "test" not in part:
        annotation = {"question_id": number * 1000, "image_id": number, "answers": answers}
        put(
            folder / f"v2_mscoco_{part}_annotations.json",
            {"data_subtype": part, "annotations": [annotation]},
        )


def test_official_vqa_has_scores_and_references_of_ten_answers(tmp_path):
    put_official(tmp_path)
    put_official(tmp_path, "val2014", 8)
    put_official(tmp_path, "test-dev2015", 9)
    touch(tmp_path, *(f"images/{name}.jpg" for name in ("COCO_train2014_000000000007",)))
    touch(tmp_path, "images/000000000008.jpg", "images/COCO_test2015_000000000009.jpg")
    rows = found("vqav2", tmp_path)
    row = rows["7000"]
    assert row.answers == {"net": 1.0, "mesh": 0.6, "web": 0.3}
    assert len(row.references) == 10 and row.references[-1] == "web"
    assert row.images == (str(tmp_path / "images/COCO_train2014_000000000007.jpg"),)
    assert [row.fold for row in rows.values()] == ["test", "train", "validation"]
    assert rows["8000"].images == (str(tmp_path / "images/000000000008.jpg"),), "named since 2017"
    assert rows["9000"].answers == {} and rows["9000"].references == ()


def test_answers_that_are_not_in_the_vocabulary_do_not_count(tmp_path):
    put_official(tmp_path)
    put(tmp_path / "trainval_ans2label.json", {"mesh": 0, "other": 1})
    touch(tmp_path, "COCO_train2014_000000000007.jpg")
    row = found("vqav2", tmp_path)["7000"]
    assert row.answers == {"mesh": 0.6} and len(row.references) == 10


def test_karpathys_label_dictionaries_go_before_official_questions(tmp_path):
    put_official(tmp_path, "val2014")
    put(tmp_path / "train.json", [{"question_id": 1, "img_id": "b", "sent": "No", "label": {}}])
    for name, key, label in (("train", 6000, LABEL), ("val", 5000, {}), ("test", 7000, LABEL)):
        entry = {"question_id": key, "img_id": "COCO_val2014_000000000007", "sent": "What is it?"}
        put(tmp_path / f"karpathy_{name}.json", [entry | {"label": label}])
    touch(tmp_path, "val2014/COCO_val2014_000000000007.jpg")
    remarks = Remarks()
    rows = found("vqav2", tmp_path, remarks=remarks)
    assert {key: row.fold for key, row in rows.items()} == {
        "6000": "train",
        "5000": "validation",
        "7000": "test",
    }
    assert rows["7000"].answers == LABEL and len(rows["7000"].references) == 10
    assert rows["5000"].answers == {}
    assert any("5000" in names for names in remarks.notes.values())


def test_gqa_is_read_balanced_in_both_forms(tmp_path):
    official = {"imageId": "n5", "question": "What?", "answer": "net", "isBalanced": True}
    put(
        tmp_path / "a/train_balanced_questions.json",
        {"02": official, "03": official | {"isBalanced": False}},
    )
    put(tmp_path / "a/train_all_questions/train_all_questions_0.json", {"04": official})
    put(tmp_path / "a/test_balanced_questions.json", {"05": {"imageId": "n5", "question": "Q?"}})
    for name in ("train", "valid", "testdev"):
        entry = {"question_id": name, "img_id": "n5", "sent": "What?", "label": {"net": 1.0}}
        put(tmp_path / f"b/{name}.json", [entry])
    touch(tmp_path, "images/n5.jpg")
    rows = found("gqa", tmp_path / "a", images=tmp_path / "images")
    assert rows.keys() == {"02", "05"}
    assert rows["02"].answers == {"net": 1.0} and rows["02"].fold == "train"
    assert rows["05"].answers == {} and rows["05"].fold == "", "nothing can be scored on it"
    rows = found("gqa", tmp_path / "b", images=tmp_path / "images")
    assert [row.fold for row in rows.values()] == ["test", "train", "validation"]


def test_nlvr2_has_two_images_and_true_or_false_in_both_forms(tmp_path):
    line = {"identifier": "dev-850-0-1", "sentence": "Two dogs.", "label": "True"}
    put_lines(tmp_path / "a/dev.json", line, line | {"identifier": "dev-850-0-2", "label": "False"})
    put_lines(tmp_path / "a/test2.json", line | {"identifier": "test2-1-0-0"})
    pair = {"img0": "dev-850-0-img0", "img1": "dev-850-0-img1"}
    put(tmp_path / "b/valid.json", [{"uid": "v0", "sent": "A dog.", "label": 0, **pair}])
    touch(tmp_path, *(f"images/dev/{name}.png" for name in pair.values()))
    touch(tmp_path, "images/test2-1-0-img0.png", "images/test2-1-0-img1.png")
    rows = found("nlvr2", tmp_path / "a", images=tmp_path / "images")
    row = rows["dev-850-0-1"]
    assert [Path(path).name for path in row.images] == ["dev-850-0-img0.png", "dev-850-0-img1.png"]
    assert row.answers == {"true": 1.0} and row.fold == "validation"
    assert rows["dev-850-0-2"].answers == {"false": 1.0}
    hidden = rows["test2-1-0-0"]
    assert hidden.fold == "test" and hidden.answers == {"true": 1.0}, "no test1 is there"
    put_lines(tmp_path / "a/test1.json", line | {"identifier": "test1-1-0-0"})
    touch(tmp_path, "images/test1-1-0-img0.png", "images/test1-1-0-img1.png")
    rows = found("nlvr2", tmp_path / "a", images=tmp_path / "images")
    assert rows["test1-1-0-0"].fold == "test" and rows["test1-1-0-0"].answers == {"true": 1.0}
    hidden = rows["test2-1-0-0"]
    assert hidden.fold == "" and not hidden.answers, "it would train, as rows without a fold do"
    other = found("nlvr2", tmp_path / "b", images=tmp_path / "images")["v0"]
    assert other.images == row.images and other.answers == {"false": 1.0}


def karpathy(filename: str, split: str, *captions: str, **more: object) -> dict[str, object]:
    sentences = [{"raw": text, "tokens": text.split()} for text in captions]
    return {"filename": filename, "split": split, "sentences": sentences, **more}


def test_a_caption_of_coco_that_trains_is_a_row_and_restval_trains(tmp_path):
    images = [
        karpathy("COCO_val2014_000000000001.jpg", "restval", "A dog. ", "a  dog", cocoid=1),
        karpathy("COCO_val2014_000000000002.jpg", "val", "A cat.", "Cats.", cocoid=2),
        karpathy("COCO_train2014_000000000003.jpg", "train", "A car.", cocoid=3),
    ]
    put(tmp_path / "dataset_coco.json", {"images": images, "dataset": "coco"})
    put(tmp_path / "dataset_flickr30k.json", {"images": [karpathy("9.jpg", "test", "No.")]})
    touch(tmp_path, *(f"train/{image['filename']}" for image in images))
    touch(tmp_path, "9.jpg")
    rows = found("coco", tmp_path)
    assert {key: row.fold for key, row in rows.items()} == {
        "1_0": "train",
        "1_1": "train",
        "2": "validation",
        "3_0": "train",
    }
    assert rows["1_1"].answers == {"a dog": 1.0} and rows["1_1"].references == ()
    assert rows["2"].references == ("A cat.", "Cats.") and rows["2"].text == ""
    assert found("flickr30k", tmp_path)["9"].references == ("No.",)


def test_flickr30k_entities_lose_their_marks_and_have_the_lists_folds(tmp_path):
    said = "[/EN#1/people/other A girl] sits on [/EN#2/scene the edge of water] .\nA girl .\n"
    for name in ("11", "12"):
        (tmp_path / "Sentences").mkdir(exist_ok=True)
        (tmp_path / f"Sentences/{name}.txt").write_text(said)
    (tmp_path / "val.txt").write_text("11\n12\n")
    (tmp_path / "test.txt").write_text("12\n")
    touch(tmp_path, "flickr30k-images/11.jpg", "flickr30k-images/12.jpg")
    remarks = Remarks()
    rows = found("flickr30k", tmp_path, remarks=remarks)
    assert rows["11"].references == ("A girl sits on the edge of water .", "A girl .")
    assert (rows["11"].fold, rows["12"].fold) == ("validation", "test")
    assert ["12"] in remarks.notes.values()


def test_the_first_table_of_flickr30k_is_read(tmp_path):
    (tmp_path / "results_20130124.token").write_text("5.jpg#0\tA dog .\n5.jpg#1\tTwo dogs .\n")
    touch(tmp_path, "5.jpg")
    row = found("flickr30k", tmp_path)["5"]
    assert row.references == ("A dog .", "Two dogs .") and row.fold == ""


@pytest.mark.parametrize(
    ("name", "file", "data", "told"),
    [
        ("gqa", "train.json", [{"img_id": "a"}], "entry 1 has no question_id; expected text"),
        ("gqa", "train.json", ["a"], "entry 1 is no object; expected"),
        ("gqa", "train.json", [{"question_id": 1, "img_id": "a", "sent": " "}], "has no sent;"),
        (
            "gqa",
            "train.json",
            [{"question_id": 1, "img_id": "a", "sent": "Q", "label": {"a": 3}}],
            "gqa 1 has the score 3 for 'a', not one from 0 to 1",
        ),
        ("gqa", "train.json", [{"label": "a"}], "has the label 'a'; expected scores by answer"),
        ("nlvr2", "dev.json", [{"identifier": "d-1-1", "label": "yes"}], "has the label 'yes'"),
        ("nlvr2", "dev.json", [{"uid": "1", "sent": "S", "img0": "a"}], "has no img1; expected"),
        ("vqav2", "v2_questions.json", [], "has no data_subtype; expected karpathy"),
        ("vqav2", "karpathy_val.json", {"a": 1}, "is no list of entries"),
        ("coco", "dataset_coco.json", {"images": [karpathy("a.jpg", "x")]}, "has the split 'x'"),
        ("coco", "dataset_coco.json", {"images": [karpathy("a.jpg", "val", " ")]}, "empty caption"),
        ("coco", "dataset_coco.json", {"images": [karpathy("a.jpg", "val")]}, "empty caption"),
        ("coco", "captions_train2014.json", {}, "has no dataset_coco.json"),
        ("flickr30k", "other.json", {}, "has no dataset_flickr30k.json"),
    ],
)
def test_a_damaged_table_is_told_with_its_place(tmp_path, name, file, data, told):
    put(tmp_path / file, data)
    with pytest.raises(ValueError, match=told) as raised:
        found(name, tmp_path)
    assert "\n" not in str(raised.value) and str(tmp_path) in str(raised.value) or "gqa 1" in told


def test_a_cut_table_is_told(tmp_path):
    (tmp_path / "dataset_coco.json").write_text('{"images": [{"file')
    with pytest.raises(ValueError, match="dataset_coco.json cannot be read .*get it anew"):
        found("coco", tmp_path)


def test_missing_images_are_counted_and_the_first_named(tmp_path):
    images = [karpathy(f"{n}.jpg", "train", "a", "b", cocoid=n) for n in range(6)]
    put(tmp_path / "dataset_coco.json", {"images": images})
    touch(tmp_path, "0.jpg")
    with pytest.raises(ValueError, match="5 images of 10 rows are not below .*: 1.jpg, 2.jpg, 3."):
        found("coco", tmp_path)
    remarks = Remarks()
    assert found("coco", tmp_path, remarks=remarks, skip_missing=True).keys() == {"0_0", "0_1"}
    assert len(remarks.failed) == 10 and "1.jpg is not below" in remarks.failed["1_0"]


def test_an_image_that_is_there_twice_is_refused(tmp_path):
    put(tmp_path / "dataset_coco.json", {"images": [karpathy("0.jpg", "train", "a", cocoid=0)]})
    touch(tmp_path, "a/0.jpg", "b/0.jpg")
    with pytest.raises(ValueError, match="0.jpg is in .*a/0.jpg and in .*b/0.jpg; expected one"):
        found("coco", tmp_path)
    assert found("coco", tmp_path, images=tmp_path / "b").keys() == {"0_0"}


@pytest.mark.parametrize(
    ("name", "folder", "count"),
    [("vqav2", "vqav2", 3), ("gqa", "gqa", 1), ("nlvr2", "nlvr2", 8), ("flickr30k",) * 2 + (5,)],
)
def test_the_fixtures_beside_the_project_are_read(shared_data, name, folder, count):
    if not (shared_data / "vl").is_dir():
        pytest.skip("the questions beside the project are not here")
    place = shared_data / "vl"
    rows = found(name, place / folder, images=place / "images" / folder)
    assert len(rows) == count
    assert all(
        row.answers and all(map(Path.is_file, map(Path, row.images))) for row in rows.values()
    )
