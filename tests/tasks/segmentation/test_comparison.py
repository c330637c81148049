"""The contact sheet: each segmenter in its column, each picture in its line."""

import cv2
import numpy as np
import pytest

from tasks.pictures.sheets import save_sheet
from tasks.scoring.masks import MaskScore
from tasks.segmentation.evaluation.comparison import draw_comparison
from tasks.segmentation.evaluation.outcomes import Case, MaskOutcome
from tasks.segmentation.evaluation.sheet import BLUE, GAP, MARGIN, ORANGE, SIDE


def case(found: bool) -> Case:
    truth, said = np.zeros((40, 40), bool), np.zeros((40, 40), bool)
    truth[10:20, 10:20] = True
    said[25:35, 25:35] = found
    score = MaskScore(0.0, 0.0, 1.0, "" if found else "predicted")
    outcome = MaskOutcome("a", "thing", "a thing", score, "px", 0.1)
    return Case(outcome, np.full((40, 40, 3), 0.5, np.float32), truth, said)


def has(picture: np.ndarray, colour: tuple[int, int, int]) -> bool:
    return bool((picture == colour).all(-1).any())


def test_a_column_shows_what_its_segmenter_finds_and_the_first_the_picture_alone():
    sheet = draw_comparison([(case(True), case(False))] * 2, ("one", "two"))
    assert sheet.shape[1] == 2 * MARGIN + 3 * SIDE + 2 * GAP
    body = sheet[80:]  # below the legend, which has both colours
    lefts = [MARGIN + column * (SIDE + GAP) for column in range(3)]
    plain, one, two = (body[:, left : left + SIDE] for left in lefts)
    assert not has(plain, BLUE) and not has(plain, ORANGE)
    assert has(one, BLUE) and has(one, ORANGE)
    assert has(two, BLUE) and not has(two, ORANGE)


def test_a_line_without_a_case_for_each_segmenter_is_refused():
    with pytest.raises(ValueError, match=r"has 1 cases; expected 2, one of each of one, two"):
        draw_comparison([(case(True),)], ("one", "two"))


@pytest.mark.parametrize("name", ["sheet.png", "sheet.JPG"])
def test_a_sheet_is_written_in_the_format_of_its_name(tmp_path, name, capfd):
    sheet = draw_comparison([(case(True),)], ("one",))
    save_sheet(sheet, tmp_path / name)
    read = cv2.imread(str(tmp_path / name))
    assert read is not None and read.shape == sheet.shape
    assert not "".join(capfd.readouterr())
