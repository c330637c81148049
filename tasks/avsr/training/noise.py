"""Noise for training: recordings, other clips' voices and what is made by rule."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from data_prep.noise import Recordings, find_recordings, measure_power, mix, reverberate
from data_prep.noise.mixing import cut
from data_prep.noise.recordings import CATEGORIES, VOICES, load_recording
from data_prep.noise.synthetic import MAKERS, RATE_HZ

PIECE = RATE_HZ // 50  # 20 ms


@dataclass(frozen=True)
class NoiseOptions:
    """What is heard besides the speech.

    Attributes:
        folder: With recordings in folders "music" and "natural", and perhaps "voices"; empty for
            none.
        leave_out: Names (stems) of recordings that are kept for the test.
        rooms: Folder of impulse responses; empty for none.
        categories: That are drawn from, all alike.
        snr_low_db: Least signal-to-noise ratio.
        snr_high_db: Greatest; what is drawn in between is uniform.
        clean: Share of clips without noise.
        made: Share of music and natural noise that is made by rule.
        changed: Share of noise that is played faster or slower: other voices, other pieces.
        slowest: Of the paces that are drawn from.
        fastest: Likewise.
        fluent: Share of voices whose pauses are cut out, as of people who read or chat.
        coloured: Share of noise heard as over another microphone: a slope and broad peaks.
        room: Share of clips in a room.
        recipe: How power is measured.
    """

    folder: str = ""
    leave_out: tuple[str, ...] = ()
    rooms: str = ""
    categories: tuple[str, ...] = CATEGORIES
    snr_low_db: float = -12
    snr_high_db: float = 15
    clean: float = 0.1
    made: float = 0.4
    changed: float = 0.5
    slowest: float = 0.75
    fastest: float = 1.35
    fluent: float = 0.0
    coloured: float = 0.0
    room: float = 0.1
    recipe: str = "rms"

    def __post_init__(self):
        unknown = set(self.categories) - set(CATEGORIES)
        if unknown or not self.categories:
            raise ValueError(
                f"noise.categories is {tuple(self.categories)}; expected some of "
                f"{', '.join(CATEGORIES)}."
            )
        if not self.snr_low_db <= self.snr_high_db:
            raise ValueError(
                f"noise.snr_low_db is {self.snr_low_db}, above snr_high_db {self.snr_high_db}."
            )
        if not 0 < self.slowest <= self.fastest:
            raise ValueError(
                f"noise.slowest is {self.slowest} and fastest {self.fastest}; expected numbers "
                "above 0, the greater one last."
            )


@dataclass(frozen=True)
class Noisy:
    """A clip with noise.

    Attributes:
        waveform: float32 [samples].
        speech: Of it the speech, float32 [samples].
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
        if options.rooms and not Path(options.rooms).is_dir():
            raise FileNotFoundError(f"noise.rooms is {options.rooms}; expected a folder.")
        for category in options.categories:
            if category not in MAKERS and len(voices) < 8:
                raise ValueError(f"{category} needs 8 clips or more; there are {len(voices)}.")

    @cached_property
    def rooms(self) -> tuple[Path, ...]:
        """Impulse responses."""
        folder = self.options.rooms
        return tuple(sorted(Path(folder).glob("*.wav"))) if folder else ()

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
        if self.rooms and random.random() < options.room:
            response = load_recording(self.rooms[int(random.integers(len(self.rooms)))])
            speech = reverberate(speech, response)
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
        noise = self._draw(category, samples, own, random)
        share = self.options.coloured
        return colour(noise, random) if share and random.random() < share else noise

    def _draw(
        self, category: str, samples: int, own: int, random: np.random.Generator
    ) -> np.ndarray:
        if category in VOICES:
            count = int(random.integers(3, 9)) if category == "babble" else 1
            return self._voices(samples, count, own, random)
        files = self.recordings.files(category)
        if not files or random.random() < self.options.made:
            return MAKERS[category](samples, random)
        recording = load_recording(files[int(random.integers(len(files)))])
        return self._part(recording, samples, random)

    def _voices(
        self, samples: int, count: int, own: int, random: np.random.Generator
    ) -> np.ndarray:
        others = [n for n in random.permutation(len(self.voices))[: count + 1] if n != own]
        total = np.zeros(samples)
        for number in others[:count]:
            voice = self.voices[number]
            if self.options.fluent and random.random() < self.options.fluent:
                more = self.voices[int(random.integers(len(self.voices)))]
                voice = np.concatenate([cut_pauses(voice), cut_pauses(more)])
            voice = self._part(voice, samples, random)
            power = float(np.mean(np.square(voice, dtype=np.float64)))
            total += voice / np.sqrt(power) if power > 0 else 0
        return total.astype(np.float32)

    def _part(self, recording: np.ndarray, samples: int, random: np.random.Generator) -> np.ndarray:
        """Cut a part out, at times at another pace, which also moves its pitch."""
        pace = 1.0
        if random.random() < self.options.changed:
            span = np.log(self.options.slowest), np.log(self.options.fastest)
            pace = float(np.exp(random.uniform(*span)))
        needed = int(samples * pace) + 2
        offset = int(random.integers(len(recording)))
        part = cut(recording, needed, offset)
        if pace == 1.0:
            return part[:samples]
        return np.interp(np.arange(samples) * pace, np.arange(needed), part).astype(np.float32)


def cut_pauses(voice: np.ndarray) -> np.ndarray:
    """Leave out what is 25 dB or more below the loudest 20 ms; all of it where nothing is left."""
    count = len(voice) // PIECE
    pieces = voice[: count * PIECE].reshape(count, PIECE)
    power = np.square(pieces, dtype=np.float64).mean(1)
    kept = pieces[power > power.max(initial=0.0) * 10**-2.5]
    return kept.ravel() if len(kept) else voice


def colour(noise: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """Filter noise as another microphone and room would: a slope, two broad peaks or dips."""
    spectrum = np.fft.rfft(noise)
    octaves = np.log2(np.fft.rfftfreq(len(noise), 1 / RATE_HZ) / 1000 + 0.05)
    gain_db = random.uniform(-4, 4) * octaves
    for _ in range(2):
        place, width = random.uniform(-3, 3), random.uniform(0.3, 1.5)
        gain_db += random.uniform(-9, 9) * np.exp(-(((octaves - place) / width) ** 2))
    if random.random() < 0.3:  # a narrow line
        gain_db -= 40 * (octaves > np.log2(random.uniform(3, 7)))
    return np.fft.irfft(spectrum * 10 ** (gain_db / 20), len(noise)).astype(np.float32)
