"""Music and natural noise made by rule, for training where recordings are few."""

from collections.abc import Callable

import numpy as np

from modalities.rates import RATE_HZ

SCALES = ((0, 2, 4, 5, 7, 9, 11), (0, 2, 3, 5, 7, 8, 10), (0, 3, 5, 7, 10))


def make_music(samples: int, random: np.random.Generator) -> np.ndarray:
    """Play a tune with chords, and at times drums, on instruments drawn at random.

    Args:
        samples: Length, at 16 kHz.
        random: Draws.

    Returns:
        float32 [samples], its mean square 1.
    """
    beat = int(RATE_HZ * random.uniform(0.12, 0.6))
    root = random.uniform(90, 330)
    scale = SCALES[int(random.integers(len(SCALES)))]
    music = np.zeros(samples + 4 * RATE_HZ)
    partials = _draw_partials(random)
    decay_s, attack_s = random.uniform(0.1, 1.5), random.uniform(0.004, 0.08)
    shift = int(random.integers(beat))
    for start in range(0, samples + beat, beat):
        voices = int(random.integers(1, 4)) if random.random() < 0.85 else 0
        for _ in range(voices):
            degree = int(random.integers(2 * len(scale)))
            semitones = scale[degree % len(scale)] + 12 * (degree // len(scale))
            length = int(min(4 * RATE_HZ - 1, beat * random.integers(1, 5)))
            note = _play(root * 2 ** (semitones / 12), length, partials, decay_s, attack_s, random)
            place = max(0, start - shift)
            music[place : place + length] += note * random.uniform(0.4, 1)
    if random.random() < 0.4:
        _drum(music, beat, random)
    return level(music[:samples])


def make_natural(samples: int, random: np.random.Generator) -> np.ndarray:
    """Make wind, rain, engines, hum, clatter or animals, two of them at times.

    Args:
        samples: Length, at 16 kHz.
        random: Draws.

    Returns:
        float32 [samples], its mean square 1.
    """
    kinds: tuple[Callable[[int, np.random.Generator], np.ndarray], ...] = (
        _wind,
        _wind,
        _rain,
        _engine,
        _clatter,
        _animals,
    )
    count = 1 if random.random() < 0.6 else 2
    noise = np.zeros(samples)
    for _ in range(count):
        made = kinds[int(random.integers(len(kinds)))](samples, random)
        noise += level(made) * random.uniform(0.3, 1)
    return level(noise)


MAKERS: dict[str, Callable[[int, np.random.Generator], np.ndarray]] = {
    "music": make_music,
    "natural": make_natural,
}


def _draw_partials(random: np.random.Generator) -> np.ndarray:
    count = int(random.integers(2, 12))
    fall = random.uniform(0.4, 2.0)
    strengths = np.arange(1, count + 1) ** -fall
    if random.random() < 0.3:
        strengths[1::2] *= 0.1  # as of a clarinet
    return strengths * random.uniform(0.5, 1.5, count)


def _play(
    pitch_hz: float,
    length: int,
    partials: np.ndarray,
    decay_s: float,
    attack_s: float,
    random: np.random.Generator,
) -> np.ndarray:
    time = np.arange(length) / RATE_HZ
    numbers = np.arange(1, len(partials) + 1)
    numbers = numbers[numbers * pitch_hz < RATE_HZ / 2]
    sways = 1 + random.uniform(0, 0.004) * np.sin(2 * np.pi * random.uniform(4, 7) * time)
    phase = 2 * np.pi * pitch_hz * np.cumsum(sways) / RATE_HZ
    tone = np.zeros(length)
    for number, strength in zip(numbers, partials, strict=False):
        tone += strength * np.sin(number * phase + random.uniform(0, 2 * np.pi))
    envelope = np.minimum(time / attack_s, 1) * np.exp(-time / decay_s)
    return tone * envelope * np.minimum((length - np.arange(length)) / 160, 1)


def _drum(music: np.ndarray, beat: int, random: np.random.Generator) -> None:
    strength = 3 * np.sqrt(np.mean(np.square(music)))
    fall = np.exp(-np.arange(beat) / (RATE_HZ * random.uniform(0.01, 0.06)))
    for start in range(0, len(music) - beat, beat):
        if random.random() < 0.7:
            music[start : start + beat] += strength * fall * random.standard_normal(beat)


def _coloured(samples: int, random: np.random.Generator) -> np.ndarray:
    """Noise with a slope and a few broad peaks."""
    spectrum = np.fft.rfft(random.standard_normal(samples))
    hertz = np.fft.rfftfreq(samples, 1 / RATE_HZ) + 20
    gain = hertz ** -random.uniform(0, 1.5)
    for _ in range(int(random.integers(4))):
        middle, width = random.uniform(100, 6000), random.uniform(0.1, 0.8)
        gain *= 1 + random.uniform(1, 12) * np.exp(-((np.log(hertz / middle) / width) ** 2))
    return np.fft.irfft(spectrum * gain, samples)


def draw_curve(samples: int, per_s: float, random: np.random.Generator) -> np.ndarray:
    """Draw a curve that changes slowly, with straight lines between its points.

    Args:
        samples: Length, at 16 kHz.
        per_s: Points a second.
        random: Draws.

    Returns:
        float64 [samples], 0 to 1.
    """
    count = max(2, int(samples / RATE_HZ * per_s) + 2)
    return np.interp(np.linspace(0, count - 1, samples), np.arange(count), random.random(count))


def _wind(samples: int, random: np.random.Generator) -> np.ndarray:
    depth = random.uniform(0, 0.9)
    return _coloured(samples, random) * (
        1 - depth + depth * draw_curve(samples, random.uniform(0.3, 6), random)
    )


def _rain(samples: int, random: np.random.Generator) -> np.ndarray:
    drops = (random.random(samples) < random.uniform(20, 2000) / RATE_HZ) * random.exponential(
        1, samples
    )
    length = int(RATE_HZ * random.uniform(0.002, 0.03))
    response = random.standard_normal(length) * np.exp(-np.arange(length) / (length / 5))
    wet = np.fft.irfft(
        np.fft.rfft(drops, samples + length) * np.fft.rfft(response, samples + length)
    )
    return wet[:samples] + random.uniform(0, 0.2) * level(_coloured(samples, random))


def _engine(samples: int, random: np.random.Generator) -> np.ndarray:
    pitch = random.uniform(20, 160) * (1 + 0.3 * draw_curve(samples, 1, random))
    phase = 2 * np.pi * np.cumsum(pitch) / RATE_HZ
    tone = sum(
        random.uniform(0.1, 1) / n * np.sin(n * phase + random.uniform(0, 6)) for n in range(1, 30)
    )
    return level(np.asarray(tone)) + random.uniform(0.1, 1) * level(_coloured(samples, random))


def _clatter(samples: int, random: np.random.Generator) -> np.ndarray:
    noise = np.zeros(samples + RATE_HZ)
    for _ in range(int(random.integers(3, 25))):
        length = int(RATE_HZ * random.uniform(0.01, 0.4))
        start = int(random.integers(samples))
        knock = random.standard_normal(length) * np.exp(-np.arange(length) / (length / 6))
        if random.random() < 0.5:
            ring = np.sin(2 * np.pi * random.uniform(300, 5000) * np.arange(length) / RATE_HZ)
            knock = ring * np.exp(-np.arange(length) / (length / 5)) + 0.2 * knock
        noise[start : start + length] += knock * random.uniform(0.2, 1)
    return noise[:samples] + 0.02 * level(_coloured(samples, random))


def _animals(samples: int, random: np.random.Generator) -> np.ndarray:
    noise = np.zeros(samples + 2 * RATE_HZ)
    low, high = sorted(random.uniform(200, 5000, 2))
    length = int(RATE_HZ * random.uniform(0.05, 1.2))
    gap = int(RATE_HZ * random.uniform(0.02, 0.8))
    partials = int(random.integers(1, 9))
    start = int(random.integers(gap + 1))
    while start < samples:
        sweep = low + (high - low) * draw_curve(length, random.uniform(2, 20), random)
        phase = 2 * np.pi * np.cumsum(sweep) / RATE_HZ
        call = sum(np.sin(n * phase) / n for n in range(1, partials + 1))
        rough = 1 + random.uniform(0, 1) * np.sin(
            2 * np.pi * random.uniform(20, 90) * np.arange(length) / RATE_HZ
        )
        noise[start : start + length] += np.asarray(call) * rough * np.hanning(length)
        start += length + int(gap * random.uniform(0.5, 1.5)) + 1
    return noise[:samples] + 0.05 * level(_coloured(samples, random))


def level(noise: np.ndarray) -> np.ndarray:
    """Return a sound with a mean square of 1, float32 [samples]; silence stays silent."""
    power = np.mean(np.square(noise))
    return (noise / np.sqrt(power) if power > 0 else noise).astype(np.float32)
