"""Our log-mel is Whisper's, in one go and in pieces."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from transformers import WhisperFeatureExtractor

from modalities.audio.log_mel import LogMel, LogMelStream

RATE_HZ = 16_000


def sound(seconds: float, seed: int = 0) -> torch.Tensor:
    """Make noise that swells, with a tone in it."""
    rng = np.random.default_rng(seed)
    time_s = np.arange(round(seconds * RATE_HZ)) / RATE_HZ
    noise = rng.normal(0, 0.05, len(time_s)) * (1 + np.sin(time_s))
    return torch.from_numpy(noise + 0.2 * np.sin(2 * np.pi * 440 * time_s)).float()


@pytest.mark.parametrize("mel_bins", [80, 128])
@pytest.mark.parametrize("seconds", [0.1, 3.3, 30.0, 40.0])
def test_equals_the_extractor_of_transformers(mel_bins, seconds):
    waveform = sound(seconds)
    extractor = WhisperFeatureExtractor(feature_size=mel_bins)
    expected = extractor(waveform.numpy(), sampling_rate=RATE_HZ, return_tensors="pt")
    log_mel = LogMel(mel_bins)
    found = log_mel(log_mel.pad(waveform[None]))
    assert found.shape == (1, mel_bins, 3000)
    torch.testing.assert_close(found, expected.input_features, atol=1e-5, rtol=0)


@pytest.mark.parametrize("mel_bins", [80, 128])
def test_equals_the_extractor_on_real_speech(mel_bins, demo_clip):
    from data_prep.media import read_audio

    waveform = read_audio(demo_clip)
    extractor = WhisperFeatureExtractor(feature_size=mel_bins)
    expected = extractor(waveform, sampling_rate=RATE_HZ, return_tensors="pt").input_features
    log_mel = LogMel(mel_bins)
    found = log_mel(log_mel.pad(torch.from_numpy(waveform)[None]))
    torch.testing.assert_close(found, expected, atol=1e-5, rtol=0)


def test_rows_of_a_batch_do_not_see_each_other():
    rows = torch.stack([sound(2.0, 1), 100 * sound(2.0, 2), torch.zeros(2 * RATE_HZ)])
    log_mel = LogMel()
    together = log_mel(rows)
    for row, one in zip(together, rows, strict=True):
        assert torch.equal(row, log_mel(one[None])[0])


@settings(max_examples=15, deadline=None)
@given(st.lists(st.integers(1, 20_000), min_size=1, max_size=12))
def test_streaming_equals_offline_for_any_chunking(lengths):
    waveform = sound(sum(lengths) / RATE_HZ)
    log_mel = LogMel()
    stream = LogMelStream(log_mel, window_s=2.0)
    windows = [w for chunk in waveform.split(lengths) for w in stream.push(chunk)]
    windows += stream.flush()
    size = 2 * RATE_HZ
    expected = [log_mel(log_mel.pad(cut[None], 2.0))[0] for cut in waveform.split(size)]
    assert len(windows) == len(expected)
    for found, wanted in zip(windows, expected, strict=True):
        torch.testing.assert_close(found, wanted, atol=1e-5, rtol=0)


def test_it_goes_where_the_module_goes_and_lets_gradients_through():
    waveform = sound(1.0)[None].requires_grad_()
    LogMel()(waveform).sum().backward()
    assert waveform.grad is not None and waveform.grad.abs().sum() > 0


def test_too_short_sound_is_an_error():
    with pytest.raises(ValueError, match="more than 200"):
        LogMel()(torch.zeros(1, 100))
    with pytest.raises(ValueError, match="81"):
        LogMel(81)
