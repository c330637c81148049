"""Scores of masks: parity to formulas written here, the rule for empty ones, and what means say."""

import math
from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.ndimage import binary_erosion, distance_transform_edt

from tasks.scoring.edge_distance import find_edge, measure_edges, measure_image
from tasks.scoring.masks import (
    MaskScore,
    MaskSummary,
    score_mask,
    spread_over_seeds,
    summarise_masks,
)

sides = st.floats(0.05, 20)
spacings = st.tuples(sides, sides)


@st.composite
def pairs(draw) -> tuple[np.ndarray, np.ndarray]:
    """Two masks of one size, from empty ones and specks to full ones."""
    shape = draw(st.tuples(st.integers(1, 14), st.integers(1, 14)))
    random = np.random.default_rng(draw(st.integers(0, 10_000)))
    shares = (draw(st.sampled_from([0.0, 0.1, 0.5, 0.9, 1.0])) for _ in range(2))
    first, second = (random.random(shape) < share for share in shares)
    return first, second


def hd95_by_hand(one: np.ndarray, other: np.ndarray, spacing: tuple[float, float]) -> float:
    """The 95th percentile of edge distances, the greater of both directions."""
    edges = [mask & ~binary_erosion(mask) for mask in (one, other)]
    far = [distance_transform_edt(~edge, sampling=spacing) for edge in edges]
    return max(np.percentile(far[1][edges[0]], 95), np.percentile(far[0][edges[1]], 95))


@settings(max_examples=60, deadline=None)
@given(pairs(), spacings)
def test_scores_are_those_of_the_formulas(masks, spacing):
    one, other = masks
    found = score_mask(one, other, spacing)
    both, either = int((one & other).sum()), int((one | other).sum())
    if one.any() and other.any():
        assert found.empty == ""
        assert found.dice == pytest.approx(2 * both / (one.sum() + other.sum()))
        assert found.iou == pytest.approx(both / either)
        assert found.hd95 == pytest.approx(hd95_by_hand(one, other, spacing), rel=1e-5)
    else:
        right = not one.any() and not other.any()
        diagonal = math.hypot(one.shape[0] * spacing[0], one.shape[1] * spacing[1])
        assert (found.dice, found.iou) == (right, right)
        assert found.hd95 == pytest.approx(0 if right else diagonal)


@settings(max_examples=40, deadline=None)
@given(pairs(), spacings)
def test_scores_keep_their_ranges_and_do_not_care_which_mask_comes_first(masks, spacing):
    found, turned = score_mask(*masks, spacing), score_mask(*masks[::-1], spacing)
    shape = masks[0].shape
    assert 0 <= found.iou <= found.dice <= 1
    assert found.dice == pytest.approx(2 * found.iou / (1 + found.iou))
    assert 0 <= found.hd95 <= math.hypot(shape[0] * spacing[0], shape[1] * spacing[1])
    assert (turned.dice, turned.iou, turned.hd95) == (found.dice, found.iou, found.hd95)
    assert turned.empty == {"truth": "predicted", "predicted": "truth"}.get(
        found.empty, found.empty
    )


@settings(max_examples=30, deadline=None)
@given(pairs())
def test_a_mask_is_itself(masks):
    found = score_mask(masks[0], masks[0].copy())
    assert (found.dice, found.iou, found.hd95) == (1, 1, 0)
    assert found.empty == ("" if masks[0].any() else "both")


@settings(max_examples=30, deadline=None)
@given(pairs(), spacings)
def test_a_picture_on_its_side_has_the_same_scores(masks, spacing):
    upright = score_mask(*masks, spacing)
    lying = score_mask(masks[0].T, masks[1].T, spacing[::-1])
    assert (lying.dice, lying.iou) == (upright.dice, upright.iou)
    assert lying.hd95 == pytest.approx(upright.hd95, rel=1e-5)


@settings(max_examples=60, deadline=None)
@given(pairs(), spacings)
def test_the_edges_alone_give_what_the_whole_image_gives(masks, spacing):
    if all(mask.any() for mask in masks):
        found = measure_edges(*map(find_edge, masks), spacing)
        assert found == pytest.approx(measure_image(*masks, spacing), rel=1e-5)


@pytest.mark.parametrize("share", [0.0, 0.5], ids=["short edges", "noise"])
def test_a_large_image_is_measured_as_a_small_one(share):
    truth = np.zeros((1100, 1000), bool)
    truth[200:700, 300:800] = True
    said = np.roll(truth, 40, 0) ^ (np.random.default_rng(0).random(truth.shape) < share)
    found = score_mask(said, truth, (0.5, 0.25)).hd95
    assert found == pytest.approx(hd95_by_hand(said, truth, (0.5, 0.25)), rel=1e-5)


def test_the_distance_of_two_points_is_in_the_unit_of_the_spacing():
    one, other = np.zeros((9, 9), bool), np.zeros((9, 9), bool)
    one[1, 2] = other[4, 6] = True
    assert score_mask(one, other) == MaskScore(0, 0, 5, "")
    assert score_mask(one, other, (2.0, 0.5)).hd95 == pytest.approx(math.hypot(6, 2))


def test_the_five_percent_that_are_farthest_do_not_count():
    truth = np.zeros((200, 200), bool)
    truth[50:150, 50:150] = True
    speck = truth.copy()
    speck[0, 0] = True
    assert score_mask(speck, truth).hd95 == 0


@pytest.mark.parametrize(("said", "right"), [*product([False, True], repeat=2)])
@pytest.mark.parametrize("shape", [(1, 1), (1, 7), (30, 20)])
def test_full_and_empty_masks_of_any_size(shape, said, right):
    found = score_mask(np.full(shape, said), np.full(shape, right))
    same = said == right
    assert (found.dice, found.iou) == (same, same)
    assert found.hd95 == pytest.approx(0 if same else math.hypot(*shape))
    names = {(True, True): "", (False, False): "both", (True, False): "truth"}
    assert found.empty == names.get((said, right), "predicted")


def test_a_full_mask_is_measured_to_the_edge_of_the_image():
    full, dot = np.ones((21, 21), bool), np.zeros((21, 21), bool)
    dot[10, 10] = True
    assert score_mask(full, dot).hd95 == pytest.approx(hd95_by_hand(full, dot, (1, 1)))


@pytest.mark.parametrize(
    ("said", "right", "spacing", "words"),
    [
        (np.full((2, 2), 255, np.uint8), np.ones((2, 2), bool), (1, 1), "uint8 from 255 to 255"),
        (np.ones((2, 2), bool), np.array([[0, 255]] * 2, np.uint8), (1, 1), "true mask is uint8"),
        (np.full((2, 2), 0.7), np.ones((2, 2), bool), (1, 1), "probability > 0.5"),
        (np.ones((2, 3), bool), np.ones((3, 2), bool), (1, 1), r"\(2, 3\), the true one \(3, 2\)"),
        (np.ones((1, 2, 2), bool), np.ones((1, 2, 2), bool), (1, 1), "one image and one class"),
        (np.ones((0, 2), bool), np.ones((0, 2), bool), (1, 1), "one pixel or more"),
        (np.ones((2, 2), bool), np.ones((2, 2), bool), (0, 1), "above 0"),
        (np.ones((2, 2), bool), np.ones((2, 2), bool), (1, math.nan), "above 0"),
    ],
)
def test_what_is_no_mask_is_refused(said, right, spacing, words):
    with pytest.raises(ValueError, match=words):
        score_mask(said, right, spacing)


SCORES = [
    MaskScore(0.5, 1 / 3, 4.0, ""),
    MaskScore(1.0, 1.0, 0.0, "both"),
    MaskScore(0.0, 0.0, 10.0, "truth"),
    MaskScore(0.0, 0.0, 30.0, "predicted"),
]


def test_pixels_and_millimetres_are_never_averaged_together():
    found = summarise_masks(SCORES, ["px", "mm", "mm", "px"])
    assert found == MaskSummary(4, 0.375, pytest.approx(1 / 3), 2, 17.0, 5.0, 1, 1, 1)
    alone = summarise_masks(SCORES, ["px"] * 4)
    assert (alone.hd95_px, alone.hd95_mm) == (11.0, None)


def test_empty_masks_count_as_the_rule_says_and_are_never_left_out():
    nothing = [MaskScore(0.0, 0.0, 30.0, "predicted")] * 3
    found = summarise_masks(nothing, ["px"] * 3)  # monai's own mean of these is 0.0
    assert found.hd95_px == 30 and found.predicted_empty == 3


def test_seeds_have_a_mean_and_the_deviation_of_a_sample():
    summaries = [summarise_masks([MaskScore(d, d, 10 * d, "")], ["px"]) for d in (0.2, 0.4, 0.6)]
    found = spread_over_seeds(summaries)
    assert list(found) == ["dice", "iou", "hd95_px"]
    assert found["dice"].mean == pytest.approx(0.4) and found["dice"].deviation == pytest.approx(
        0.2
    )
    assert found["hd95_px"].deviation == pytest.approx(2)
    assert spread_over_seeds(summaries[:1])["dice"].deviation == 0


def test_means_over_nothing_and_seeds_on_other_masks_are_refused():
    one, two = (summarise_masks(SCORES[:n], ["px"] * n) for n in (1, 2))
    with pytest.raises(ValueError, match="scored on 1 and 2 masks"):
        spread_over_seeds([one, two])
    for call in (lambda: summarise_masks([], []), lambda: spread_over_seeds([])):
        with pytest.raises(ValueError, match="expected one or more"):
            call()
