"""Numbers of a mask: they are those of its pixels, and say nothing where nothing was found."""

import numpy as np
import pytest

from tasks.segmentation.areas import Point, measure_areas, percent
from tasks.segmentation.predictor import Box, Segmented


def found(mask: np.ndarray, probability: np.ndarray | None = None) -> Segmented:
    shown = mask.astype(np.float32) if probability is None else probability
    return Segmented("a thing", shown, mask)


def test_centre_and_box_are_those_of_all_pixels():
    mask = np.random.default_rng(0).random((31, 47)) > 0.9
    rows, columns = np.nonzero(mask)
    [area] = measure_areas([found(mask)])
    assert area.area_px == len(rows) and area.share == pytest.approx(len(rows) / mask.size)
    assert area.centre == Point(pytest.approx(columns.mean()), pytest.approx(rows.mean()))
    assert area.box == Box(columns.min(), rows.min(), columns.max() + 1, rows.max() + 1)


def test_square_millimetres_need_a_spacing_and_take_both_its_sides():
    mask = np.zeros((10, 10), bool)
    mask[2:4, 3:8] = True
    assert measure_areas([found(mask)])[0].area_mm2 is None
    assert measure_areas([found(mask)], (0.5, 0.2))[0].area_mm2 == pytest.approx(10 * 0.1)


def test_the_mean_probability_is_over_the_mask_alone():
    probability = np.array([[0.9, 0.7], [0.1, 0.0]], np.float32)
    [area] = measure_areas([found(probability > 0.5, probability)])
    assert area.mean_probability == pytest.approx(0.8)
    assert area.highest_probability == pytest.approx(0.9)


def test_an_empty_mask_has_no_place_and_says_how_near_it_was():
    probability = np.full((4, 4), 0.25, np.float32)
    [area] = measure_areas([found(probability > 0.5, probability)], (1.0, 1.0))
    assert (area.area_px, area.area_mm2, area.highest_probability) == (0, 0.0, 0.25)
    assert area.centre is area.box is area.mean_probability is None


@pytest.mark.parametrize(
    ("share", "told"), [(0.0, "0.0 %"), (1e-9, "< 0.1 %"), (0.034, "3.4 %"), (1.0, "100.0 %")]
)
def test_what_is_there_is_not_told_as_nothing(share, told):
    assert percent(share) == told
