"""Labelled sounds as windows to mix: read once, cut at random, brought to levels."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from data_prep.datasets.sounds.catalog import SOUND_DATASETS
from data_prep.media import read_audio
from data_prep.sounds.labelled import Fold, Sound, folds_of
from data_prep.sounds.protocols import held_back, hold_out_speakers, k_folds, official
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
    """A sound that is mixed.

    Attributes:
        sound: The recording, or a stretch of one.
        data: Name of the entry of `data` that it is from.
    """

    sound: Sound
    data: str

    def apart_by(self, how: str) -> object:
        """Return what has to differ between the clips of a mixture; see `MixtureOptions.apart`."""
        if how == "data":
            return self.data
        return self.sound.label if how == "label" else (self.data, self.sound.id)


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
        return sorted({clip.sound.label for clip in self.clips})

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
                wrong.append(str(error) or f"{clip.sound.media} cannot be read.")
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
        found = _read(clip.sound, self.rate_hz)
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
        apart = len({clip.apart_by(how) for clip in self.clips})
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
        """
        drawn: list[Clip] = [] if first is None else [self.clips[first]]
        references, labels = [], []
        for _ in range(count):
            total = np.zeros(self.window, np.float32)
            for _ in range(int(random.integers(1, clips + 1))):
                used = len(labels)
                if used == len(drawn):
                    drawn.append(self._draw_apart(drawn, random))
                total += self._cut(self.read(drawn[used]), random)
                labels.append(drawn[used].sound.label)
            references.append(total)
        return np.stack(references), labels

    def _draw_apart(self, drawn: Sequence[Clip], random: np.random.Generator) -> Clip:
        how = self.options.apart
        taken = {clip.apart_by(how) for clip in drawn}
        for _ in range(TRIES):  # a list of those apart would take long with many clips
            clip = self.clips[int(random.integers(len(self.clips)))]
            if clip.apart_by(how) not in taken:
                return clip
        apart = [clip for clip in self.clips if clip.apart_by(how) not in taken]
        return apart[int(random.integers(len(apart)))]

    def _cut(self, sound: np.ndarray, random: np.random.Generator) -> np.ndarray:
        """Cut a window at random, or place a shorter sound in one, at the level that is drawn."""
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


def _read(sound: Sound, rate_hz: int) -> np.ndarray:
    import torch

    waveform = read_audio(sound.media)
    stop = None if sound.end_s is None else round(sound.end_s * RATE_HZ)
    waveform = waveform[round(sound.start_s * RATE_HZ) : stop]
    if not len(waveform) or np.abs(waveform).max() < SILENCE:
        raise ValueError(f"{sound.media} is silent.")
    return resample(torch.from_numpy(waveform), RATE_HZ, rate_hz).numpy()


def find_clips(data: Mapping[str, ClipOptions]) -> tuple[list[Clip], list[Clip]]:
    """Find the sounds of an experiment: those that train, and those that are measured.

    Raises:
        FileNotFoundError: There is no such folder.
        ValueError: It holds something else, or cannot be parted in this way.
    """
    trained, measured = [], []
    for name, options in data.items():
        fold = _part(SOUND_DATASETS[options.dataset](options.folder), options)
        trained += [Clip(sound, name) for sound in fold.train]
        measured += [Clip(sound, name) for sound in fold.validation or fold.test]
    return trained, measured


def _part(sounds: list[Sound], options: ClipOptions) -> Fold:
    if options.speakers:
        fold = hold_out_speakers(sounds, options.speakers, share=options.validation)
        return Fold(fold.train + fold.validation, (), fold.test)
    if all(not sound.fold for sound in sounds):
        return held_back(Fold(tuple(sounds), (), ()), options.validation, options.seed)
    if all(sound.fold.isdecimal() for sound in sounds):
        return k_folds(sounds, folds_of(sounds)[-1], "none")[0][1]
    return official(sounds, options.validation, options.seed)
