"""Recognise a batch of windows, each with an adapter set of its own."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import torch
from torch import nn

from fusion.audio_visual.agreement import Agreement
from fusion.audio_visual.by_row import RowFusion
from fusion.methods.catalog import find_method
from fusion.serving.loaded_sets import LoadedSets
from modalities.audio.full_scale import to_full_scale
from modalities.rates import MEL_HOP_SAMPLES
from modalities.speech.covering import shorten
from modalities.speech.timed_text import Word
from modalities.speech.word_times import WordAligner
from tasks.avsr.sets.adapted_whisper import AdaptedWhisper, Said, Sight
from tasks.avsr.sets.collection import Collection
from tasks.avsr.sets.contract import Recognised, Utterance


class RowReader:
    """Reads windows with sets that are on the model.

    Args:
        adapted: With the sets on it.
        sets: Gives the sets, and the model for as long as a batch runs.
        collection: Says how well lips and sound must agree, and which set stands in.
    """

    def __init__(self, adapted: AdaptedWhisper, sets: LoadedSets, collection: Collection):
        self.adapted, self.sets, self.collection = adapted, sets, collection
        self.aligner = WordAligner(adapted.whisper, adapted.steps)

    def stand_in(self, name: str) -> str:
        """Return the set that takes over from one where there are no lips to go by."""
        return self.collection.listener or name

    def read(
        self,
        utterances: Sequence[Utterance],
        names: Sequence[str],
        sight: Sight | None,
        words: bool = True,
    ) -> list[Recognised]:
        """Recognise a batch, and those whose lips do not belong to the sound once more, without.

        Args:
            utterances: Windows of at most 3.2 s.
            names: The set of each.
            sight: What is seen; None where nothing is.
            words: Whether to say when each word is said.

        Raises:
            ValueError: An utterance is longer than a window.
        """
        found, trusted = self._read_once(utterances, names, sight, words)
        others = [self.stand_in(name) for name in names]
        left = [n for n, good in enumerate(trusted) if not good and others[n] != names[n]]
        if left:
            some = [utterances[n] for n in left]
            again, _ = self._read_once(some, [others[n] for n in left], None, words)
            for n, row in zip(left, again, strict=True):
                found[n] = replace(row, agreement=found[n].agreement)
        return found

    def _read_once(
        self,
        utterances: Sequence[Utterance],
        names: Sequence[str],
        sight: Sight | None,
        words: bool,
    ) -> tuple[list[Recognised], list[bool]]:
        """Recognise a batch; say also whose lips, where they were read, belong to the sound."""
        shown = [False] * len(names) if sight is None else sight.mask.any(1).tolist()
        with self.sets.held(names) as held, self.sets.turn():
            if not self._can_mix([one.adapter for one in held]):
                return self._read_apart(utterances, names, sight, words)
            pairs = zip(held, shown, strict=True)
            fusions = [one.fusion if here else None for one, here in pairs]
            adapters = [one.adapter for one in held]
            said, times, agreement = self._decode(utterances, adapters, sight, fusions, words)
        scores, agree = self._judge(agreement, len(names))
        seen = [fusion is not None for fusion in fusions]
        columns = zip(names, said, times, seen, scores, strict=True)
        rows = [
            Recognised(
                adapter_set=name,
                text=self.adapted.spell(row),
                words=shorten(own),
                agreement=score if sees else None,
                video_used=sees,
                log_probability=row.log_probability,
            )
            for name, row, own, sees, score in columns
        ]
        return rows, [good or not sees for good, sees in zip(agree, seen, strict=True)]

    def _can_mix(self, adapters: Sequence[str]) -> bool:
        """Tell whether rows of a batch may have these adapters, each its own."""
        own = set(adapters)
        parts = [part for name in own for part in self.adapted.adapters.parts(name)]
        return len(own) == 1 or all(find_method(part.method).per_sample for part in parts)

    def _read_apart(
        self,
        utterances: Sequence[Utterance],
        names: Sequence[str],
        sight: Sight | None,
        words: bool,
    ) -> tuple[list[Recognised], list[bool]]:
        """Recognise the windows of each set by themselves, as `_read_once` does all."""
        found: dict[int, tuple[Recognised, bool]] = {}
        for name in dict.fromkeys(names):
            rows = [row for row, one in enumerate(names) if one == name]
            some, seen = [utterances[row] for row in rows], sight and sight.take(rows)
            read = self._read_once(some, [name] * len(rows), seen, words)
            found.update(zip(rows, zip(*read, strict=True), strict=True))
        return [found[row][0] for row in range(len(names))], [
            found[row][1] for row in range(len(names))
        ]

    def _decode(
        self,
        utterances: Sequence[Utterance],
        adapters: Sequence[str],
        sight: Sight | None,
        fusions: Sequence[nn.Module | None],
        words: bool,
    ) -> tuple[list[Said], list[tuple[Word, ...]], Agreement | None]:
        adapted, waveforms = self.adapted, level_all(utterances)
        fusion = RowFusion(fusions) if any(fusions) else None
        with adapted.using(*adapters):
            states, agreement = adapted.encode(adapted.hear(waveforms), sight, fusion)
            state = adapted.steps.start(states)
            said = adapted.decode_from(state, len(adapters))
            times: list[tuple[Word, ...]] = [()] * len(adapters)
            if words:
                frames = [len(waveform) // MEL_HOP_SAMPLES for waveform in waveforms]
                tokens = [row.tokens for row in said]
                times = self.aligner.align_all(state, adapted.prompt[:-1], tokens, frames)
        return said, times, agreement

    def _judge(self, agreement: Agreement | None, batch: int) -> tuple[list[float], list[bool]]:
        """Return the probability that lips and sound belong together, and if that is enough."""
        if agreement is None:
            return [0.0] * batch, [True] * batch
        loud, quiet = self.collection.least_agreement, self.collection.least_in_quiet
        least = torch.where(agreement.snr_db.mean(1) < 0, loud, quiet)
        scores = agreement.score.sigmoid()
        return scores.tolist(), (scores >= least).tolist()


def level_all(utterances: Sequence[Utterance]) -> list[np.ndarray]:
    """Return the sound of utterances at one level: sets and selector heard no other."""
    return [to_full_scale(utterance.waveform) for utterance in utterances]
