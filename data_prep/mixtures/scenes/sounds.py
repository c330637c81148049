"""Ten kinds of sounds made from formulas, another one for each seed."""

from collections.abc import Callable

import numpy as np

from data_prep.mixtures.scenes.parts import add_at, chirp, filter_noise, ring, tone
from data_prep.noise.synthetic import draw_curve, level
from modalities.rates import RATE_HZ
from modalities.spelling import did_you_mean

BELL = (0.5, 1.0, 1.19, 1.5, 2.0, 2.52, 3.01, 4.1)  # partials of a church bell, as shares
STRIKES = np.array([1, 0, 0.6, 0, 1, 0.5, 0.6, 0])  # of a bar, in eighths


def render_sound(kind: str, samples: int, random: np.random.Generator) -> np.ndarray:
    """Make a sound; the same draws, the same sound.

    Args:
        kind: A name of `SOUNDS`.
        samples: Length at 16 kHz, 8000 (half a second) or more.
        random: Draws pitch, pace, colour and the rest.

    Returns:
        float32 [samples], its mean square 1.

    Raises:
        ValueError: There is no such kind, or it is too short to be told.
    """
    if kind not in SOUNDS:
        raise ValueError(
            f"No sound {kind!r}; known: {', '.join(SOUNDS)}.{did_you_mean(kind, SOUNDS)}"
        )
    if samples < RATE_HZ // 2:
        raise ValueError(
            f"A sound of {samples} samples was asked for; expected {RATE_HZ // 2} or more, half a "
            "second at 16 kHz."
        )
    return level(SOUNDS[kind](samples, random))


def _bell(samples: int, random: np.random.Generator) -> np.ndarray:
    sound = np.zeros(samples)
    pitch_hz, decay_s = random.uniform(260, 620), random.uniform(0.5, 1.2)
    shares = np.array(BELL) * random.uniform(0.99, 1.01, len(BELL))
    strengths = random.uniform(0.4, 1, len(BELL)) / np.arange(1, len(BELL) + 1) ** 0.5
    gap = random.uniform(0.7, 1.4)
    for start_s in np.arange(random.uniform(0, 0.3), samples / RATE_HZ, gap):
        struck = ring(pitch_hz * shares, strengths, decay_s / shares**0.5, 3 * decay_s)
        add_at(sound, struck * random.uniform(0.8, 1), start_s)
    return sound


def _siren(samples: int, random: np.random.Generator) -> np.ndarray:
    low_hz, high_hz = random.uniform(450, 650), random.uniform(1100, 1500)
    time = np.arange(samples) / RATE_HZ + random.uniform(0, 2)
    turn = time / random.uniform(0.9, 2.6)
    wave = 0.5 - 0.5 * np.cos(2 * np.pi * turn)  # up and down
    if random.random() < 0.4:
        wave = np.round(wave)  # two tones in turn
    return tone(low_hz * (high_hz / low_hz) ** wave, (1, 0.1, 0.35, 0.05, 0.15))


def _drum(samples: int, random: np.random.Generator) -> np.ndarray:
    sound = np.zeros(samples)
    eighth_s, pitch_hz = random.uniform(0.13, 0.22), random.uniform(65, 100)
    bar = np.roll(STRIKES, 2 * int(random.integers(4)))
    for number in range(int(samples / RATE_HZ / eighth_s) + 1):
        strength = bar[number % len(bar)] * random.uniform(0.8, 1)
        if strength > 0.75:
            length = int(0.25 * RATE_HZ)
            fall = pitch_hz * (1 + 2 * np.exp(-np.arange(length) / (0.015 * RATE_HZ)))
            hit = tone(fall, (1, 0.2)) * np.exp(-np.arange(length) / (0.07 * RATE_HZ))
            add_at(sound, strength * hit, number * eighth_s)
        elif strength > 0:
            length = int(0.12 * RATE_HZ)
            hit = filter_noise(length, 400, 5000, random)
            hit = hit * np.exp(-np.arange(length) / (0.025 * RATE_HZ))
            add_at(sound, 0.5 * strength * hit, number * eighth_s)
    return sound


def _rain(samples: int, random: np.random.Generator) -> np.ndarray:
    sound = 0.5 * filter_noise(samples, random.uniform(2500, 3500), 7500, random)
    for _ in range(int(samples / RATE_HZ * random.uniform(50, 110))):
        length = int(random.uniform(0.004, 0.012) * RATE_HZ)
        fall = np.exp(-np.arange(length) / (length / 4))
        drop = tone(np.full(length, random.uniform(2500, 6500)), (1.0,)) * fall
        add_at(
            sound, min(4.0, random.exponential(1.6)) * drop, random.uniform(0, samples / RATE_HZ)
        )
    return sound


def _wind(samples: int, random: np.random.Generator) -> np.ndarray:
    sound = np.zeros(samples)
    for middle_hz in (110, 190, 320, 520, 800):
        band = filter_noise(samples, middle_hz * 0.8, middle_hz * 1.25, random)
        gust = draw_curve(samples, random.uniform(1, 2.5), random) ** 2
        sound += band * (0.1 + gust) * random.uniform(0.5, 1) * (150 / middle_hz) ** 0.4
    return sound


def _whistle(samples: int, random: np.random.Generator) -> np.ndarray:
    sound = np.zeros(samples)
    pitch_hz, trill_hz = random.uniform(2100, 2700), random.uniform(22, 38)
    start_s = random.uniform(0, 0.2)
    while start_s < samples / RATE_HZ:
        length_s = random.choice([random.uniform(0.12, 0.25), random.uniform(0.5, 0.9)])
        time = np.arange(int(length_s * RATE_HZ)) / RATE_HZ
        pea = np.sin(2 * np.pi * trill_hz * time + random.uniform(0, 6))
        blast = tone(pitch_hz * (1 + 0.03 * pea), (1, 0.12)) * (0.65 + 0.35 * pea)
        edge = np.minimum(1, np.minimum(time, time[::-1]) / 0.02)
        add_at(sound, blast * edge, start_s)
        start_s += length_s + random.uniform(0.12, 0.5)
    return sound


def _engine(samples: int, random: np.random.Generator) -> np.ndarray:
    pace_hz = random.uniform(26, 44) * (1 + 0.5 * draw_curve(samples, 0.7, random))
    peak = random.uniform(4, 9)  # number of the strongest harmonic: the exhaust's
    numbers = np.arange(1, 31)
    strengths = np.exp(-((np.log(numbers / peak)) ** 2)) * random.uniform(0.4, 1, len(numbers))
    throb = tone(pace_hz, strengths)
    return throb + 0.15 * np.std(throb) * filter_noise(samples, 200, 1500, random)


def _bird(samples: int, random: np.random.Generator) -> np.ndarray:
    sound = np.zeros(samples)
    low_hz = random.uniform(3200, 4200)
    motif = [
        (low_hz * random.uniform(0.9, 1.5), low_hz * random.uniform(0.9, 1.5))
        for _ in range(int(random.integers(2, 5)))
    ]
    start_s = random.uniform(0, 0.3)
    while start_s < samples / RATE_HZ:
        for from_hz, to_hz in motif:
            length_s = random.uniform(0.05, 0.13)
            add_at(sound, chirp(from_hz, to_hz, length_s), start_s)
            start_s += length_s + random.uniform(0.02, 0.06)
        start_s += random.uniform(0.15, 0.6)
    return sound


def _clock(samples: int, random: np.random.Generator) -> np.ndarray:
    sound = np.zeros(samples)
    gap_s, pitch_hz = random.uniform(0.22, 0.45), random.uniform(1300, 1900)
    lower = random.uniform(0.7, 0.85)  # tock beside tick
    starts_s = np.arange(random.uniform(0, 0.2), samples / RATE_HZ, gap_s)
    for number, start_s in enumerate(starts_s):
        wood = pitch_hz * (lower if number % 2 else 1.0) * np.array([1.0, 2.7, 4.1])
        add_at(sound, ring(wood, (1, 0.5, 0.25), np.array([0.03, 0.02, 0.01]), 0.15), start_s)
    return sound


def _waves(samples: int, random: np.random.Generator) -> np.ndarray:
    turn = np.arange(samples) / RATE_HZ / random.uniform(1.8, 3.2) + random.uniform(0, 1)
    body = filter_noise(samples, 250, 1500, random)
    foam = filter_noise(samples, 1200, random.uniform(3000, 5000), random)
    return body * (0.08 + _swell(turn)) + 0.7 * foam * (0.02 + _swell(turn - 0.08) ** 2)


def _swell(turn: np.ndarray) -> np.ndarray:
    """Return how loud a wave is: it rises, breaks and runs out once a turn, 0 to 1."""
    place = turn % 1
    return (place**0.7 * (1 - place) / 0.44) ** 1.5


SOUNDS: dict[str, Callable[[int, np.random.Generator], np.ndarray]] = {
    "bell": _bell,
    "siren": _siren,
    "drum": _drum,
    "rain": _rain,
    "wind": _wind,
    "whistle": _whistle,
    "engine": _engine,
    "bird": _bird,
    "clock": _clock,
    "waves": _waves,
}
