"""Make noise sound as if others had recorded it: with other spectra, rooms and voices."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from data_prep.noise import reverberate
from data_prep.noise.recordings import load_recording
from modalities.rates import RATE_HZ

KNOTS_HZ = (0, 100, 200, 400, 800, 1600, 3200, 5000, 8000)
BEND_DB = 6.0  # deviation of the gain at each knot
CUT, CUT_DB = 0.3, -40.0  # share without low or high parts, as of a telephone
FRAME = 320
PAUSE = 1e-3  # of the loudest frame's power
BENT, BENT_VOICE, FAR, HISS = 0.4, 0.5, 0.3, 0.3  # shares
HISS_DB = (8.0, 25.0)  # below the noise


def bend_spectrum(waveform: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """Give a sound another spectrum, smooth in frequency; float32 [samples]."""
    size = 1 << (len(waveform) - 1).bit_length()
    gain_db = random.normal(0, BEND_DB, len(KNOTS_HZ))
    if random.random() < CUT:
        knots = np.array(KNOTS_HZ)
        high = random.random() < 0.6
        gone = knots >= random.choice([3200, 5000]) if high else knots <= random.choice([100, 200])
        gain_db[gone] = CUT_DB
    gain = 10 ** (np.interp(np.fft.rfftfreq(size, 1 / RATE_HZ), KNOTS_HZ, gain_db) / 20)
    bent = np.fft.irfft(np.fft.rfft(waveform, size) * gain, size)
    return bent[: len(waveform)].astype(np.float32)


def drop_pauses(waveform: np.ndarray) -> np.ndarray:
    """Cut out what is nearly silent, as in fluent speech; all of it where little is left."""
    frames = waveform[: len(waveform) // FRAME * FRAME].reshape(-1, FRAME)
    power = np.square(frames).mean(1)
    loud = power > PAUSE * power.max(initial=0)
    return frames[loud].reshape(-1) if loud.sum() > 20 else waveform


def put_into_room(
    waveform: np.ndarray, rooms: Sequence[Path], share: float, random: np.random.Generator
) -> np.ndarray:
    """Let a sound be heard in one of some rooms, in a share of cases; never where there is none."""
    if not rooms or random.random() >= share:
        return waveform
    return reverberate(waveform, load_recording(rooms[int(random.integers(len(rooms)))]))


def record_elsewhere(
    noise: np.ndarray, category: str, rooms: Sequence[Path], random: np.random.Generator
) -> np.ndarray:
    """Bend the spectrum of noise, put it into a room and add hiss, each at times.

    Args:
        noise: float32 [samples], 16 kHz.
        category: Natural noise gets no hiss, which is one.
        rooms: Impulse responses; may be empty.
        random: Draws.
    """
    if random.random() < BENT:
        noise = bend_spectrum(noise, random)
    noise = put_into_room(noise, rooms, FAR, random)
    if category != "natural" and random.random() < HISS:
        hiss = bend_spectrum(random.normal(size=len(noise)), random)
        power, of_hiss = (float(np.mean(np.square(x, dtype=np.float64))) for x in (noise, hiss))
        level = 10 ** (-random.uniform(*HISS_DB) / 20)
        noise = (noise + hiss * level * np.sqrt(power / of_hiss)).astype(np.float32)
    return noise
