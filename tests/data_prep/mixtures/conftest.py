"""Recordings laid out as the Free Spoken Digit Dataset, each digit and speaker with a pitch."""

from pathlib import Path

import numpy as np
import pytest

from data_prep.media.wav import encode_wav

SPEAKERS = ("ann", "bob", "cat")


def write_spoken(folder: Path) -> Path:
    """Write 4 digits of three speakers, 6 recordings each, of which the last trains."""
    time = np.arange(4000) / 16_000
    (folder / "recordings").mkdir(parents=True)
    for place, speaker in enumerate(SPEAKERS):
        for digit in range(4):
            for take in (0, 1, 5, 6, 7, 8):
                hz = 300 * (digit + 1) * (1 + 0.05 * place)
                sound = 0.3 * np.sin(2 * np.pi * hz * time)
                path = folder / f"recordings/{digit}_{speaker}_{take}.wav"
                path.write_bytes(encode_wav(sound))
    return folder


@pytest.fixture(scope="session")
def spoken(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_spoken(tmp_path_factory.mktemp("spoken"))
