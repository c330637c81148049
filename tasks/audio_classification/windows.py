"""Labelled sounds as windows that an encoder takes, read once and kept where they fit."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor

from data_prep.media import read_audio
from data_prep.sounds.labelled import Sound
from modalities.audio.audio_encoder import AudioEncoder
from modalities.rates import RATE_HZ

KEPT_BYTES = 4_000_000_000  # of prepared windows; beyond, they are made anew each time
SILENCE = 1e-4  # of full scale: no sample of a silent sound is above
LEAST_S = 0.025  # one frame of the filterbanks
TOLD = 5  # bad sounds that a message names

Progress = Callable[[float, float], None]


@dataclass(frozen=True)
class Windows:
    """A sound, cut.

    Attributes:
        inputs: What `AudioEncoder.states` takes, [windows, ...].
        mask: What that takes too, [windows, frames], bool, True where sound is.
    """

    inputs: Tensor
    mask: Tensor

    @property
    def bytes(self) -> int:
        """Size in memory."""
        return sum(t.numel() * t.element_size() for t in (self.inputs, self.mask))


@dataclass
class Kept:
    """Windows in memory, of any number of parts of a data set and for one encoder.

    Attributes:
        windows: By the sound's id.
        bytes: Their size.
    """

    windows: dict[str, Windows] = field(default_factory=dict)
    bytes: int = 0

    def add(self, name: str, windows: Windows) -> None:
        """Keep windows where they fit."""
        if self.bytes + windows.bytes <= KEPT_BYTES:
            self.bytes += windows.bytes
            self.windows[name] = windows


def read_sound(sound: Sound) -> np.ndarray:
    """Read a sound, float32 [samples], 16 kHz, one channel.

    Raises:
        FileNotFoundError: It is not there.
        ValueError: It cannot be read, is too short, or is silent.
    """
    waveform = read_audio(sound.media)
    stop = None if sound.end_s is None else round(sound.end_s * RATE_HZ)
    waveform = waveform[round(sound.start_s * RATE_HZ) : stop]
    if len(waveform) < LEAST_S * RATE_HZ:
        raise ValueError(f"{sound.media} has {len(waveform) / RATE_HZ:.3f} s of sound; too short.")
    if np.abs(waveform).max() < SILENCE:
        raise ValueError(f"{sound.media} is silent.")
    return waveform


def cut_windows(waveform: np.ndarray, window_s: float) -> tuple[Tensor, Tensor]:
    """Cut a sound into windows one after the other; the last ends with the sound.

    Args:
        waveform: [samples].
        window_s: Seconds.

    Returns:
        [windows, samples], padded with zeros where the sound is shorter than one, and the real
        samples of each, [windows].
    """
    length = round(window_s * RATE_HZ)
    starts = window_starts(len(waveform), length)
    windows = torch.zeros(len(starts), length)
    for row, start in zip(windows, starts, strict=True):
        part = waveform[start : start + length]
        row[: len(part)] = torch.from_numpy(part)
    real = torch.full((len(starts),), min(length, len(waveform)))
    return windows, real


def window_starts(samples: int, length: int) -> list[int]:
    """Return where windows of a length begin in a sound, both in samples."""
    count = max(1, -(-samples // length))
    last = max(0, samples - length)
    return [min(number * length, last) for number in range(count)]


class SoundSource:
    """Sounds for one encoder.

    Args:
        sounds: Labelled.
        encoder: Prepares the windows.
        window_s: Their length.
        kept: Where some have been prepared for the same encoder; others are added.
    """

    def __init__(
        self,
        sounds: Sequence[Sound],
        encoder: AudioEncoder,
        window_s: float,
        kept: Kept | None = None,
    ):
        self.sounds = list(sounds)
        self.encoder = encoder
        self.window_s = window_s
        self.kept = kept or Kept()

    def __len__(self) -> int:
        return len(self.sounds)

    def windows(self, index: int) -> Windows:
        """Return the windows of a sound.

        Raises:
            FileNotFoundError: It is not there.
            ValueError: It cannot be read, or is silent.
        """
        sound = self.sounds[index]
        if sound.id in self.kept.windows:
            return self.kept.windows[sound.id]
        found = prepare_windows(read_sound(sound), self.encoder, self.window_s)
        self.kept.add(sound.id, found)
        return found

    def check(self, skip_bad: bool, progress: Progress | None = None) -> list[str]:
        """Read every sound once, and leave out those that cannot be used.

        Args:
            skip_bad: Whether to go on without them.
            progress: Called with the sounds done, and all.

        Returns:
            What is wrong with those that were left out.

        Raises:
            ValueError: There are some, and they are not to be skipped; or nothing is left.
        """
        good, wrong = [], []
        for index, sound in enumerate(self.sounds):
            try:
                self.windows(index)
                good.append(sound)
            except (ValueError, OSError) as error:
                wrong.append(str(error) or f"{sound.media} cannot be read.")
            if progress:
                progress(index + 1, len(self.sounds))
        if wrong and not (skip_bad and good):
            told = " ".join(wrong[:TOLD])
            raise ValueError(
                f"{len(wrong)} of {len(self.sounds)} sounds cannot be used: {told} Mend them, or "
                "leave them out with --skip-bad."
            )
        self.sounds = good
        return wrong


@torch.no_grad()
def prepare_windows(waveform: np.ndarray, encoder: AudioEncoder, window_s: float) -> Windows:
    """Cut a sound and compute what the encoder takes.

    Args:
        waveform: [samples], 16 kHz.
        encoder: With its front end.
        window_s: Length of the windows.
    """
    windows, real = cut_windows(waveform, window_s)
    inputs, mask = encoder.prepare(windows, real)
    return Windows(inputs, mask)
