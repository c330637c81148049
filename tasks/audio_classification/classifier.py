"""Classify sounds of any length with a trained classifier."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from data_prep.media import describe_choice, stream_audio
from modalities.audio.resample import resample
from modalities.rates import RATE_HZ
from tasks.audio_classification.classifier_files import load_classifier
from tasks.audio_classification.windows import LEAST_S, SILENCE, prepare_windows, window_starts
from tasks.devices import find_device

BLOCK_WINDOWS = 16  # that are read and classified at once


@dataclass(frozen=True)
class Guess:
    """A class, and how likely it is.

    Attributes:
        label: Its name.
        probability: 0 to 1, calibrated where there were sounds to do that with.
    """

    label: str
    probability: float


@dataclass(frozen=True)
class Classified:
    """What a classifier says about a sound, or a window of it.

    Attributes:
        start_s: Where the window begins, seconds from the start of the sound.
        end_s: Where it ends, seconds from the start of the sound.
        guesses: The likeliest classes, likeliest first.
    """

    start_s: float
    end_s: float
    guesses: tuple[Guess, ...]

    @property
    def label(self) -> str:
        """The likeliest class."""
        return self.guesses[0].label


@dataclass(frozen=True)
class Classification:
    """What a classifier says about a sound.

    Attributes:
        whole: About all of it.
        windows: About each window.
    """

    whole: Classified
    windows: tuple[Classified, ...]


class SoundClassifier:
    """A trained classifier.

    Args:
        folder: That `mcgurk train` wrote.
        encoder: Another name or place of the frozen model that it was trained on.
        device: "auto", "cpu", "cuda" or "mps".

    Raises:
        FileNotFoundError: It is not there, or not whole.
        ValueError: It is damaged, was trained for another encoder, or there is no such device.
    """

    def __init__(self, folder: str | Path, encoder: str | None = None, device: str = "auto"):
        self.device = find_device(device)
        self.model, self.card = load_classifier(folder, encoder)
        self.model.to(self.device)

    @property
    def classes(self) -> tuple[str, ...]:
        """Names of the classes."""
        return self.card.classes

    def classify(
        self,
        sound: str | Path | np.ndarray,
        top: int = 3,
        rate_hz: int = RATE_HZ,
        audio_track: int | None = None,
    ) -> Classification:
        """Classify a sound.

        Args:
            sound: A media file, or a waveform [samples] of one channel.
            top: How many classes are told.
            rate_hz: Samples per second of a waveform, which is resampled; a file says its own.
            audio_track: Which sound track of a file with several, by the index that
                `data_prep.media.probe` lists; None: the main one.

        Returns:
            The sound's classes, by the mean of the windows' log-probabilities, and those of each
            window.

        Raises:
            FileNotFoundError: There is no such file.
            ValueError: It has no sound, cannot be read, is too short or silent.
        """
        if top < 1:
            raise ValueError(f"top is {top}; expected 1 or more.")
        spans: list[tuple[float, float]] = []
        found: list[torch.Tensor] = []
        loudest = 0.0
        for start_s, block in self._blocks(sound, rate_hz, audio_track):
            loudest = max(loudest, float(np.abs(block).max(initial=0)))
            if len(block) < LEAST_S * RATE_HZ:
                continue
            logits = self._logits(block)
            spans += self._spans(start_s, len(block))
            found.append(logits)
        if not found:
            raise ValueError(f"{_name(sound)} has too little sound; expected {LEAST_S} s or more.")
        if loudest < SILENCE:
            note = (
                None if isinstance(sound, np.ndarray) else describe_choice(sound, audio_track, True)
            )
            raise ValueError(f"{_name(sound)} is silent{f': {note}' if note else ''}.")
        logits = torch.cat(found)
        windows = [
            Classified(start, end, self._guess(row, top))
            for (start, end), row in zip(spans, logits, strict=True)
        ]
        whole = Classified(0.0, spans[-1][1], self._guess(logits.mean(0), top))
        return Classification(whole, tuple(windows))

    def _blocks(
        self, sound: str | Path | np.ndarray, rate_hz: int, audio_track: int | None
    ) -> Iterator[tuple[float, np.ndarray]]:
        """Yield whole windows with the time where they start, and the rest of the sound."""
        length = round(self.card.window_s * RATE_HZ)
        if isinstance(sound, np.ndarray):
            waveform = _checked(sound, rate_hz)
            pieces: Iterator[np.ndarray] = iter([waveform])
        else:
            pieces = stream_audio(sound, BLOCK_WINDOWS * length / RATE_HZ, audio_track)
        done = 0
        for piece in pieces:
            yield done / RATE_HZ, piece
            done += len(piece)

    @torch.no_grad()
    def _logits(self, waveform: np.ndarray) -> torch.Tensor:
        """Return calibrated log-probabilities of the windows, [windows, classes]."""
        windows = prepare_windows(waveform, self.model.encoder, self.card.window_s)
        rows = [
            self.model.logits({"inputs": inputs, "mask": mask})
            for inputs, mask in zip(
                windows.inputs.split(BLOCK_WINDOWS), windows.mask.split(BLOCK_WINDOWS), strict=True
            )
        ]
        return (torch.cat(rows) / self.card.temperature).log_softmax(-1).cpu()

    def _spans(self, start_s: float, samples: int) -> list[tuple[float, float]]:
        length = round(self.card.window_s * RATE_HZ)
        starts = [start_s + start / RATE_HZ for start in window_starts(samples, length)]
        return [(start, start + min(length, samples) / RATE_HZ) for start in starts]

    def _guess(self, logits: torch.Tensor, top: int) -> tuple[Guess, ...]:
        probabilities = logits.softmax(0)
        order = probabilities.argsort(descending=True)[:top].tolist()
        return tuple(Guess(self.classes[n], float(probabilities[n])) for n in order)


def _checked(waveform: np.ndarray, rate_hz: int) -> np.ndarray:
    if waveform.ndim != 1:
        raise ValueError(
            f"Waveform has shape {waveform.shape}; expected [samples] of one channel. Average the "
            "channels."
        )
    samples: Any = torch.from_numpy(np.ascontiguousarray(waveform, dtype=np.float32))
    return resample(samples, rate_hz, RATE_HZ).numpy()


def _name(sound: str | Path | np.ndarray) -> str:
    return "The waveform" if isinstance(sound, np.ndarray) else str(sound)
