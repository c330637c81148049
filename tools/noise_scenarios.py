"""Kinds of noise and distortion around a spoken digit, by name, made by rule from a seed."""

from collections.abc import Callable, Sequence
from functools import partial

import numpy as np

from data_prep.noise.levels import measure_power
from data_prep.noise.mixing import cut, mix, reverberate
from data_prep.noise.synthetic import draw_curve, make_music, make_natural
from modalities.rates import RATE_HZ

RECIPE = "active"  # pauses do not count, as a digit does not fill its window
BABBLE_VOICES = 4

# From speech, [samples] at 16 kHz, other people's digits, and draws: what is heard, [samples].
Scenario = Callable[[np.ndarray, Sequence[np.ndarray], np.random.Generator], np.ndarray]
# A noise from a number of samples, other people's digits, and draws.
Noise = Callable[[int, Sequence[np.ndarray], np.random.Generator], np.ndarray]


def _in_noise(
    speech: np.ndarray,
    voices: Sequence[np.ndarray],
    random: np.random.Generator,
    *,
    noise: Noise,
    snr_db: float,
) -> np.ndarray:
    made = noise(len(speech), voices, random)
    return mix(speech, made, snr_db + random.uniform(-2, 2), RECIPE).waveform


def _white(samples: int, voices: Sequence[np.ndarray], random: np.random.Generator) -> np.ndarray:
    return random.standard_normal(samples)


def _babble(samples: int, voices: Sequence[np.ndarray], random: np.random.Generator) -> np.ndarray:
    noise = np.zeros(samples)
    for _ in range(BABBLE_VOICES):
        words = [voices[int(random.integers(len(voices)))] for _ in range(3)]
        voice = cut(np.concatenate(words), samples, int(random.integers(samples)))
        noise += voice / np.sqrt(measure_power(voice, RECIPE))
    return noise


def _music(samples: int, voices: Sequence[np.ndarray], random: np.random.Generator) -> np.ndarray:
    # From its midst: a tune may begin with a rest.
    return make_music(samples + RATE_HZ, random)[RATE_HZ:]


def _natural(samples: int, voices: Sequence[np.ndarray], random: np.random.Generator) -> np.ndarray:
    return make_natural(samples, random)


def _hum(samples: int, voices: Sequence[np.ndarray], random: np.random.Generator) -> np.ndarray:
    time = np.arange(samples) / RATE_HZ
    pitch_hz = random.uniform(95, 125)
    partials = np.arange(1, 30)
    phases = random.uniform(0, 2 * np.pi, len(partials))
    return (np.sin(2 * np.pi * pitch_hz * partials * time[:, None] + phases) / partials**0.5).sum(1)


def _beeps(samples: int, voices: Sequence[np.ndarray], random: np.random.Generator) -> np.ndarray:
    length = int(RATE_HZ * random.uniform(0.04, 0.12))
    pitches = random.uniform(300, 3000, samples // length + 1)
    on = random.random(len(pitches)) < 0.8
    on[0] = True
    phase = 2 * np.pi * np.cumsum(np.repeat(pitches, length)[:samples]) / RATE_HZ
    return np.sin(phase) * np.repeat(on, length)[:samples]


def _siren(samples: int, voices: Sequence[np.ndarray], random: np.random.Generator) -> np.ndarray:
    sway = np.sin(2 * np.pi * random.uniform(2, 6) * np.arange(samples) / RATE_HZ + random.random())
    phase = 2 * np.pi * np.cumsum(random.uniform(600, 1200) * (1 + 0.5 * sway)) / RATE_HZ
    return np.sin(phase) + 0.5 * np.sin(2 * phase) + 0.3 * np.sin(3 * phase)


def _crackle(samples: int, voices: Sequence[np.ndarray], random: np.random.Generator) -> np.ndarray:
    clicks = random.standard_normal(samples) * (random.random(samples) < 0.01)
    return clicks + 1e-3 * random.standard_normal(samples)


def _in_room(
    speech: np.ndarray, voices: Sequence[np.ndarray], random: np.random.Generator
) -> np.ndarray:
    """Exponential decay, by 60 dB within 0.8 to 1.6 s, the direct sound hardly above it."""
    time = np.arange(RATE_HZ) / RATE_HZ
    response = random.standard_normal(RATE_HZ) * 10 ** (-3 * time / random.uniform(0.8, 1.6))
    response[0] = np.abs(response).max() * 1.5
    return reverberate(speech, response)


def _clipped(
    speech: np.ndarray, voices: Sequence[np.ndarray], random: np.random.Generator
) -> np.ndarray:
    most = np.abs(speech).max() * random.uniform(0.003, 0.01)
    return np.clip(speech, -most, most) * (0.3 / most)


def _band(
    speech: np.ndarray,
    voices: Sequence[np.ndarray],
    random: np.random.Generator,
    *,
    low_hz: float,
    high_hz: float,
) -> np.ndarray:
    spectrum = np.fft.rfft(speech)
    hertz = np.fft.rfftfreq(len(speech), 1 / RATE_HZ)
    shift = random.uniform(0.85, 1.15)
    outside = (hertz < low_hz * shift) | (hertz > high_hz * shift)
    return np.fft.irfft(np.where(outside, 0, spectrum), len(speech))


def _gaps(
    speech: np.ndarray, voices: Sequence[np.ndarray], random: np.random.Generator
) -> np.ndarray:
    length = int(RATE_HZ * random.uniform(0.03, 0.06))
    kept = random.random(len(speech) // length + 1) > 0.55
    return speech * np.repeat(kept, length)[: len(speech)]


def _wavering(
    speech: np.ndarray, voices: Sequence[np.ndarray], random: np.random.Generator
) -> np.ndarray:
    """Speed that sways, as of a worn tape."""
    sway = draw_curve(len(speech), 12, random) - 0.5
    places = np.clip(np.cumsum(1 + 1.4 * sway), 0, len(speech) - 1)
    return np.interp(places, np.arange(len(speech)), speech)


def _one_after_another(
    speech: np.ndarray,
    voices: Sequence[np.ndarray],
    random: np.random.Generator,
    *,
    scenarios: Sequence[Scenario],
) -> np.ndarray:
    for scenario in scenarios:
        speech = scenario(speech, voices, random)
    return speech


def _clean(
    speech: np.ndarray, voices: Sequence[np.ndarray], random: np.random.Generator
) -> np.ndarray:
    return speech


SCENARIOS: dict[str, Scenario] = {
    "clean": _clean,
    "white": partial(_in_noise, noise=_white, snr_db=0.0),
    "babble": partial(_in_noise, noise=_babble, snr_db=4.0),
    "music": partial(_in_noise, noise=_music, snr_db=-5.0),
    "natural": partial(_in_noise, noise=_natural, snr_db=-8.0),
    "hum": partial(_in_noise, noise=_hum, snr_db=-4.0),
    "beeps": partial(_in_noise, noise=_beeps, snr_db=-10.0),
    "reverberation": _in_room,
    "clipping": _clipped,
    "low-pass": partial(_band, low_hz=0.0, high_hz=800.0),
    "high-pass": partial(_band, low_hz=1800.0, high_hz=8000.0),
    "gaps": _gaps,
    # Not among the ten tasks below.
    "siren": partial(_in_noise, noise=_siren, snr_db=-5.0),
    "crackle": partial(_in_noise, noise=_crackle, snr_db=-8.0),
    "wavering": _wavering,
}
SCENARIOS["white, reverberation"] = partial(
    _one_after_another, scenarios=(SCENARIOS["white"], SCENARIOS["reverberation"])
)
TASKS = ("white", "babble", "music", "natural", "hum", "beeps", "reverberation", "clipping")
TASKS += ("low-pass", "high-pass")
UNSEEN = tuple(name for name in SCENARIOS if name not in (*TASKS, "clean"))


def render_scenario(
    name: str, speech: np.ndarray, voices: Sequence[np.ndarray], seed: Sequence[int]
) -> np.ndarray:
    """Put speech into a scenario.

    Args:
        name: A name of `SCENARIOS`.
        speech: [samples], 16 kHz, not silent.
        voices: Other people's digits, [their samples] each, for babble.
        seed: Whole numbers; the same give the same sound.

    Returns:
        float32 [samples], at most 1.

    Raises:
        ValueError: No such scenario.
    """
    if name not in SCENARIOS:
        raise ValueError(f"No scenario {name!r}; known: {', '.join(SCENARIOS)}.")
    heard = SCENARIOS[name](speech, voices, np.random.default_rng(list(seed)))
    most = float(np.abs(heard).max())
    return (heard / max(1.0, most)).astype(np.float32)
