"""Resampling in pieces is resampling at once."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from modalities.audio.numpy_resample import ArrayResampler
from modalities.audio.resample import resample

RATES = st.sampled_from([8_000, 11_025, 16_000, 22_050, 24_000, 44_100, 48_000])


@settings(max_examples=60, deadline=None)
@given(RATES, RATES, st.lists(st.integers(0, 3000), min_size=1, max_size=10))
def test_any_chunking_gives_the_offline_result(from_hz, to_hz, lengths):
    waveform = torch.randn(sum(lengths), generator=torch.Generator().manual_seed(0))
    stream = ArrayResampler(from_hz, to_hz)
    pieces = [stream.push(chunk.numpy()) for chunk in waveform.split(lengths)]
    found = torch.from_numpy(np.concatenate([*pieces, stream.flush()]))
    expected = resample(waveform, from_hz, to_hz) if len(waveform) else waveform
    torch.testing.assert_close(found, expected, atol=1e-5, rtol=0)


def test_a_tone_keeps_its_pitch_and_loudness():
    time_s = torch.arange(44_100) / 44_100
    found = resample(torch.sin(2 * torch.pi * 1000 * time_s), 44_100, 16_000)
    expected = torch.sin(2 * torch.pi * 1000 * torch.arange(16_000) / 16_000)
    torch.testing.assert_close(found[200:-200], expected[200:-200], atol=5e-3, rtol=0)


def test_memory_does_not_grow():
    stream = ArrayResampler(48_000, 16_000)
    for _ in range(50):
        stream.push(np.zeros(4800, np.float32))
        assert len(stream.waiting) < 1000


def test_a_rate_of_zero_is_an_error():
    with pytest.raises(ValueError, match="0 to 16000"):
        ArrayResampler(0, 16_000)
