"""Count, size, place and shape of what a mask shows are those that one sees."""

import cv2
import numpy as np
import pytest

from data_prep.masks.statistics import describe_mask

SIDE = 300


def draw(outline) -> np.ndarray:
    mask = np.zeros((SIDE, SIDE), np.uint8)
    cv2.fillPoly(mask, [np.array(outline, np.int32)], 1)
    return mask > 0


def ellipse(centre, axes, angle=0) -> np.ndarray:
    mask = np.zeros((SIDE, SIDE), np.uint8)
    cv2.ellipse(mask, centre, axes, angle, 0, 360, 1, -1)
    return mask > 0


STAR = [
    (150 + r * np.sin(n * np.pi / 5), 150 - r * np.cos(n * np.pi / 5))
    for n, r in enumerate([60, 20] * 5)
]
SHAPES = {
    "round": ellipse((150, 150), (40, 40)),
    "oval": ellipse((150, 150), (60, 30)),
    "square": draw([(100, 100), (160, 100), (160, 160), (100, 160)]),
    "rectangular": draw([(80, 100), (200, 100), (200, 150), (80, 150)]),
    "triangular": draw([(150, 100), (200, 190), (100, 190)]),
    "irregular": draw(STAR),
}


@pytest.mark.parametrize("turn", [0, 30, 75])
@pytest.mark.parametrize("shape", SHAPES)
def test_shapes_are_told_however_they_are_turned(shape, turn):
    matrix = cv2.getRotationMatrix2D((150, 150), turn, 1)
    turned = cv2.warpAffine(SHAPES[shape].astype(np.uint8), matrix, (SIDE, SIDE))
    assert describe_mask(turned > 0).pieces[0].shape == shape


PLACES = ["top left", "top", "top right", "left", "center", "right"]
PLACES += ["bottom left", "bottom", "bottom right"]


@pytest.mark.parametrize("number", range(9))
def test_places_are_the_ninths_of_the_picture(number):
    row, column = divmod(number, 3)
    mask = ellipse((50 + 100 * column, 50 + 100 * row), (40, 40))
    assert describe_mask(mask).pieces[0].place == PLACES[number]
    wide = np.repeat(mask, 3, axis=1)
    assert describe_mask(wide).pieces[0].place == PLACES[number]


@pytest.mark.parametrize(("share", "size"), [(0.09, "small"), (0.11, "medium"), (0.31, "large")])
def test_size_is_by_the_share_of_the_picture(share, size):
    mask = np.zeros((100, 100), bool)
    mask.ravel()[: int(share * mask.size)] = True
    assert describe_mask(mask).size == size


def test_pieces_are_counted_the_largest_first_without_specks():
    mask = ellipse((50, 50), (10, 10)) | ellipse((250, 250), (30, 30))
    mask[150, 150] = True
    places = [piece.place for piece in describe_mask(mask).pieces]
    assert places == ["bottom right", "top left"]


def test_a_speck_alone_counts_and_nothing_is_nothing():
    mask = np.zeros((SIDE, SIDE), bool)
    assert describe_mask(mask).pieces == () and describe_mask(mask).size == ""
    mask[10, 10] = True
    (piece,) = describe_mask(mask).pieces
    assert (piece.area, piece.place, piece.shape) == (1, "top left", "round")


@pytest.mark.parametrize("shape", [(1, 1), (1, 7), (2, 2)])
def test_the_smallest_pictures_are_described(shape):
    assert len(describe_mask(np.ones(shape, bool)).pieces) == 1


def test_sizes_and_counts_are_those_of_the_published_prompts(shared_data):
    from data_prep.datasets.masks.catalog import MASK_DATASETS
    from data_prep.masks.images import read_pair
    from data_prep.masks.prompts import number_word

    agree = {"size": 0, "count": 0, "all": 0}
    for row in MASK_DATASETS["busi"](shared_data / "busi"):
        count, size, *_ = row.prompts["p6"][0].lower().split()
        found = describe_mask(read_pair(row)[1])
        if count == "no":
            assert not found.pieces
            continue
        agree["all"] += 1
        agree["size"] += found.size == size
        agree["count"] += number_word(len(found.pieces)) == count
    assert agree["size"] >= 0.95 * agree["all"] and agree["count"] >= 0.85 * agree["all"]
