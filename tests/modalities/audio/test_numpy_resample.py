"""Resampling without torch gives what torchaudio gives, however the sound is cut."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from modalities.audio.numpy_resample import ArrayResampler, resample_array
from modalities.audio.resample import resample

SOUND = np.random.default_rng(0).normal(0, 0.3, 30_000).astype(np.float32)


@pytest.mark.parametrize("from_hz", [8_000, 11_025, 16_000, 22_050, 44_100, 48_000, 96_000, 17])
@pytest.mark.parametrize("samples", [0, 1, 100, 30_000])
def test_equals_that_of_torchaudio(from_hz, samples):
    sound = SOUND[: samples if from_hz != 17 else samples // 300]
    found = resample_array(sound, from_hz, 16_000)
    assert found.dtype == np.float32
    assert len(found) == -(-len(sound) * 16_000 // from_hz)
    if len(sound):
        expected = resample(torch.from_numpy(sound), from_hz, 16_000).numpy()
        # torchaudio places the taps of its filter in float32.
        assert np.abs(found - expected).max() < 3e-5


@settings(max_examples=20, deadline=None)
@given(st.lists(st.integers(0, 5_000), min_size=1, max_size=8), st.sampled_from([8_000, 44_100]))
def test_how_it_is_cut_changes_nothing(lengths, from_hz):
    resampler, at, found = ArrayResampler(from_hz, 16_000), 0, []
    for length in lengths:
        found.append(resampler.push(SOUND[at : at + length]))
        at = min(at + length, len(SOUND))
    found = np.concatenate([*found, resampler.flush()])
    assert np.allclose(found, resample_array(SOUND[:at], from_hz, 16_000), atol=1e-6)


@pytest.mark.parametrize("rates", [(0, 16_000), (16_000, -1)])
def test_rates_are_positive(rates):
    with pytest.raises(ValueError, match="rates are positive"):
        ArrayResampler(*rates)
