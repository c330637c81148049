"""Data sets of pictures and masks are found as they are published; what is missing is told."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from data_prep.datasets.masks.catalog import MASK_DATASETS
from data_prep.datasets.masks.dataset import MaskDataset, with_labels
from data_prep.datasets.remarks import Remarks
from data_prep.masks.images import read_pair
from data_prep.masks.manifest import MaskedImage

PROMPTS = {"p0": "", "p1": "polyp", "p2": ["a polyp", "one polyp"]}


def put(folder: Path, *places: str) -> None:
    for place in places:
        (folder / place).parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.zeros((4, 4), np.uint8)).save(folder / place)


def publish(folder: Path, files: bool = True, **splits: list[tuple[str, str]]) -> None:
    """Write a data set in the layout of the papers' software."""
    for name, pairs in splits.items():
        rows = [{"img_name": i, "mask_name": m, "prompts": PROMPTS, "cat": 0} for i, m in pairs]
        (folder / "anns").mkdir(parents=True, exist_ok=True)
        (folder / f"anns/{name}.json").write_text(json.dumps(rows))
        if files:
            put(folder, *(f"images/{i}" for i, _ in pairs), *(f"masks/{m}" for _, m in pairs))


def found(name: str, folder: Path) -> dict[str, tuple[str, ...]]:
    """Return fold, label and places of files by the ids of a data set's rows."""
    rows = MASK_DATASETS[name](folder)
    assert len({row.id for row in rows}) == len(rows)
    return {
        row.id: (
            row.fold,
            row.label,
            *(str(Path(path).relative_to(folder.resolve())) for path in row.files()),
        )
        for row in rows
    }


def test_the_layout_of_the_papers_software_has_its_splits_and_prompts(tmp_path):
    publish(tmp_path, train=[("a.jpg", "a.jpg")], val=[("b.jpg", "b.png")], test=[("c.png",) * 2])
    assert found("kvasir", tmp_path) == {
        "a": ("train", "polyp", "images/a.jpg", "masks/a.jpg"),
        "b": ("validation", "polyp", "images/b.jpg", "masks/b.png"),
        "c": ("test", "polyp", "images/c.png", "masks/c.png"),
    }
    prompts = MASK_DATASETS["kvasir"](tmp_path)[0].prompts
    assert prompts == {"p0": ("",), "p1": ("polyp",), "p2": ("a polyp", "one polyp")}


def test_repeats_in_published_splits_stay_to_be_told(tmp_path):
    publish(tmp_path, train=[("a.png", "a.png")] * 2, test=[("a.png", "a.png")])
    assert {name: row[0] for name, row in found("bkai", tmp_path).items()} == {
        "a": "train",
        "a_2": "train",
        "a_3": "test",
    }


def test_camus_has_a_row_a_structure_and_keeps_patients_together(tmp_path):
    put(tmp_path, "images/train/patient0451_2CH_ED.png")
    name = "patient0451_2CH_ED.png"
    publish(tmp_path, files=False, val=[(name, f"mask_{n}/{name[:-4]}_gt.png") for n in (1, 2, 3)])
    put(tmp_path, *(f"masks/mask_{n}/{name[:-4]}_gt.png" for n in (1, 2, 3)))
    rows = MASK_DATASETS["camus"](tmp_path)
    assert [row.label for row in rows] == [
        "left ventricular cavity", "myocardium", "left atrium cavity"
    ]  # fmt: skip
    assert {row.group for row in rows} == {"patient0451"}
    assert {Path(row.image).parent.name for row in rows} == {"train"}
    with pytest.raises(ValueError, match="Its own layout is training/patient0001/ .*convert the"):
        MASK_DATASETS["camus"](tmp_path / "images")


def test_camus_as_it_is_published_itself(tmp_path):
    top = "training/patient0001/patient0001_2CH"
    for name in ("ED", "ED_gt", "sequence"):
        (tmp_path / f"{top}_{name}.mhd").parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / f"{top}_{name}.mhd").touch()
    remarks = Remarks()
    rows = MASK_DATASETS["camus"](tmp_path, remarks)
    assert [(row.value, row.label) for row in rows] == [
        (1, "left ventricular cavity"), (2, "myocardium"), (3, "left atrium cavity")
    ]  # fmt: skip
    assert {(row.fold, row.group) for row in rows} == {("train", "patient0001")}
    assert {Path(row.mask).name for row in rows} == {"patient0001_2CH_ED_gt.mhd"}
    assert list(remarks.failed) == ["patient0001_patient0001_2CH_sequence"]


def test_chexlocalize_names_findings_by_masks(tmp_path):
    image, mask = "patient64_study1_view1.jpg", "patient64_study1_view1_Pleural_Effusion.png"
    publish(tmp_path, test=[(image, mask)])
    (row,) = MASK_DATASETS["chexlocalize"](tmp_path)
    assert (row.label, row.group) == ("pleural effusion", "patient64")
    with pytest.raises(ValueError, match="run-length codes in JSON are not read"):
        MASK_DATASETS["chexlocalize"](tmp_path / "masks")


def test_kvasir_as_it_is_published_itself(tmp_path):
    put(tmp_path, "images/cju0.jpg", "masks/cju0.jpg", "images/.hidden.jpg")
    (tmp_path / "kavsir_bboxes.json").write_text("{}")
    assert found("kvasir", tmp_path) == {"cju0": ("", "polyp", "images/cju0.jpg", "masks/cju0.jpg")}


def test_clinicdb_and_bkai_as_they_are_published_themselves(tmp_path):
    put(tmp_path / "cvc", "PNG/Original/1.png", "PNG/Ground Truth/1.png")
    assert found("clinicdb", tmp_path / "cvc") == {
        "PNG_1": ("", "polyp", "PNG/Original/1.png", "PNG/Ground Truth/1.png")
    }
    put(tmp_path / "bkai", "train/train/ab.jpeg", "train_gt/train_gt/ab.jpeg")
    assert found("bkai", tmp_path / "bkai") == {
        "ab": ("train", "polyp", "train/train/ab.jpeg", "train_gt/train_gt/ab.jpeg")
    }


def test_isic_and_dfu_name_folds_in_their_folders(tmp_path):
    places = []
    for part in ("Training", "Test"):
        top = f"ISBI2016_ISIC_Part1_{part}"
        places += [f"{top}_Data/ISIC_{part}.jpg"]
        places += [f"{top}_GroundTruth/ISIC_{part}_Segmentation.png"]
    put(tmp_path / "isic", *places)
    assert found("isic", tmp_path / "isic") == {
        "ISIC_Test": ("test", "skin melanoma", *places[2:]),
        "ISIC_Training": ("train", "skin melanoma", *places[:2]),
    }
    pair = ("DFUC2022_train_images/100001.jpg", "DFUC2022_train_masks/100001.png")
    put(tmp_path / "dfu", *pair)
    assert found("dfu", tmp_path / "dfu") == {"100001": ("train", "foot ulcer", *pair)}


def test_busi_joins_the_masks_of_one_picture(tmp_path):
    top = "benign/benign (4)"
    put(tmp_path, f"{top}.png", f"{top}_mask.png", f"{top}_mask_1.png", "benign/benign (40).png")
    put(tmp_path, "benign/benign (40)_mask.png", "normal/normal (1).png")
    put(tmp_path, "normal/normal (1)_mask.png")
    bright = np.zeros((2, 4, 4), np.uint8)
    bright[0, 0, 0] = bright[1, 3, 3] = 255
    Image.fromarray(bright[0]).save(tmp_path / f"{top}_mask.png")
    Image.fromarray(bright[1]).save(tmp_path / f"{top}_mask_1.png")
    assert found("busi", tmp_path) == {
        "benign_benign (4)": (
            "", "tumor", f"{top}.png", f"{top}_mask.png", f"{top}_mask_1.png"
        ),
        "benign_benign (40)": (
            "", "tumor", "benign/benign (40).png", "benign/benign (40)_mask.png"
        ),
        "normal_normal (1)": (
            "", "tumor", "normal/normal (1).png", "normal/normal (1)_mask.png"
        ),
    }  # fmt: skip
    rows = {row.id: row for row in MASK_DATASETS["busi"](tmp_path)}
    assert read_pair(rows["benign_benign (4)"])[1].sum() == 2


@pytest.mark.parametrize("name", ["cvc300", "colondb", "etis"])
def test_polyps_out_of_domain_test(tmp_path, name):
    put(tmp_path, "images/149.png", "masks/149.png")
    assert found(name, tmp_path) == {"149": ("test", "polyp", "images/149.png", "masks/149.png")}


def test_splits_of_cvc300_that_are_a_copy_of_colondbs_are_noticed_and_told(tmp_path):
    own, other = tmp_path / "cvc300_polyp", tmp_path / "cvc_colondb_polyp"
    pairs = [(f"{n}.png", f"{n}.png") for n in range(4)]
    publish(other, test=pairs)
    publish(own, files=False, test=pairs)
    put(own, "images/0.png", "masks/0.png")
    remarks = Remarks()
    rows = MASK_DATASETS["cvc300"](own, remarks)
    assert [(row.id, row.fold, row.prompts) for row in rows] == [("0", "test", {})]
    (told,) = remarks.told()
    assert "a copy of those of colondb" in told and "3 of 4 pictures are not here" in told
    for place in ("images", "masks"):
        put(own, *(f"{place}/{n}.png" for n in range(4)))
    assert MASK_DATASETS["cvc300"](own, Remarks())[0].prompts == {}, "the same file beside it"
    (other / "anns/test.json").unlink()
    assert MASK_DATASETS["cvc300"](own, Remarks())[0].prompts, "no sign that it is a copy"
    assert len(MASK_DATASETS["colondb"](own, Remarks())) == 4


FOLDERS = {
    "images and masks": ("images/a.png", "masks/a.png", ""),
    "words in names": ("images/img_1.png", "masks/mask_1.png", ""),
    "other suffixes": ("imgs/a.JPG", "labels/a_mask.png", ""),
    "folds above": ("val/images/a.png", "val/masks/a.png", "validation"),
    "folds below": ("images/test/a.png", "masks/test/a.png", "test"),
    "folds in names": ("train_images/a.png", "train_masks/a.png", "train"),
    "beside": ("a.png", "a_mask.png", ""),
    "beside in folds": ("train/a.png", "train/a_mask.png", "train"),
    "below a folder of a misleading name": (
        "segmentation/images/a.png",
        "segmentation/masks/a.png",
        "",
    ),
    "both in a folder of images": ("images/a.png", "images/a_mask.png", ""),
    "both in labelled data": ("labelled_data/a.png", "labelled_data/a_mask.png", ""),
    "segmentation": ("x/a.tif", "x/a_segmentation.tif", ""),
    "camel case": ("TestDataset/images/a.png", "TestDataset/masks/a.png", "test"),
    "in more folders": ("patient 1/images/a.png", "patient 1/GroundTruth/a.png", ""),
}


@pytest.mark.parametrize(("image", "mask", "fold"), FOLDERS.values(), ids=FOLDERS)
def test_any_folder_of_pictures_and_masks(tmp_path, image, mask, fold):
    folder = tmp_path / "my_lesions"
    put(folder, image, mask)
    (row,) = found("folder", folder).values()
    assert row == (fold, "my lesions", image, mask)


def test_pictures_of_one_name_in_two_folds_are_two_rows(tmp_path):
    for fold in ("train", "val"):
        put(tmp_path, f"{fold}/images/1.png", f"{fold}/masks/1.png")
    assert {name: row[0] for name, row in found("folder", tmp_path).items()} == {
        "1": "train",
        "1_2": "validation",
    }


def test_masks_of_several_classes_become_a_row_a_class(tmp_path):
    put(tmp_path, "images/a.png", "masks/a.png")
    rows = with_labels(MASK_DATASETS["folder"], ["1=cavity", "3=outer wall"])(tmp_path)
    assert [(row.id, row.value, row.label) for row in rows] == [
        ("a_cavity", 1, "cavity"),
        ("a_outer wall", 3, "outer wall"),
    ]
    (row,) = with_labels(MASK_DATASETS["folder"], ["polyp"])(tmp_path)
    assert (row.id, row.value, row.label) == ("a", 0, "polyp")


@pytest.mark.parametrize(
    ("labels", "told"),
    [
        (["a", "b"], "--label is 'a'; expected a name"),
        (["0=a"], "--label is '0=a'"),
        (["1="], "--label is '1='"),
        ([" "], "--label is ' '"),
        (["1=a", "1=b"], "names a value or a class twice"),
        (["1=a", "2=a"], "names a value or a class twice"),
    ],
)
def test_labels_that_are_none_are_told(labels, told):
    with pytest.raises(ValueError, match=told):
        with_labels(MaskDataset(()), labels)


def test_a_folder_with_pictures_and_no_masks_is_told(tmp_path):
    put(tmp_path, "images/a.png", "images/b.png")
    with pytest.raises(ValueError, match="has 2 pictures and no masks; expected images/NAME.png"):
        MASK_DATASETS["folder"](tmp_path)
    with pytest.raises(ValueError, match=r"no masks; .* Its own layout is Original/ and Ground"):
        MASK_DATASETS["clinicdb"](tmp_path)
    with pytest.raises(FileNotFoundError, match="is no folder; expected one with anns/train.json"):
        MASK_DATASETS["busi"](tmp_path / "none")


def test_a_picture_without_a_mask_is_left_out_and_a_mask_without_a_picture_is_told(tmp_path):
    put(tmp_path, "images/a.png", "images/b.png", "masks/b.png", "masks/c.png")
    remarks = Remarks()
    assert [row.id for row in MASK_DATASETS["folder"](tmp_path, remarks)] == ["b"]
    assert "images/a.png has no mask; expected" in remarks.failed["a"]
    assert remarks.told() == ["Masks without a picture, which are not used: masks/c.png."]
    with pytest.raises(ValueError, match="a.png has no mask"):
        MASK_DATASETS["folder"](tmp_path)


def test_two_masks_of_one_picture_that_are_no_pieces_are_told(tmp_path):
    put(tmp_path, "images/a.png", "masks/a.png", "masks/a.gif", "images/b.png", "masks/b.png")
    remarks = Remarks()
    assert [row.id for row in MASK_DATASETS["folder"](tmp_path, remarks)] == ["b"]
    assert "a.png has 2 masks" in remarks.failed["a"]


def test_published_files_that_are_missing_are_told(tmp_path):
    publish(tmp_path, train=[("a.png", "a.png"), ("b.png", "b.png"), ("c.png", "c.png")])
    (tmp_path / "images/a.png").unlink()
    (tmp_path / "masks/b.png").unlink()
    remarks = Remarks()
    assert [row.id for row in MASK_DATASETS["kvasir"](tmp_path, remarks)] == ["c"]
    assert "images/a.png: not there" in remarks.failed["a"] and "b" in remarks.failed
    assert remarks.told() == ["Splits that are not here: anns/val.json, anns/test.json."]
    with pytest.raises(ValueError, match="train.json names 2 files that are not there: .*a.png"):
        MASK_DATASETS["kvasir"](tmp_path)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("{", "test.json cannot be read"),
        ("{}", "it is no list"),
        ('[{"img_name": "a"}]', "test.json, entry 1 has no mask_name"),
        ("[3]", "test.json, entry 1 has no img_name"),
        ('[{"img_name": "a", "mask_name": "b", "prompts": []}]', "entry 1 has no sentences"),
    ],
)
def test_splits_that_are_none_are_told(tmp_path, text, told):
    (tmp_path / "anns").mkdir()
    (tmp_path / "anns/test.json").write_text(text)
    with pytest.raises(ValueError, match=told):
        MASK_DATASETS["etis"](tmp_path)


def test_a_mask_of_camus_in_no_structures_folder_is_told(tmp_path):
    publish(tmp_path, test=[("a.png", "a_gt.png")])
    with pytest.raises(ValueError, match="a_gt.png is in none of the folders mask_1"):
        MASK_DATASETS["camus"](tmp_path)


def test_every_data_set_is_found_in_the_papers_layout(tmp_path):
    publish(tmp_path, test=[("a.png", "mask_1/a.png")])
    for name, dataset in MASK_DATASETS.items():
        (row,) = dataset(tmp_path, Remarks())
        assert isinstance(row, MaskedImage) and row.label and row.fold == "test", name


def test_the_data_beside_the_project_is_found(shared_data):
    rows = MASK_DATASETS["busi"](shared_data / "busi")
    assert [sum(row.fold == fold for row in rows) for fold in ("train", "validation", "test")] == [
        87, 11, 11
    ]  # fmt: skip
    assert {row.label for row in rows} == {"tumor"}
    rows = MASK_DATASETS["kvasir"](shared_data / "kvasir", Remarks())
    assert [len(row.prompts) for row in rows] == [10, 10, 10]
    for row in rows:
        assert 0.2 < read_pair(row)[1].mean() < 0.4
