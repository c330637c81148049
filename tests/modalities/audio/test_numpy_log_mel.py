"""The log-mel without torch is that with it, and both use the filters of transformers."""

import numpy as np
import pytest
import torch
from transformers.audio_utils import mel_filter_bank

from modalities.audio.log_mel import LogMel
from modalities.audio.mel_filters import build_mel_filters
from modalities.audio.numpy_log_mel import NumpyLogMel


@pytest.mark.parametrize("mel_bins", [80, 128])
def test_filters_are_those_of_transformers(mel_bins):
    expected = mel_filter_bank(201, mel_bins, 0.0, 8_000.0, 16_000, "slaney", "slaney")
    found = build_mel_filters(mel_bins)
    assert found.shape == (201, mel_bins)
    assert (found.astype(np.float32) == expected.astype(np.float32)).all()


def test_other_numbers_of_bins_are_refused():
    with pytest.raises(ValueError, match="81 mel bins; expected 80 or 128"):
        NumpyLogMel(81)


@pytest.mark.parametrize("mel_bins", [80, 128])
@pytest.mark.parametrize("samples", [0, 1, 150, 40_000, 480_000, 500_000])
def test_equals_that_of_torch(mel_bins, samples):
    random = np.random.default_rng(0)
    sound = (random.normal(0, 0.1, samples) * np.linspace(0, 1, samples)).astype(np.float32)
    log_mel = LogMel(mel_bins)
    expected = log_mel(log_mel.pad(torch.from_numpy(sound)[None]))[0].numpy()
    found = NumpyLogMel(mel_bins)(sound)
    assert found.shape == (mel_bins, 3000) and found.dtype == np.float32
    assert np.abs(found - expected).max() < 2e-5


def test_equals_that_of_torch_on_speech(demo_clip):
    from data_prep.media import read_audio

    sound = read_audio(demo_clip)
    log_mel = LogMel(80)
    expected = log_mel(log_mel.pad(torch.from_numpy(sound)[None]))[0].numpy()
    assert np.abs(NumpyLogMel(80)(sound) - expected).max() < 5e-5
