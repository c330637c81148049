"""Noise for training: voices made to sound like others."""

import numpy as np
import pytest

from tasks.avsr.training.noise import NoiseMaker, NoiseOptions, colour, cut_pauses

RATE_HZ = 16_000


def voices(count: int = 10) -> list[np.ndarray]:
    """Half a second of tone between two pauses."""
    time = np.arange(RATE_HZ // 2) / RATE_HZ
    pause = np.zeros(RATE_HZ // 4, np.float32)
    tones = [np.sin(2 * np.pi * (150 + 20 * n) * time).astype(np.float32) for n in range(count)]
    return [np.concatenate([pause, tone, pause]) for tone in tones]


def test_pauses_are_cut_and_speech_is_not():
    [voice] = voices(1)
    found = cut_pauses(voice)
    assert len(found) == pytest.approx(RATE_HZ // 2, abs=RATE_HZ // 50)
    assert float(np.abs(found).max()) == pytest.approx(1, abs=1e-3)
    silent = np.zeros(4000, np.float32)
    assert np.array_equal(cut_pauses(silent), silent)


def test_colour_moves_power_between_bands_and_not_in_time():
    random = np.random.default_rng(0)
    noise = random.standard_normal(RATE_HZ).astype(np.float32)
    found = colour(noise, random)
    assert found.shape == noise.shape and found.dtype == np.float32
    gain = np.abs(np.fft.rfft(found)) / np.abs(np.fft.rfft(noise))
    assert gain[:8000].max() / gain[50:8000].min() > 2
    click = np.zeros(RATE_HZ, np.float32)
    click[8000] = 1
    assert abs(int(np.abs(colour(click, random)).argmax()) - 8000) < 40


def test_fluent_voices_pause_less():
    def silent(**options: float) -> float:
        maker = NoiseMaker(NoiseOptions(categories=("sidespeaker",), **options), voices())
        noise = [maker.draw("sidespeaker", RATE_HZ, 0, np.random.default_rng(n)) for n in range(8)]
        return float(np.mean(np.abs(noise) < 1e-3))

    assert silent() > 0.4
    assert silent(fluent=1.0) < 0.1
    assert silent(fluent=1.0, coloured=1.0) < 0.1


def test_paces_that_cannot_be_are_told():
    with pytest.raises(ValueError, match=r"noise.slowest is 1.5 and fastest 1.2"):
        NoiseOptions(slowest=1.5, fastest=1.2)
