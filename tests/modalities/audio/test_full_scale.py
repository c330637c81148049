"""Every recording is brought to full scale, silence stays silence."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from modalities.audio.full_scale import to_full_scale


@settings(max_examples=100, deadline=None)
@given(gain_db=st.floats(-50, 20), constant=st.floats(-0.5, 0.5), seed=st.integers(0, 9))
def test_gain_and_constant_part_change_nothing(gain_db, constant, seed):
    sound = np.random.default_rng(seed).normal(0, 0.1, 4_000).astype(np.float32)
    changed = ((sound + constant) * 10 ** (gain_db / 20)).astype(np.float32)
    np.testing.assert_allclose(to_full_scale(changed), to_full_scale(sound), atol=2e-4)
    assert np.abs(to_full_scale(changed)).max() == pytest.approx(1, abs=1e-6)


@pytest.mark.parametrize("value", [0.0, 0.25])
def test_a_constant_sound_is_silence(value):
    assert to_full_scale(np.full(100, value, np.float32)).tolist() == [0.0] * 100


def test_less_than_a_millionth_of_full_scale_is_silence():
    faint = np.array([5e-7, -5e-7], np.float32)
    assert to_full_scale(faint).tolist() == faint.tolist()


def test_nothing_stays_nothing():
    assert len(to_full_scale(np.zeros(0, np.float32))) == 0
