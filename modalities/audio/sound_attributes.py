"""What can be said of a sound in continuous numbers: loudness, pitch, brightness, rate."""

from dataclasses import dataclass

import numpy as np
import torch
import torchaudio
from torch import Tensor
from torch.nn import functional

from modalities.audio.attribute_scale import SOUND_ATTRIBUTES
from modalities.audio.full_scale import SILENCE
from modalities.rates import RATE_HZ

HOP, WINDOW, BLOCK = 160, 512, 6400  # samples: of frames, of spectra, of LUFS' shortest block
QUIET = 0.1  # peak at which filters that cut at full scale cut nothing
HEARD_DB = 40.0  # frames so much below the loudest are pauses
SLOWEST, FASTEST = (round(RATE_HZ / SOUND_ATTRIBUTES["pitch"].least), RATE_HZ // 2000)
PERIODIC = 0.2  # of its own power: what a frame differs by from itself a period later
RISE_DB = 6.0  # by which an onset is louder than 20 ms before, as a whole or in the mean over bands
APART = 5  # frames: two onsets are no nearer
BANDS = 32


@dataclass(frozen=True)
class SoundAttributes:
    """What a sound is like.

    Attributes:
        loudness: In LUFS, decibels of full scale as loud as they are heard.
        pitch: In Hz, the median over voiced frames; None where none is voiced.
        centroid: In Hz, the middle of the spectrum, mean over frames that are no pauses.
        rate: Onsets a second, over the whole of the sound: of syllables, notes, strokes.
        words: Words a second, over the whole of the sound; None without a transcript.
    """

    loudness: float
    pitch: float | None
    centroid: float
    rate: float
    words: float | None = None

    def take(self, name: str) -> float:
        """Return an attribute by its name.

        Raises:
            ValueError: The sound has none, or there is no such attribute.
        """
        if name not in SOUND_ATTRIBUTES:
            known = ", ".join(SOUND_ATTRIBUTES)
            raise ValueError(f"No attribute {name!r} of sounds; known: {known}.")
        value = getattr(self, name)
        if value is None:
            raise ValueError(f"The sound has no {name}: {SOUND_ATTRIBUTES[name].lacking}.")
        return value


def measure_attributes(waveform: np.ndarray, transcript: str | None = None) -> SoundAttributes:
    """Measure what a sound is like.

    Args:
        waveform: float32 [samples], 16 kHz, at any level; its loudness is that of full scale 1.
        transcript: What is said in it, for words a second.

    Raises:
        ValueError: There is no sound in it.
    """
    if not len(waveform) or not np.abs(waveform).max() > SILENCE:
        raise ValueError("There is no sound in it; expected one that is not silent.")
    sound = torch.from_numpy(np.ascontiguousarray(waveform, dtype=np.float32))
    duration_s = len(sound) / RATE_HZ
    heard = _heard(sound)
    return SoundAttributes(
        loudness=measure_loudness(sound),
        pitch=measure_pitch(sound, heard),
        centroid=measure_centroid(sound, heard),
        rate=count_onsets(sound) / duration_s,
        words=None if transcript is None else len(transcript.split()) / duration_s,
    )


def measure_loudness(sound: Tensor) -> float:
    """Return LUFS, gated against pauses, of [samples] that are not silent.

    torchaudio's filters cut at full scale, so that a loud sound would be measured as less; it is
    measured as a quiet one. What is shorter than 0.4 s is repeated until it has as much.

    Source:
        ITU-R BS.1770-4.
    """
    gain = QUIET / float(sound.abs().max())
    times = -(-BLOCK // len(sound))
    found = torchaudio.functional.loudness((gain * sound).repeat(times)[None], RATE_HZ)
    return float(found) - 20 * float(np.log10(gain))


def measure_pitch(sound: Tensor, heard: Tensor | None = None) -> float | None:
    """Return the median pitch, in Hz, of voiced frames of [samples], from 50 to 2,000 Hz.

    Args:
        sound: [samples], 16 kHz.
        heard: Which frames are no pauses, bool, [frames]; None for finding them here.

    Returns:
        None where no frame is voiced.

    Source:
        de Cheveigné and Kawahara, YIN (2002), steps 1 to 5.
    """
    heard = _heard(sound) if heard is None else heard
    differences = _differences(_frames(sound, WINDOW + SLOWEST)[heard])
    voiced = differences.min(1).values < PERIODIC
    if not voiced.any():
        return None
    return RATE_HZ / float(_periods(differences[voiced]).median())


def _differences(frames: Tensor) -> Tensor:
    """Return how far a frame is from itself some samples later, beside the mean until then.

    Args:
        frames: [frames, WINDOW + SLOWEST].

    Returns:
        [frames, SLOWEST + 1 - FASTEST], from `FASTEST` samples later on; 0 for a perfect period.
    """
    size = 2 ** int(np.ceil(np.log2(2 * WINDOW + SLOWEST)))
    first = torch.fft.rfft(frames[:, :WINDOW].double(), size)
    shared = torch.fft.irfft(torch.fft.rfft(frames.double(), size) * first.conj(), size)
    power = functional.pad(frames.double().square().cumsum(1), (1, 0))
    later = power[:, WINDOW : WINDOW + SLOWEST + 1] - power[:, : SLOWEST + 1]
    found = (later[:, :1] + later - 2 * shared[:, : SLOWEST + 1]).clamp(min=0)
    lags = torch.arange(1, SLOWEST + 1)
    means = (found[:, 1:].cumsum(1) / lags).clamp(min=1e-12)
    return (found[:, 1:] / means)[:, FASTEST - 1 :]


def _periods(differences: Tensor) -> Tensor:
    """Return the period of voiced frames in samples, between samples by a parabola, [frames]."""
    low = differences < PERIODIC
    rises = functional.pad(differences[:, 1:] >= differences[:, :-1], (0, 1), value=True)
    first = (low & rises).float().argmax(1)  # the first dip's bottom
    middle = first.clamp(1, differences.shape[1] - 2)[:, None]
    before, at, after = (differences.gather(1, middle + step)[:, 0] for step in (-1, 0, 1))
    curve = (before - 2 * at + after).clamp(min=1e-12)
    return FASTEST + middle[:, 0] + (0.5 * (before - after) / curve).clamp(-1, 1)


def measure_centroid(sound: Tensor, heard: Tensor | None = None) -> float:
    """Return the middle of the spectrum in Hz, mean over frames of [samples] that are no pauses.

    Args:
        sound: [samples], 16 kHz.
        heard: Which frames are no pauses, bool, [frames]; None for finding them here.
    """
    heard = _heard(sound) if heard is None else heard
    magnitudes = _spectra(sound)[:, heard]
    hertz = torch.linspace(0, RATE_HZ / 2, len(magnitudes))
    return float(((hertz[:, None] * magnitudes).sum(0) / magnitudes.sum(0)).mean())


def count_onsets(sound: Tensor) -> int:
    """Count where [samples] become louder at once, as with syllables, notes or strokes.

    Source:
        Spectral flux as in Böck et al., Evaluating the online capabilities of onset detection
        methods (2012), on bands of equal width.
    """
    ahead = functional.pad(sound, (4 * HOP, 0))  # a sound that is there at once has an onset too
    bands = functional.adaptive_avg_pool1d(_spectra(ahead).T.square()[None], BANDS)[0]
    floor = 10 ** (-HEARD_DB / 10)
    levels = 10 * torch.log10(bands / bands.max() + floor)
    whole = bands.sum(1, keepdim=True)
    level = 10 * torch.log10(whole / whole.max() + floor)
    rises = [(one[2:] - one[:-2]).clamp(min=0).mean(1) for one in (levels, level)]
    rise = functional.pad(torch.maximum(*rises), (2, 0))
    top = functional.max_pool1d(rise[None], 2 * APART + 1, 1, APART)[0]
    peaks = torch.nonzero((rise == top) & (rise > RISE_DB))[:, 0]
    return int((peaks.diff(prepend=torch.tensor([-APART - 1])) > APART).sum())


def _heard(sound: Tensor) -> Tensor:
    """Return which frames are no pauses, bool, [frames]; the loudest is none."""
    powers = _spectra(sound).square().sum(0)
    return powers >= powers.max() * 10 ** (-HEARD_DB / 10)


def _spectra(sound: Tensor) -> Tensor:
    """Return magnitudes, [frequencies, frames]."""
    window = torch.hann_window(WINDOW)
    return torch.stft(
        sound, WINDOW, HOP, window=window, pad_mode="constant", return_complex=True
    ).abs()


def _frames(sound: Tensor, length: int) -> Tensor:
    """Return a stretch around the middle of each of the frames that spectra have, [frames, length].

    Beyond the ends there is silence.
    """
    padded = functional.pad(sound, (length // 2, length - length // 2))
    return padded.unfold(0, length, HOP)[: len(sound) // HOP + 1]
