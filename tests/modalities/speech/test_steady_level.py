"""How loud sound is, and a constant part of it, change nothing; nor does how it is cut."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from modalities.speech.steady_level import SteadyLevel, SteadyOffset, weights_by_age

FALLING = weights_by_age(8, full=2, fallen=5, least=0.25)
LEVELS = st.lists(st.floats(0.0078125, 1024, width=32), min_size=1, max_size=60)


@settings(max_examples=200, deadline=None)
@given(levels=LEVELS, gain_db=st.floats(-50, 20))
def test_levels_times_factors_do_not_depend_on_the_gain(levels, gain_db):
    levels = np.array(levels, np.float32)
    gain = np.float32(10 ** (gain_db / 20))
    one, other = (SteadyLevel(10.0, 1e-9, FALLING) for _ in range(2))
    same = levels * one.push(levels)
    np.testing.assert_allclose(levels * gain * other.push(levels * gain), same, rtol=1e-4)


@settings(max_examples=200, deadline=None)
@given(levels=LEVELS, cut=st.integers(0, 60))
def test_a_stream_of_levels_gives_what_all_at_once_gives(levels, cut):
    levels = np.array(levels, np.float32)
    whole, pieces = SteadyLevel(10.0, 1e-9, FALLING), SteadyLevel(10.0, 1e-9, FALLING)
    parts = [pieces.push(levels[:cut]), pieces.push(levels[cut:])]
    assert np.concatenate(parts).tolist() == whole.push(levels).tolist()


def test_the_loudest_chunk_is_brought_to_the_target_and_pauses_stay_below_it():
    level = SteadyLevel(10.0, 1e-9, np.ones(3))
    factors = level.push(np.array([1.0, 0.1, 0.1, 0.1, 2.0], np.float32))
    np.testing.assert_allclose(factors, [10, 10, 10, 100, 5], rtol=1e-6)


def test_what_was_loud_counts_less_after_a_while():
    np.testing.assert_allclose(FALLING[::-1], [1, 1, 1, 0.63, 0.397, 0.25, 0.25, 0.25], rtol=1e-2)
    factors = SteadyLevel(10.0, 1e-9, FALLING).push(np.array([1.0, *[0.1] * 8], np.float32))
    assert factors[[0, 2, 5, 7]].tolist() == [10, 10, 40, 40] and factors[8] == 100


def test_silence_is_not_brought_up():
    factors = SteadyLevel(10.0, 0.5, np.ones(3)).push(np.array([0.0, 0.4], np.float32))
    assert factors.tolist() == [20.0, 20.0]


@given(st.lists(st.floats(-1, 1), min_size=1, max_size=50), st.floats(-1, 1))
def test_a_constant_part_is_taken_off_whatever_it_is(means, constant):
    means = np.array(means)
    one, other = SteadyOffset(10), SteadyOffset(10)
    expected = means - one.push(means)
    moved = means + constant
    np.testing.assert_allclose(moved - other.push(moved), expected, atol=1e-6)
