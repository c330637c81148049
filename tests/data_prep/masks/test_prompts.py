"""Prompts follow the published ladder: each says more, and the same mask gets the same ones."""

import pytest

from data_prep.masks.prompts import make_prompts, make_ultrasound_prompts, plural
from data_prep.masks.statistics import MaskStatistics, Piece

ONE = MaskStatistics(0.2, "medium", (Piece(900, "top", "round"),))
TWO = MaskStatistics(0.2, "large", (Piece(900, "top", "oval"), Piece(500, "top left", "round")))
NONE = MaskStatistics(0.0, "", ())


def test_the_ladder_is_that_of_the_published_polyps():
    told = make_prompts(ONE, "polyp", "white", ["which is a small lump", "which grows"])
    assert told == {
        "p0": ("",),
        "p1": ("polyp",),
        "p2": ("round polyp",),
        "p3": ("white round polyp",),
        "p4": ("medium white round polyp",),
        "p5": ("one medium white round polyp",),
        "p6": ("one medium white round polyp, located in top of the image",),
        "p7": ("polyp which is a small lump", "polyp which grows"),
        "p8": (
            "one medium white round polyp which is a small lump",
            "one medium white round polyp which grows",
        ),
        "p9": (
            "one medium white round polyp which is a small lump located in top of the image",
            "one medium white round polyp which grows located in top of the image",
        ),
    }


def test_the_grammar_is_the_one_beside_the_project(shared_data):
    from data_prep.datasets.masks.catalog import MASK_DATASETS, POLYPS_ARE

    row = MASK_DATASETS["kvasir"](shared_data / "kvasir")[0]
    told = make_prompts(ONE, "polyp", "white", POLYPS_ARE)
    published = {
        key: tuple(sentence.replace("mucuos", "mucous") for sentence in said)
        for key, said in row.prompts.items()
    }
    assert told == published


def test_several_pieces_are_counted_and_each_place_is_said_once():
    told = make_prompts(TWO, "foot ulcer")
    assert list(told) == ["p0", "p1", "p2", "p3", "p4", "p5", "p6"]
    assert told["p3"] == told["p2"] == ("oval foot ulcers",)
    assert told["p6"] == ("two large oval foot ulcers, located in top, top left of the image",)


def test_of_an_empty_mask_it_is_said_that_there_is_none():
    told = make_prompts(NONE, "polyp", descriptions=["which grows"])
    assert set(told) == {f"p{n}" for n in range(10)}
    assert told["p0"] == ("",) and {told[f"p{n}"] for n in range(1, 10)} == {("no polyp",)}


def test_tumors_are_told_in_two_wordings():
    told = make_ultrasound_prompts(ONE, "benign")
    assert told["p1"] == ("Tumor in the breast ultrasound image.",)
    assert told["p3"] == (
        "One benign tumor in the breast ultrasound image.",
        "One regular-shaped tumor in the breast ultrasound image.",
    )
    assert told["p6"] == (
        "One medium circle-shaped benign tumor at the top in the breast ultrasound image.",
        "One medium circle-shaped regular tumor at the top in the breast ultrasound image.",
    )
    assert make_ultrasound_prompts(TWO, "")["p4"] == (
        "Two large tumors in the breast ultrasound image.",
    )
    assert set(make_ultrasound_prompts(NONE, "benign").values()) == {
        ("",),
        ("No tumor in the breast ultrasound image.",),
    }


def test_an_irregular_tumor_is_not_told_to_be_so_twice_nor_to_be_regular():
    odd = MaskStatistics(0.05, "small", (Piece(9, "left", "irregular"),))
    for kind in ("benign", "malignant"):
        (told,) = make_ultrasound_prompts(odd, kind)["p6"]
        assert told.count("regular") == 1 and kind in told


@pytest.mark.parametrize(
    ("one", "many"),
    [("polyp", "polyps"), ("left cavity", "left cavities"), ("mass", "masses"), ("ray", "rays")],
)
def test_plurals_are_english(one, many):
    assert plural(one) == many


def test_the_tumors_beside_the_project_are_told_as_published_but_for_words(shared_data):
    from data_prep.datasets.masks.catalog import MASK_DATASETS
    from data_prep.masks.images import read_pair
    from data_prep.masks.statistics import describe_mask

    busi = MASK_DATASETS["busi"]
    same = 0
    rows = busi(shared_data / "busi")
    for row in rows:
        told = busi.say(row, describe_mask(read_pair(row)[1]))
        assert (
            told.keys() == row.prompts.keys()
            and told["p2"][:1] == row.prompts["p2"][:1]
            or ("tumors" in row.prompts["p2"][0])
        )
        same += told["p4"] == row.prompts["p4"]
    assert same >= 0.85 * len(rows)
