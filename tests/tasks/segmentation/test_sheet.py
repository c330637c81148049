"""The sheet of the worst cases: which are on it, and that what it shows can be told apart."""

import numpy as np
import pytest

from tasks.pictures.lettering import Lettering
from tasks.scoring.masks import MaskScore
from tasks.segmentation.evaluation.outcomes import Case, MaskOutcome
from tasks.segmentation.evaluation.sheet import (
    BLUE,
    ORANGE,
    SIDE,
    SMALL,
    WorstCases,
    draw_tile,
    shorten,
    tell_score,
)


def case(dice: float, size=(80, 120), name="a", hd95=1.0, empty="", prompt="a thing") -> Case:
    truth, said = np.zeros(size, bool), np.zeros(size, bool)
    truth[size[0] // 4 : size[0] // 2, size[1] // 4 : size[1] // 2] = True
    said[size[0] // 2 :, size[1] // 2 :] = True
    outcome = MaskOutcome(name, "thing", prompt, MaskScore(dice, dice, hd95, empty), "px", 0.1)
    return Case(outcome, np.full((*size, 3), 0.5, np.float32), truth, said)


def pixels_of(picture: np.ndarray, colour: tuple[int, int, int]) -> np.ndarray:
    return (picture == colour).all(-1)


def test_the_lowest_dice_come_first_then_the_farthest_off():
    worst = WorstCases(3)
    for dice, name, hd95 in (
        (0.9, "d", 1),
        (0.2, "b", 1),
        (0.0, "a", 2),
        (0.0, "z", 9),
        (1, "e", 0),
    ):
        worst.add(case(dice, name=name, hd95=hd95))
    assert [tile.outcome.id for tile in worst.tiles] == ["z", "a", "b"]


def test_a_truth_and_a_prediction_are_both_drawn_where_they_are():
    tile = draw_tile(case(0.1))
    assert not pixels_of(tile.plain, BLUE).any() and not pixels_of(tile.plain, ORANGE).any()
    for colour, inside in ((BLUE, (0.25, 0.5)), (ORANGE, (0.5, 1.0))):
        rows, columns = np.nonzero(pixels_of(tile.outlined, colour))
        scale = SIDE / 120
        top = (SIDE - round(80 * scale)) // 2
        assert rows.min() == pytest.approx(top + 80 * scale * inside[0], abs=4)
        assert columns.min() == pytest.approx(SIDE * inside[0], abs=4)
        assert columns.max() == pytest.approx(SIDE * inside[1], abs=4)


@pytest.mark.parametrize("size", [(1, 1), (1, 4000), (3000, 2), (3000, 4000)])
def test_pictures_of_any_size_have_a_tile_and_specks_stay_seen(size):
    truth, none = np.zeros(size, bool), np.zeros(size, bool)
    truth[size[0] // 2, size[1] // 2] = True
    outcome = MaskOutcome("a", "thing", "", MaskScore(0, 0, 9, "predicted"), "px", 0.1)
    tile = draw_tile(Case(outcome, np.zeros((*size, 3), np.float32), truth, none))
    assert tile.outlined.shape == (SIDE, SIDE, 3)
    assert pixels_of(tile.outlined, BLUE).any() and not pixels_of(tile.outlined, ORANGE).any()


def test_a_pixel_of_a_tiny_picture_is_outlined_as_the_area_that_it_is():
    truth = np.zeros((4, 4), bool)
    truth[1, 2] = True
    outcome = MaskOutcome("a", "thing", "", MaskScore(0, 0, 9, "predicted"), "px", 0.1)
    found = Case(outcome, np.zeros((4, 4, 3), np.float32), truth, np.zeros((4, 4), bool))
    rows, columns = np.nonzero(pixels_of(draw_tile(found).outlined, BLUE))
    side = SIDE // 4
    assert (rows.min(), rows.max()) == (pytest.approx(side, abs=3), pytest.approx(2 * side, abs=3))
    assert (columns.min(), columns.max()) == (
        pytest.approx(2 * side, abs=3),
        pytest.approx(3 * side, abs=3),
    )


def test_the_two_colours_differ_in_grey_and_from_black_and_white():
    greys = [np.dot(colour, (0.299, 0.587, 0.114)) for colour in (BLUE, ORANGE)]
    yellow_to_blue = [colour[2] - (colour[0] + colour[1]) / 2 for colour in (BLUE, ORANGE)]
    assert yellow_to_blue[0] - yellow_to_blue[1] > 200  # seen without red or green
    assert all(60 < grey < 200 for grey in greys)


def test_a_long_prompt_is_cut_to_lines_that_fit():
    lettering = Lettering()
    lines = shorten("One large malignant tumor at the left. " * 9, lettering, 300)
    assert len(lines) == 3 and lines[-1].endswith("\u2026")
    assert all(lettering.width(line, SMALL) <= 300 for line in lines)
    assert shorten("a thing", lettering, 300) == ["a thing"]


def test_the_caption_says_which_mask_is_empty():
    assert tell_score(case(0.123).outcome) == "Dice 12 %"
    assert tell_score(case(0.0, empty="truth").outcome) == "Dice 0 %, truth empty"
    assert tell_score(case(0.0, empty="predicted").outcome) == "Dice 0 %, nothing found"


def test_nothing_is_kept_where_no_sheet_is_asked_for():
    worst = WorstCases(0)
    worst.add(case(0.1))
    assert worst.tiles == []
