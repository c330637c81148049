"""Mix speech and noise at an exact ratio, with or without a room around them."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from data_prep.noise.levels import measure_power


@dataclass(frozen=True)
class Mixture:
    """A noisy recording and its parts; `waveform` is their sum.

    Attributes:
        waveform: float32 [samples], in [-1, 1].
        speech: What of it is speech, at the level that it has in the mixture, float32 [samples].
        noise: What of it is noise, at the level that it has in the mixture, float32 [samples].
    """

    waveform: np.ndarray
    speech: np.ndarray
    noise: np.ndarray


def mix(speech: np.ndarray, noise: np.ndarray, snr_db: float, recipe: str = "rms") -> Mixture:
    """Add noise to speech at a signal-to-noise ratio.

    The speech keeps its level, unless the sum would leave [-1, 1]: then both are turned down alike.

    Args:
        speech: [samples], 16 kHz.
        noise: [its samples], 16 kHz, 1 or more; longer than speech it is cut, shorter it is
            repeated.
        snr_db: Ratio of the powers, in decibels; 0 is 0 dB, not "none".
        recipe: How power is measured, see `RECIPES`.

    Raises:
        ValueError: Silent speech or noise has no ratio; the ratio is not finite; no such recipe.
    """
    if not np.isfinite(snr_db):
        raise ValueError(
            f"snr_db is {snr_db}; expected decibels. Leave noise out for clean speech."
        )
    noise = cut(noise, len(speech))
    powers = measure_power(speech, recipe), measure_power(noise, recipe)
    for name, power in zip(("Speech", "Noise"), powers, strict=True):
        if not power > 0:
            raise ValueError(f"{name} is silent, so {snr_db} dB means nothing; take another part.")
    return Mixture(*_add([speech, noise], powers, [0.0, -snr_db]))


def mix_sources(
    sources: Sequence[np.ndarray], levels_db: Sequence[float], recipe: str = "rms"
) -> tuple[np.ndarray, list[np.ndarray]]:
    """Add several sources at chosen levels.

    The first source keeps its level, unless the sum would leave [-1, 1]: then all are turned down
    alike.

    Args:
        sources: One or more of the same length, [samples] each, 16 kHz.
        levels_db: Power of each source in decibels relative to the first; the first is 0.
        recipe: How power is measured, see `RECIPES`.

    Returns:
        The mixture and its sources as they are in it, which sum to it: float32 [samples] each, in
        [-1, 1].

    Raises:
        ValueError: There is no source, they are not equally long, one is silent, the levels are
            not as many or not finite, or there is no such recipe.
    """
    lengths = {len(source) for source in sources}
    if len(lengths) != 1:
        raise ValueError(
            f"The sources have {sorted(lengths) or 'no'} samples; expected one or more of the same "
            "length. Cut them with data_prep.noise.mixing.cut."
        )
    if len(levels_db) != len(sources) or levels_db[0] != 0 or not np.isfinite(levels_db).all():
        raise ValueError(
            f"levels_db is {list(levels_db)} for {len(sources)} sources; expected decibels for "
            "each, and 0 for the first."
        )
    powers = [measure_power(source, recipe) for source in sources]
    if not min(powers) > 0:
        raise ValueError(
            f"Source {int(np.argmin(powers)) + 1} is silent, so its level means nothing; take "
            "another part."
        )
    total, *parts = _add(sources, powers, levels_db)
    return total, parts


def _add(
    sources: Sequence[np.ndarray], powers: Sequence[float], levels_db: Sequence[float]
) -> list[np.ndarray]:
    """Return the sum, then the sources in it; the first is not scaled by a gain."""
    scaled = [sources[0]]
    for source, power, level_db in zip(sources[1:], powers[1:], levels_db[1:], strict=True):
        gain = np.sqrt(powers[0] / power * 10 ** (level_db / 10))
        scaled.append(source.astype(np.float64) * gain)
    total = scaled[0]
    for source in scaled[1:]:
        total = total + source
    shrink = 1 / max(1.0, float(np.abs(total).max()))
    return [(part * shrink).astype(np.float32) for part in (total, *scaled)]


def cut(waveform: np.ndarray, samples: int, offset: int = 0) -> np.ndarray:
    """Take a part of a recording, which goes on from its start where it ends.

    Args:
        waveform: [its samples].
        samples: How many are wanted.
        offset: Place of the first sample in the recording; counting goes on from its start beyond
            its end.

    Raises:
        ValueError: The recording is empty.
    """
    if not len(waveform):
        raise ValueError("The recording has no samples; expected at least one to cut from.")
    return np.take(waveform, np.arange(offset, offset + samples), mode="wrap")


def reverberate(waveform: np.ndarray, response: np.ndarray) -> np.ndarray:
    """Put a recording into a room.

    The direct sound stays where it was, so that lips and words stay in time, and the power stays
    what it was.

    Args:
        waveform: [samples], 16 kHz.
        response: Impulse response of the room, [its samples], 16 kHz.

    Returns:
        float32 [samples]; the reverberation after the end is cut off.

    Raises:
        ValueError: The response is silent.
    """
    direct = int(np.abs(response).argmax())
    if response[direct] == 0:
        raise ValueError("The impulse response is silent; expected the sound of a clap in a room.")
    # Powers of two: transforms of other sizes take up to ten times as long.
    size = 1 << (len(waveform) + len(response) - 2).bit_length()
    spectrum = np.fft.rfft(waveform, size) * np.fft.rfft(response, size)
    wet = np.fft.irfft(spectrum, size)[direct : direct + len(waveform)]
    before, after = (np.mean(np.square(w, dtype=np.float64)) for w in (waveform, wet))
    return (wet * np.sqrt(before / after) if after > 0 else wet).astype(np.float32)
