"""Measures of painted pictures: parity to formulas written here, and what the z-score holds."""

import numpy as np
import pytest
from scipy.linalg import sqrtm

from tasks.scoring.images import frechet_distance, kernel_distance, measure_likeness


def draw(rows: int, dim: int, seed: int = 0, shift: float = 0.0) -> np.ndarray:
    random = np.random.default_rng(seed)
    return random.normal(size=(rows, dim)) @ random.normal(size=(dim, dim)) + shift


def frechet_by_scipy(one: np.ndarray, other: np.ndarray) -> float:
    first, second = np.cov(one, rowvar=False), np.cov(other, rowvar=False)
    root = np.asarray(sqrtm(first @ second)).real
    gap = one.mean(0) - other.mean(0)
    return float(gap @ gap + np.trace(first) + np.trace(second) - 2 * np.trace(root))


@pytest.mark.parametrize(("rows", "more", "dim"), [(50, 50, 8), (200, 30, 12), (40, 41, 3)])
def test_frechet_distance_is_that_of_scipy(rows, more, dim):
    one, other = draw(rows, dim), draw(more, dim, 1, 0.5)
    assert frechet_distance(one, other) == pytest.approx(frechet_by_scipy(one, other), rel=1e-6)


def test_frechet_distance_of_two_gaussians_on_a_line_is_known():
    one = np.array([[-1.0], [1.0]])  # variance 2
    other = np.array([[2.0], [8.0]])  # mean 5, variance 18
    assert frechet_distance(one, other) == pytest.approx(25 + (18**0.5 - 2**0.5) ** 2)


def test_frechet_distance_holds_with_fewer_pictures_than_features():
    one, other = draw(6, 40), draw(9, 40, 1)
    first, second = (np.cov(of, rowvar=False) for of in (one, other))
    values = np.linalg.eigvals(first @ second).real.clip(0)
    gap = one.mean(0) - other.mean(0)
    expected = gap @ gap + np.trace(first) + np.trace(second) - 2 * np.sqrt(values).sum()
    assert frechet_distance(one, other) == pytest.approx(expected, rel=1e-5)
    assert frechet_distance(one, one[::-1]) == pytest.approx(0, abs=1e-9 * np.trace(first))
    assert frechet_distance(one, other) == pytest.approx(frechet_distance(other, one))


def mmd_by_hand(one: np.ndarray, other: np.ndarray) -> float:
    """Squared distance of means under the kernel, pair by pair."""

    def kernel(a: np.ndarray, b: np.ndarray) -> float:
        return (float(a @ b) / len(a) + 1) ** 3

    def within(some: np.ndarray) -> float:
        pairs = [kernel(a, b) for n, a in enumerate(some) for m, b in enumerate(some) if n != m]
        return float(np.mean(pairs))

    between = np.mean([kernel(a, b) for a in one for b in other])
    return within(one) + within(other) - 2 * float(between)


def test_kernel_distance_of_all_pictures_is_that_of_the_formula():
    one, other = draw(9, 4), draw(9, 4, 1)
    found = kernel_distance(one, other)
    assert found.mean == pytest.approx(mmd_by_hand(one, other))
    assert (found.subsets, found.size, found.deviation) == (1, 9, 0)


def test_kernel_distance_over_subsets_comes_near_that_of_all():
    one, other = draw(60, 4), draw(80, 4, 1, 0.3)
    found = kernel_distance(one, other, subsets=400, size=20)
    assert (found.subsets, found.size) == (400, 20) and found.deviation > 0
    near = 4 * found.deviation / 400**0.5
    assert found.mean == pytest.approx(mmd_by_hand(one, other), abs=near)


def test_kernel_distance_draws_by_its_own_seed():
    one, other = draw(30, 4), draw(30, 4, 1)
    np.random.seed(0)
    before = np.random.get_state()[1].copy()
    found = kernel_distance(one, other, 5, 10, seed=1)
    assert (np.random.get_state()[1] == before).all()
    assert found == kernel_distance(one, other, 5, 10, seed=1)
    assert found != kernel_distance(one, other, 5, 10, seed=2)


def test_likeness_and_z_are_those_of_a_loop():
    clips, painted = draw(7, 5), draw(7, 5, 1)
    found = measure_likeness(clips, painted)
    for n, clip in enumerate(clips):
        alike = [clip @ p / np.linalg.norm(clip) / np.linalg.norm(p) for p in painted]
        others = np.delete(alike, n)
        assert found.of_each[n] == pytest.approx(alike[n])
        assert found.z_of_each[n] == pytest.approx((alike[n] - others.mean()) / others.std())
    assert found.mean == pytest.approx(found.of_each.mean())
    assert found.z == pytest.approx(found.z_of_each.mean())


def test_length_does_not_count_and_right_pictures_score_above_exchanged_ones():
    clips = draw(20, 16)
    right = measure_likeness(clips, 3 * clips)
    assert right.mean == pytest.approx(1) and right.z > 2
    assert measure_likeness(clips, np.roll(clips, 1, 0)).z < 0.5


def test_one_picture_for_all_clips_is_no_better_than_chance():
    assert measure_likeness(draw(6, 5), np.ones((6, 5))).z == 0


def test_one_odd_picture_among_equal_ones_has_no_z():
    painted = np.ones((4, 3))
    painted[2] = (1, 0, 0)
    with pytest.raises(ValueError, match="All pictures but that of clip 2"):
        measure_likeness(draw(4, 3), painted)


@pytest.mark.parametrize("measure", [frechet_distance, kernel_distance, measure_likeness])
@pytest.mark.parametrize(
    ("one", "other", "message"),
    [
        (draw(1, 3), draw(5, 3), r"shape \[1, 3\]; expected \[pictures, dim\]"),
        (draw(5, 3), draw(5, 4), "Features of 3 and of 4 numbers"),
        (draw(5, 3)[0], draw(5, 3), r"shape \[3\]"),
        (np.full((5, 3), np.nan), draw(5, 3), "Row 0 of .* no numbers"),
    ],
)
def test_features_that_cannot_be_compared_are_told(measure, one, other, message):
    with pytest.raises(ValueError, match=message):
        measure(one, other)


def test_what_else_cannot_be_is_told():
    with pytest.raises(ValueError, match="0 subsets of 10"):
        kernel_distance(draw(5, 3), draw(5, 3), 0, 10)
    with pytest.raises(ValueError, match="5 clips and 4 pictures"):
        measure_likeness(draw(5, 3), draw(4, 3))
    with pytest.raises(ValueError, match="Row 1 of clips has length 0"):
        measure_likeness(np.diag([1.0, 0.0, 1.0]), np.eye(3))
