"""Noise for training: recordings, other clips' voices and what is made by rule."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from data_prep.media.files import MEDIA, find_files
from data_prep.noise import Recordings, find_recordings, measure_power, mix
from data_prep.noise.mixing import cut
from data_prep.noise.recordings import VOICES, load_recording
from data_prep.noise.synthetic import MAKERS
from tasks.avsr.training.config import NoiseOptions
from tasks.avsr.training.distortions import (
    BENT_VOICE,
    bend_spectrum,
    drop_pauses,
    put_into_room,
    record_elsewhere,
)

FLUENT, FLUENT_CLIPS = 0.5, 3  # share of strange voices without pauses; clips that they are made of
CROWD = (15, 40)  # voices; of fewer each can be followed, as in babble
CROWD_DEPTH_DB = 15.0  # between its nearest and its farthest voice
CROWD_INDOORS = 0.7  # share


@dataclass(frozen=True)
class Noisy:
    """A clip with noise.

    Attributes:
        waveform: float32 [samples].
        speech: What of it is speech, float32 [samples].
        category: None where it is clean.
        snr_db: None where it is clean.
    """

    waveform: np.ndarray
    speech: np.ndarray
    category: str | None = None
    snr_db: float | None = None


class NoiseMaker:
    """Draws noise for clips.

    Args:
        options: What is heard.
        voices: Waveforms of the training clips.

    Raises:
        FileNotFoundError: A folder is not there.
        ValueError: A category has neither recordings nor a rule.
    """

    def __init__(self, options: NoiseOptions, voices: Sequence[np.ndarray]):
        self.options = options
        self.voices = voices
        empty = Recordings({})
        found = find_recordings(options.folder) if options.folder else empty
        self.recordings = found.without(options.leave_out)
        self.own = find_any(options.own, options.leave_out) if options.own else []
        if options.rooms and not Path(options.rooms).is_dir():
            raise FileNotFoundError(f"noise.rooms is {options.rooms}; expected a folder.")
        for category in () if self.own else options.categories:
            if category not in MAKERS and len(voices) < 8:
                raise ValueError(f"{category} needs 8 clips or more; there are {len(voices)}.")

    @cached_property
    def rooms(self) -> tuple[Path, ...]:
        """Impulse responses."""
        folder = self.options.rooms
        return tuple(find_files(folder, {".wav"}, deep=False)) if folder else ()

    def add(
        self, speech: np.ndarray, own: int, random: np.random.Generator, fresh: bool = True
    ) -> Noisy:
        """Add noise to a clip, or none.

        Args:
            speech: float32 [samples].
            own: Place of the clip among the voices, which is not mixed with itself; -1 for none.
            random: Draws.
            fresh: False never leaves a clip clean.
        """
        options = self.options
        speech = put_into_room(speech, self.rooms, options.room, random)
        if fresh and random.random() < options.clean:
            return Noisy(speech, speech)
        category = options.categories[int(random.integers(len(options.categories)))]
        snr_db = float(random.uniform(options.snr_low_db, options.snr_high_db))
        noise = self.draw(category, len(speech), own, random)
        for _ in range(20):  # a silent part of a recording is no noise
            if measure_power(noise, options.recipe) > 0:
                break
            noise = self.draw(category, len(speech), own, random)
        mixed = mix(speech, noise, snr_db, options.recipe)
        return Noisy(mixed.waveform, mixed.speech, category, snr_db)

    def at(self, speech: np.ndarray, category: str, snr_db: float, seed: Sequence[int]) -> Noisy:
        """Add noise of a category at a level, for measuring; no room."""
        random = np.random.default_rng(list(seed))
        noise = self.draw(category, len(speech), -1, random)
        mixed = mix(speech, noise, snr_db, self.options.recipe)
        return Noisy(mixed.waveform, mixed.speech, category, snr_db)

    def draw(
        self, category: str, samples: int, own: int, random: np.random.Generator
    ) -> np.ndarray:
        """Return noise of a category, float32 [samples]."""
        strange = bool(self.options.strange) and random.random() < self.options.strange
        noise = self._draw(category, samples, own, random, strange)
        return record_elsewhere(noise, category, self.rooms, random) if strange else noise

    def _draw(
        self, category: str, samples: int, own: int, random: np.random.Generator, strange: bool
    ) -> np.ndarray:
        if self.own:
            return self._part(self._pick(self.own, random), samples, random)
        if category in VOICES:
            count = int(random.integers(3, 9)) if category == "babble" else 1
            return self._voices(samples, count, own, random, strange)
        if category == "natural" and self.options.crowd and random.random() < self.options.crowd:
            return self._crowd(samples, own, random)
        files = self.recordings.files(category)
        if not files or random.random() < self.options.made:
            return MAKERS[category](samples, random)
        return self._part(self._pick(files, random), samples, random)

    @staticmethod
    def _pick(files: Sequence[Path], random: np.random.Generator) -> np.ndarray:
        return load_recording(files[int(random.integers(len(files)))])

    def _voices(
        self, samples: int, count: int, own: int, random: np.random.Generator, strange: bool
    ) -> np.ndarray:
        # A strange voice goes on for longer than a clip without pauses lasts.
        needed = FLUENT_CLIPS * count if strange else count
        others = [n for n in random.permutation(len(self.voices))[: needed + 1] if n != own]
        total = np.zeros(samples)
        for place in range(min(count, len(others))):
            voice = self.voices[others[place]]
            if strange and random.random() < FLUENT:
                clips = [self.voices[n] for n in others[place::count]]
                voice = np.concatenate([drop_pauses(clip) for clip in clips])
            voice = self._part(voice, samples, random)
            if strange and random.random() < BENT_VOICE:
                voice = bend_spectrum(voice, random)
            power = float(np.mean(np.square(voice, dtype=np.float64)))
            total += voice / np.sqrt(power) if power > 0 else 0
        return total.astype(np.float32)

    def _crowd(self, samples: int, own: int, random: np.random.Generator) -> np.ndarray:
        """Let many voices talk at once, near and far."""
        count = int(random.integers(CROWD[0], CROWD[1] + 1))
        total = np.zeros(samples)
        for place in random.permutation(len(self.voices))[:count]:
            voice = self.voices[place]
            fluent, bent = random.random(2) < (FLUENT, BENT_VOICE)
            voice = self._part(drop_pauses(voice) if fluent else voice, samples, random)
            voice = bend_spectrum(voice, random) if bent else voice
            power = float(np.mean(np.square(voice, dtype=np.float64)))
            gain = 10 ** (-random.uniform(0, CROWD_DEPTH_DB) / 20)
            if power > 0 and place != own:
                total += voice * gain / np.sqrt(power)
        return put_into_room(total.astype(np.float32), self.rooms, CROWD_INDOORS, random)

    def _part(self, recording: np.ndarray, samples: int, random: np.random.Generator) -> np.ndarray:
        """Cut a part out, at times at another pace, which also moves its pitch."""
        pace = 1.0
        if random.random() < self.options.changed:
            pace = float(np.exp(random.uniform(np.log(0.75), np.log(1.35))))
        needed = int(samples * pace) + 2
        offset = int(random.integers(len(recording)))
        part = cut(recording, needed, offset)
        if pace == 1.0:
            return part[:samples]
        return np.interp(np.arange(samples) * pace, np.arange(needed), part).astype(np.float32)


def find_any(folder: str, leave_out: Sequence[str] = ()) -> list[Path]:
    """Find the recordings of a folder, of whatever they are, sorted.

    Args:
        folder: They may lie deeper.
        leave_out: Names (stems) of those that are not wanted.

    Raises:
        FileNotFoundError: There are none.
    """
    found = find_files(folder, MEDIA) if Path(folder).is_dir() else []
    kept = sorted(path for path in found if path.stem not in leave_out)
    if not kept:
        raise FileNotFoundError(f"{folder} has no recordings; expected a folder with some.")
    return kept
