"""Sounds as windows to mix: read once, cut at random, brought to levels."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from data_prep.media import read_audio
from modalities.audio.resample import resample
from modalities.rates import RATE_HZ
from tasks.audio_to_image.separation.config import ClipOptions, MixtureOptions

KEPT_BYTES = 4_000_000_000  # of sounds in memory; others are read each time
SILENCE = 1e-4  # of full scale: no sample of a silent sound is above
EQUAL_RMS = 0.1  # of full scale
TRIES = 100  # draws of a clip that is apart from the others
TOLD = 5  # bad sounds that a message names


@dataclass(frozen=True)
class Clip:
    """A sound that is mixed: a recording, or a stretch of one.

    Attributes:
        id: Unique in its entry of `data`.
        media: The recording.
        labels: What sounds, one or more.
        data: Name of the entry of `data` that it is from.
        start_s: Where it starts in the recording.
        end_s: Where it ends; None: with the recording.
    """

    id: str
    media: str
    labels: tuple[str, ...]
    data: str
    start_s: float = 0.0
    end_s: float | None = None

    def apart_by(self, how: str) -> set[str]:
        """Return what no two clips of a mixture may share; see `MixtureOptions.apart`."""
        if how == "label":
            return set(self.labels)
        return {self.data if how == "data" else f"{self.data} {self.id}"}


class Clips:
    """Sounds of one rate, kept in memory while they fit.

    Args:
        clips: One or more, that can be mixed as the options ask.
        options: What is mixed.
        rate_hz: Samples per second.
        window: Samples of a mixture.
    """

    def __init__(self, clips: Sequence[Clip], options: MixtureOptions, rate_hz: int, window: int):
        self.clips, self.options = list(clips), options
        self.rate_hz, self.window = rate_hz, window
        self._kept: dict[Clip, np.ndarray] = {}
        self._bytes = 0

    def __len__(self) -> int:
        return len(self.clips)

    @property
    def labels(self) -> list[str]:
        """Labels that occur, sorted."""
        return sorted({label for clip in self.clips for label in clip.labels})

    @property
    def most_labels(self) -> int:
        """How many labels a clip has at most, 1 or more."""
        return max((len(clip.labels) for clip in self.clips), default=1)

    def check(self, data: Mapping[str, ClipOptions]) -> list[str]:
        """Read every sound once, and leave out those that cannot be used.

        Args:
            data: What is set of the entries that the sounds are from, whether to go on without
                those among it.

        Returns:
            What is wrong with those that were left out.

        Raises:
            ValueError: There are some, and they are not to be skipped; or nothing is left.
        """
        good, wrong, kept = [], [], True
        for clip in self.clips:
            try:
                self.read(clip)
                good.append(clip)
            except (ValueError, OSError) as error:
                wrong.append(str(error) or f"{clip.media} cannot be read.")
                kept &= data[clip.data].skip_bad
        if wrong and not (kept and good):
            raise ValueError(
                f"{len(wrong)} of {len(self.clips)} sounds cannot be used: "
                f"{' '.join(wrong[:TOLD])} Mend them, or leave them out with skip_bad."
            )
        self.clips = good
        return wrong

    def read(self, clip: Clip) -> np.ndarray:
        """Read a sound, float32 [samples], one channel.

        Raises:
            FileNotFoundError: It is not there.
            ValueError: It cannot be read, or is silent.
        """
        if clip in self._kept:
            return self._kept[clip]
        found = _read(clip, self.rate_hz)
        if self._bytes + found.nbytes <= KEPT_BYTES:
            self._bytes += found.nbytes
            self._kept[clip] = found
        return found

    def check_apart(self, count: int) -> None:
        """Raise where no mixture of so many clips can be drawn.

        Raises:
            ValueError: There are not so many clips apart from each other.
        """
        how = self.options.apart
        apart = len(set().union(*(clip.apart_by(how) for clip in self.clips)))
        if apart < count:
            raise ValueError(
                f"{len(self.clips)} sounds of {apart} different '{how}' cannot be mixed {count} at "
                "a time; expected as many, to train and to measure. Mix fewer, or set "
                "mixtures.apart to 'clip'."
            )

    def draw(
        self,
        count: int,
        random: np.random.Generator,
        first: int | None = None,
        clips: int = 1,
    ) -> tuple[np.ndarray, list[str]]:
        """Draw the references of a mixture.

        Args:
            count: How many there are.
            random: Draws.
            first: Number of a clip that is to be in the first; None draws it too.
            clips: How many clips are added up to one reference at most.

        Returns:
            float32 [count, samples] of a window each, and the labels of all clips in them.

        Raises:
            ValueError: Clips with many labels leave none that is apart from them.
        """
        drawn: list[Clip] = [] if first is None else [self.clips[first]]
        used, references, labels = 0, [], []
        for _ in range(count):
            total = np.zeros(self.window, np.float32)
            for _ in range(int(random.integers(1, clips + 1))):
                if used == len(drawn):
                    drawn.append(self._draw_apart(drawn, random))
                total += self._cut(self.read(drawn[used]), random)
                labels += drawn[used].labels
                used += 1
            references.append(total)
        return np.stack(references), labels

    def _draw_apart(self, drawn: Sequence[Clip], random: np.random.Generator) -> Clip:
        how = self.options.apart
        taken = set().union(*(clip.apart_by(how) for clip in drawn))
        for _ in range(TRIES):  # a list of those apart would take long with many clips
            clip = self.clips[int(random.integers(len(self.clips)))]
            if taken.isdisjoint(clip.apart_by(how)):
                return clip
        apart = [clip for clip in self.clips if taken.isdisjoint(clip.apart_by(how))]
        if not apart:
            raise ValueError(
                f"No clip is apart from {', '.join(sorted(taken))}; expected one to mix with. Mix "
                "fewer, or set mixtures.apart to 'clip'."
            )
        return apart[int(random.integers(len(apart)))]

    def _cut(self, sound: np.ndarray, random: np.random.Generator) -> np.ndarray:
        """Cut a window at random, or place a shorter sound in one, at the level that is drawn."""
        if self.options.speed > 1:
            sound = self._hasten(sound, random)
        spare = len(sound) - self.window
        place = int(random.integers(abs(spare) + 1))
        window = np.zeros(self.window, np.float32)
        if spare >= 0:
            window[:] = sound[place : place + self.window]
        else:
            window[place : place + len(sound)] = sound
        heard = window if spare >= 0 else sound
        gain = 10 ** (random.uniform(-1, 1) * self.options.gain_db / 20)
        if self.options.equal_levels:
            gain *= EQUAL_RMS / max(float(np.sqrt(np.mean(np.square(heard)))), SILENCE)
        return window * np.float32(gain)

    def _hasten(self, sound: np.ndarray, random: np.random.Generator) -> np.ndarray:
        """Play a sound, or as much of it as a window needs, faster or slower."""
        times = self.options.speed ** random.uniform(-1, 1)
        needed = round(self.window * times)
        if len(sound) > needed:
            start = int(random.integers(len(sound) - needed + 1))
            sound = sound[start : start + needed]
        places = np.arange(max(1, round(len(sound) / times))) * times
        # Straight lines between samples: what that does to the highest sounds, training can bear.
        return np.interp(places, np.arange(len(sound)), sound).astype(np.float32)


def _read(clip: Clip, rate_hz: int) -> np.ndarray:
    import torch

    recording = _decode(clip.media)
    stop = None if clip.end_s is None else round(clip.end_s * RATE_HZ)
    # A copy: a part of an array would keep all of it in memory.
    waveform = recording[round(clip.start_s * RATE_HZ) : stop].copy()
    if not len(waveform):
        raise ValueError(
            f"{clip.media} ends before {clip.start_s:g} s, where {clip.id} begins; expected a "
            "longer recording."
        )
    if np.abs(waveform).max() < SILENCE:
        raise ValueError(f"{clip.media} is silent.")
    return resample(torch.from_numpy(waveform), RATE_HZ, rate_hz).numpy()


@lru_cache(maxsize=1)
def _decode(media: str) -> np.ndarray:
    """Read a recording, whose stretches mostly come one after the other."""
    return read_audio(media)
