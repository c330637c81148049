"""The paired bootstrap, and the separation of two kinds of scores."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tasks.scoring import (
    WordErrors,
    difference_interval,
    mean_interval,
    measure_separation,
    rate_interval,
    ratio_interval,
)


def errors_of(wrong: list[int], words: list[int]) -> WordErrors:
    """So many words of each clip substituted."""
    substitutions, all_words = np.array(wrong), np.array(words)
    nothing = np.zeros_like(substitutions)
    return WordErrors(all_words - substitutions, substitutions, nothing, nothing)


clip = st.integers(1, 9).flatmap(lambda words: st.tuples(st.integers(0, words), st.just(words)))


@settings(max_examples=100, deadline=None)
@given(st.lists(clip, min_size=2, max_size=30), st.integers(0, 5))
def test_the_interval_holds_the_estimate(clips, seed):
    errors = errors_of(*map(list, zip(*clips, strict=True)))
    found = rate_interval(errors, seed)
    assert found.low <= found.value <= found.high
    assert found.value == errors.rate
    assert found == rate_interval(errors, seed)


def test_the_interval_has_the_width_of_the_standard_error():
    random = np.random.default_rng(1)
    wrong = random.binomial(6, 0.3, 400)
    found = rate_interval(errors_of(list(wrong), [6] * 400))
    expected = 1.96 * wrong.std() / 6 / np.sqrt(400) * 100
    assert (found.high - found.low) / 2 == pytest.approx(expected, rel=0.1)


def test_a_difference_of_pairs_is_surer_than_its_parts():
    hard = np.random.default_rng(0).integers(0, 6, 60)  # of ten words; how hard a clip is, for both
    a, b = errors_of(list(hard + 1), [10] * 60), errors_of(list(hard), [10] * 60)
    found = difference_interval(a, b)
    assert (found.value, found.low, found.high) == pytest.approx((10, 10, 10))
    alone = rate_interval(a)
    assert alone.high - alone.low > 5


def test_means_and_ratios_of_conditions():
    a = [errors_of([1, 3], [10, 10]), errors_of([2, 4], [10, 10])]
    b = [errors_of([2, 6], [10, 10]), errors_of([4, 8], [10, 10])]
    assert mean_interval(a).value == pytest.approx(25)
    found = ratio_interval(a, b)
    assert (found.value, found.low, found.high) == pytest.approx((0.5, 0.5, 0.5))
    assert np.isnan(ratio_interval(a, [errors_of([0, 0], [10, 10])]).value)
    with pytest.raises(ValueError, match="no condition"):
        mean_interval([])


def test_other_clips_are_refused():
    with pytest.raises(ValueError, match="different clips"):
        difference_interval(errors_of([1, 1], [5, 6]), errors_of([1, 1], [6, 5]))


scores = st.lists(st.integers(0, 5), max_size=8)


@given(scores, scores)
def test_the_separation_is_the_share_of_ordered_pairs(higher, lower):
    found = measure_separation(higher, lower)
    if not higher or not lower:
        assert found is None
        return
    pairs = [(h > w) + 0.5 * (h == w) for h in higher for w in lower]
    assert found == pytest.approx(np.mean(pairs))
