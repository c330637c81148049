"""The rendered questions, small models and spoken digits of others' tests, for tools about them."""

import numpy as np
import pytest

from data_prep.media.wav import encode_wav
from tools.noisy_digits import NoisyDigits

from ..data_prep.mixtures.conftest import spoken
from ..tasks.vision_language.conftest import asked_folder, experiment

__all__ = ["asked_folder", "experiment", "spoken"]


@pytest.fixture(scope="session")
def noisy_digits(tmp_path_factory: pytest.TempPathFactory) -> NoisyDigits:
    """Tones for digits; one speaker trains, with two recordings of each, one chooses, one tests."""
    folder = tmp_path_factory.mktemp("noisy_digits")
    recordings = folder / "fsdd/recordings"
    recordings.mkdir(parents=True)
    time = np.arange(4_000) / 16_000
    takes = [("ann", 0), ("ann", 7), ("theo", 0), ("nicolas", 0)]
    for number, (speaker, take) in enumerate(takes):
        for digit in range(10):
            pitch_hz = 200 * 1.3**digit * (1 + 0.01 * number)
            sound = encode_wav(0.3 * np.sin(2 * np.pi * pitch_hz * time))
            (recordings / f"{digit}_{speaker}_{take}.wav").write_bytes(sound)
    return NoisyDigits(folder / "kept", folder / "fsdd")
