"""Fit what tells the sets' own sentences, in voices nobody learnt, from all other speech."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor
from torchaudio.functional import resample

from data_prep.clips.samples import Sample
from fusion.scenarios.options import VerifierOptions
from fusion.scenarios.verification import Verifier, fit_verifier
from modalities.audio.full_scale import to_full_scale
from modalities.rates import PIECE_SAMPLES, RATE_HZ
from tasks.avsr.sets.evidence import Evidence, weigh
from tasks.avsr.sets.selector import Selector
from tasks.avsr.training.config import NoiseOptions
from tasks.avsr.training.noise_maker import NoiseMaker

PITCHES = ((6, 5), (9, 8), (1, 1), (8, 9), (7, 8))  # what a voice is raised by: others' voices
HOP = RATE_HZ // 2  # samples between the pieces of a recording
BATCH = 8
LOUDEST_DB = -12.0

Progress = Callable[[float, float | None], None]


@dataclass(frozen=True, eq=False)
class VerifierFitting:
    """Hears noisy windows of both kinds, and learns from those that the selector does not know.

    Attributes:
        training: Clips that the sets were trained on, whose voices are changed here.
        speech: Other speech, recordings at 16 kHz, float32 [samples] each; two or more.
        noise: What is heard besides.
        windows: How many windows of each kind are heard, 1 or more.
        options: What is measured of them, and from which probability on a text is accepted.
        seed: Fixes what is drawn.
    """

    training: Sequence[Sample]
    speech: Sequence[np.ndarray]
    noise: NoiseOptions
    windows: int
    options: VerifierOptions
    seed: int

    def fit(self, selector: Selector, progress: Progress | None = None) -> Verifier:
        """Fit.

        Args:
            selector: With a set that hears only, and what says which sound is known.
            progress: Called with the windows heard, and all.

        Raises:
            ValueError: The selector knows all windows of a kind, or has no set that hears only.
        """
        rows, said = [], []
        for start in range(0, 2 * self.windows, BATCH):
            numbers = range(start, min(start + BATCH, 2 * self.windows))
            found = self._weigh([self.draw(n) for n in numbers], selector)
            for number, row in zip(numbers, found, strict=True):
                if row is not None:
                    rows.append(row)
                    said.append(number % 2 == 0)
            if progress:
                progress(numbers[-1] + 1, 2 * self.windows)
        if not rows:
            raise ValueError("All windows are known to the selector; there is nothing to verify.")
        return fit_verifier(torch.stack(rows), torch.tensor(said), self.options)

    def draw(self, number: int) -> np.ndarray:
        """Return a noisy window, float32 [samples]; those of even numbers are the sets' own."""
        random = np.random.default_rng([self.seed + 23, number])
        options = replace(self.noise, snr_low_db=LOUDEST_DB)
        if number % 2 == 0:
            own = int(random.integers(len(self.training)))
            speech, recording = self.training[own].waveform, -1
        else:
            own, recording = -1, int(random.integers(len(self.speech)))
            whole = self.speech[recording]
            place = int(random.integers(max(1, len(whole) - PIECE_SAMPLES)))
            speech = whole[place : place + PIECE_SAMPLES + PIECE_SAMPLES // 4]
        old, new = PITCHES[int(random.integers(len(PITCHES)))]
        raised = resample(torch.from_numpy(speech), old, new).numpy()[:PIECE_SAMPLES]
        voices = self._voices(recording) if random.random() < 0.5 else self._own_voices
        maker = NoiseMaker(options, voices)
        return maker.add(raised, own if voices is self._own_voices else -1, random).waveform

    @property
    def _own_voices(self) -> list[np.ndarray]:
        return self.__dict__.setdefault("_kept", [sample.waveform for sample in self.training])

    def _voices(self, without: int) -> list[np.ndarray]:
        """Return pieces of all other recordings, which are voices in the noise."""
        return [
            whole[start : start + PIECE_SAMPLES]
            for number, whole in enumerate(self.speech)
            if number != without
            for start in range(0, len(whole) - PIECE_SAMPLES + 1, HOP)
        ]

    @torch.inference_mode()
    def _weigh(self, windows: Sequence[np.ndarray], selector: Selector) -> list[Tensor | None]:
        """Measure the signals of unknown windows; None for known ones."""
        if selector.listener is None:
            raise ValueError("Without a set that hears only there is no text to verify.")
        found: list[Tensor | None] = [None] * len(windows)
        levelled = [to_full_scale(window) for window in windows]
        heard = selector.listen(levelled)
        doubts = selector.doubts(heard)
        pairs = zip(selector.sound_distances(heard, doubts), selector.unsure(doubts), strict=True)
        rows = [
            row
            for row, (distance, unsure) in enumerate(pairs)
            if distance > selector.farthest or (unsure and self.options.least_known > 0)
        ]
        if rows:
            some = [levelled[row] for row in rows]
            others, signals = self.options.others, self.options.signals
            evidence = Evidence(selector.adapted, selector.listener, others, some)
            for row, measured in zip(rows, weigh(evidence, signals).cpu(), strict=True):
                found[row] = measured
        return found
