"""Tones in folders of classes, and a tiny frozen encoder with random weights."""

import wave
from pathlib import Path

import numpy as np
import pytest

RATE_HZ = 16_000


def write_wav(path: Path, waveform: np.ndarray, rate_hz: int = RATE_HZ) -> Path:
    """Write [samples] or [samples, channels], 16 bits."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1 if waveform.ndim == 1 else waveform.shape[1])
        file.setsampwidth(2)
        file.setframerate(rate_hz)
        file.writeframes((waveform * 32_000).astype("<i2").tobytes())
    return path


def tone(pitch_hz: float, duration_s: float, seed: int, rate_hz: int = RATE_HZ) -> np.ndarray:
    """Return a tone in noise, loud or soft."""
    random = np.random.default_rng(seed)
    time = np.arange(round(duration_s * rate_hz)) / rate_hz
    wave = 0.4 * np.sin(2 * np.pi * pitch_hz * time + random.uniform(0, 6))
    return wave + 10 ** random.uniform(-2.5, -1.5) * random.standard_normal(len(time))


@pytest.fixture(scope="session")
def encoder(tmp_path_factory) -> str:
    """A folder with a tiny AST."""
    from modalities.audio.ast import random_ast

    sizes = {"hidden_size": 32, "num_attention_heads": 2, "intermediate_size": 48}
    model = random_ast(num_hidden_layers=2, initializer_range=0.1, **sizes).model
    folder = tmp_path_factory.mktemp("ast")
    model.save_pretrained(folder)
    return str(folder)


@pytest.fixture(scope="session")
def tones(tmp_path_factory) -> Path:
    """Two classes, 12 sounds each."""
    folder = tmp_path_factory.mktemp("tones")
    for label, pitch_hz in (("high", 2500), ("low", 300)):
        for number in range(12):
            write_wav(folder / label / f"{number}.wav", tone(pitch_hz, 0.5, number))
    return folder
