"""Log-mel of ten minutes of sound."""

from argparse import Namespace

import numpy as np
import torch

from bench.compare import Row, compare
from modalities.audio.log_mel import LogMel
from modalities.rates import MEL_HOP_SAMPLES, RATE_HZ


def rows(given: Namespace) -> list[Row]:
    """Compare with librosa and with transformers' extractor, on the same noise."""
    import librosa  # pyright: ignore[reportMissingImports]
    from transformers import WhisperFeatureExtractor

    sound = np.random.default_rng(0).normal(0, 0.1, 600 * RATE_HZ).astype(np.float32)
    log_mel = LogMel(80)
    extractor = WhisperFeatureExtractor()

    def ours():
        with torch.inference_mode():
            log_mel(torch.from_numpy(sound)[None])

    def with_librosa():
        mel = librosa.feature.melspectrogram(
            y=sound, sr=RATE_HZ, n_fft=400, hop_length=MEL_HOP_SAMPLES, n_mels=80
        )
        return np.log10(np.maximum(mel, 1e-10))

    def with_extractor():
        return extractor(sound, sampling_rate=RATE_HZ, truncation=False, return_tensors="pt")

    what = "log-mel of 10 minutes"
    return [
        compare(what, "librosa", ours, with_librosa, "<= 1.0"),
        compare(what, "WhisperFeatureExtractor", ours, with_extractor, "<= 0.5"),
    ]
