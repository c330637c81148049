"""What separation is worth to a recogniser: word errors of digits that are said in music."""

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

import numpy as np
import torch

from data_prep.datasets.sounds.fsdd import find_fsdd_sounds
from data_prep.media.audio import read_audio
from data_prep.mixtures.manifest import MixedSound, read_mixtures
from data_prep.mixtures.samples import load_sound
from data_prep.noise.mixing import cut, mix_sources
from modalities.audio_text.models import AudioText
from modalities.rates import RATE_HZ
from tasks.audio_to_image.separation.ranking import embed_sounds, name_sounds
from tasks.audio_to_image.separation.separator import Separator
from tasks.scoring.word_errors import WordErrors, count_errors

WORDS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
# Of an utterance: how many, and the silence around each. Whisper takes no sense of digits that are
# joined of single recordings, of this speaker two thirds are wrong without any music.
DIGITS, GAP_S = 1, 0.1
LEVEL_DB = 0.0  # of the music, relative to the speech where somebody speaks
Hear = Callable[[np.ndarray], str]


@dataclass(frozen=True)
class Utterance:
    """Digits that one speaker says, and the same in music.

    Attributes:
        text: Words, with spaces between.
        speech: float32 [samples], 16 kHz.
        mixture: float32 [samples], 16 kHz.
    """

    text: str
    speech: np.ndarray
    mixture: np.ndarray


def make_utterances(
    digits: Path, music: Path, speaker: str, count: int, seed: int = 0
) -> Iterator[Utterance]:
    """Yield utterances, the same for the same arguments.

    Args:
        digits: The Free Spoken Digit Dataset.
        music: A manifest of stretches, as `tools.cut_stretches` writes it; those of "test" are
            heard.
        speaker: Who speaks.
        count: Utterances.
        seed: Another number, other utterances.

    Raises:
        FileNotFoundError: One of them is not there.
        ValueError: There is no such speaker, or no music to test with.
    """
    said = [sound for sound in find_fsdd_sounds(digits) if sound.speaker == speaker]
    tunes = _join_stretches([row for row in read_mixtures(music) if row.fold == "test"])
    if not said or not tunes:
        raise ValueError(
            f"There are {len(said)} digits by {speaker} and {len(tunes)} pieces of music to test "
            "with; expected some of each."
        )
    silence = np.zeros(round(GAP_S * RATE_HZ), np.float32)
    for number in range(count):
        random = np.random.default_rng((seed, number))
        chosen = [said[int(n)] for n in random.choice(len(said), DIGITS, replace=False)]
        parts = [part for one in chosen for part in (silence, read_audio(one.media))]
        speech = np.concatenate([*parts, silence])
        tune = tunes[int(random.integers(len(tunes)))]
        start = int(random.integers(max(1, len(tune) - len(speech))))
        sounds = [speech, cut(tune[start:], len(speech))]
        mixture, parts = mix_sources(sounds, (0.0, LEVEL_DB), "active")
        yield Utterance(" ".join(WORDS[int(one.label)] for one in chosen), parts[0], mixture)


def _join_stretches(rows: Sequence[MixedSound]) -> list[np.ndarray]:
    """Return the sound of each recording whose stretches follow one another."""
    groups = groupby(rows, lambda row: row.media)
    return [np.concatenate([load_sound(row) for row in some]) for _, some in groups]


def take_talker(separator: Separator, mixture: np.ndarray) -> np.ndarray:
    """Return the sum of the sources that are named as digits, or the first source where none is.

    A separator may split a voice into several sources.

    Returns:
        float32 [samples], 16 kHz.

    Args:
        separator: At 16 kHz, with a model of sound and text that knows "0" to "9".
        mixture: float32 [samples], 16 kHz.
    """
    found = separator.separate(mixture, RATE_HZ)
    assert found.embeddings is not None and found.rate_hz == RATE_HZ
    names = [name for name, _ in separator.name_sources(found.embeddings)]
    speech = [n for n, name in enumerate(names) if name.isdecimal()] or [0]
    return found.sources[speech].sum(0)


def name_digit(audio_text: AudioText, waveform: np.ndarray) -> str:
    """Return the digit that a sound is likest, as a word.

    Args:
        audio_text: Knows "0" to "9".
        waveform: float32 [samples], 16 kHz.
    """
    sound = torch.from_numpy(np.ascontiguousarray(waveform))[None]
    digits = [str(number) for number in range(len(WORDS))]
    with torch.inference_mode():
        found = embed_sounds(audio_text, sound, RATE_HZ).cpu()
        ((name, _),) = name_sounds(audio_text, found, digits, "{label}")
    return WORDS[int(name)]


def count_word_errors(
    utterances: Sequence[Utterance], waveforms: Sequence[np.ndarray], hear: Hear
) -> WordErrors:
    """Count word errors, with figures taken for the words that they stand for.

    Args:
        utterances: What was said.
        waveforms: What is heard of each.
        hear: Recognises float32 [samples] at 16 kHz.
    """
    heard = [hear(waveform) for waveform in waveforms]
    return count_errors([one.text for one in utterances], heard, spell_digits)


def spell_digits(text: str) -> str:
    """Return a text in small letters, each figure as a word: "7, 2 and 10" is "seven two and ...".

    Whisper writes what it hears as words, as figures apart, or as one number.
    """
    spelled = re.sub(r"\d", lambda found: f" {WORDS[int(found[0])]} ", text.lower())
    return " ".join(re.findall(r"[a-z']+", spelled))
