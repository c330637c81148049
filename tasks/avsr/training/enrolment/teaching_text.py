"""What clean clips teach: what is written beside them, or which of two models is believed."""

from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from data_prep.clips.manifest import Clip
from modalities.audio.full_scale import to_full_scale
from modalities.rates import MEL_HOP_SAMPLES, RATE_HZ
from modalities.speech.timed_text import Word
from modalities.speech.word_times import WordAligner
from tasks.avsr.sets.adapted_whisper import AdaptedWhisper, Said
from tasks.avsr.sets.set_recogniser import PLAIN_TOKENS, SetRecogniser
from tasks.avsr.training.targets import IGNORED
from tasks.scoring.normalisers import split_words

SURE = -0.25  # log-probability of a token that a set writes of sound like its training data
SURE_ALONE = -0.5  # that of the frozen model, whose text nothing confirms
EXPLAINS = 4.0  # by how much a set's text may be less likely to the frozen model than its own
FROZEN, SET, WRITTEN = "frozen", "set", "written"
# Seconds by which the attention's word starts lie behind those of GRID's alignments: the median
# over the validation clips of talker 1.
LATE_S = 0.07
QUIET_DB = 30.0  # so far below the loudest frame nobody speaks
FRAME = 160  # samples of 10 ms


@dataclass(frozen=True)
class Taught:
    """A text for a clip.

    Attributes:
        text: What is said; "" where nobody can be believed.
        words: With their times.
        source: "written" beside the clip, heard by the "set" or the "frozen" model; "" of no text.
    """

    text: str = ""
    words: tuple[Word, ...] = ()
    source: str = ""


class TeachingText:
    """Finds the texts of clean clips.

    Args:
        recogniser: A frozen Whisper with a collection; its set that hears only is asked too, where
            there is one.
    """

    def __init__(self, recogniser: SetRecogniser):
        self.recogniser = recogniser
        self.adapted: AdaptedWhisper = recogniser.adapted
        self.listener = recogniser.collection.listener
        self.aligner = WordAligner(self.adapted.whisper, self.adapted.steps)

    @torch.inference_mode()
    def teach(self, clips: Sequence[Clip], waveforms: Sequence[np.ndarray]) -> list[Taught]:
        """Find what is said in clips, and when.

        Args:
            clips: Those with a text keep it, and those with word times keep these.
            waveforms: Their sound, float32 [samples] of at most 3.2 s each.
        """
        waves = [to_full_scale(waveform) for waveform in waveforms]
        found = [Taught(clip.text or "", clip.words, WRITTEN) for clip in clips]
        unwritten = [row for row, clip in enumerate(clips) if clip.text is None]
        if unwritten:
            heard = self._hear([waves[row] for row in unwritten])
            for row, (text, source) in zip(unwritten, heard, strict=True):
                found[row] = replace(found[row], text=text, source=source)
        missing = [row for row, one in enumerate(found) if one.text and not one.words]
        if missing:
            times = self._align([found[row].text for row in missing], [waves[r] for r in missing])
            for row, words in zip(missing, times, strict=True):
                found[row] = replace(found[row], words=tighten(words, waves[row]))
        return [one if one.text else Taught() for one in found]

    def _hear(self, waves: Sequence[np.ndarray]) -> list[tuple[str, str]]:
        """Return the text of each clip, and who is believed; empty where nobody is."""
        states, frozen = self._hear_frozen(waves)
        plain = [self.adapted.spell(said) for said in frozen]
        if self.listener is None:
            sure = [said.log_probability >= SURE_ALONE for said in frozen]
            return [
                (text, FROZEN) if good else ("", "") for text, good in zip(plain, sure, strict=True)
            ]
        heard = self._hear_set(waves)
        own = [self.adapted.spell(said) for said in heard]
        scores = self._score(states, heard)
        found = []
        for row, text in enumerate(own):
            sure = frozen[row].log_probability, heard[row].log_probability
            source = believe(plain[row], text, *sure, scores[row])
            found.append(({SET: text, FROZEN: plain[row]}.get(source, ""), source))
        return found

    def _hear_frozen(self, waves: Sequence[np.ndarray]) -> tuple[Tensor, list[Said]]:
        adapted = self.adapted
        log_mel = adapted.log_mel
        tensors = [torch.from_numpy(wave)[None].to(self.recogniser.device) for wave in waves]
        with adapted.plain():
            mel = torch.cat([log_mel(log_mel.pad(tensor)) for tensor in tensors])
            states = adapted.encoder(mel).values
            return states, adapted.decode(states, PLAIN_TOKENS)

    def _hear_set(self, waves: Sequence[np.ndarray]) -> list[Said]:
        with self._listening():
            return self.adapted.decode(self._encode(waves))

    def _encode(self, waves: Sequence[np.ndarray]) -> Tensor:
        """Return the states of windows of 3.2 s, with what is switched on."""
        return self.adapted.encoder(self.adapted.hear(waves)).values

    def _listening(self) -> AbstractContextManager[None]:
        """Switch the set that hears only on, or all sets off where there is none."""
        adapted = self.adapted
        return adapted.using(self.listener) if self.listener else adapted.plain()

    def _score(self, states: Tensor, said: Sequence[Said]) -> list[float]:
        """Return how likely the frozen model finds texts, mean log-probability of a token."""
        with self.adapted.plain():
            return score_tokens(self.adapted, states, [one.tokens for one in said])

    def _align(self, texts: Sequence[str], waves: Sequence[np.ndarray]) -> list[tuple[Word, ...]]:
        """Find when the words of texts are said."""
        adapted = self.adapted
        encode = adapted.whisper.tokenizer.encode
        tokens = [encode(f" {text.strip()}", add_special_tokens=False) for text in texts]
        frames = [len(wave) // MEL_HOP_SAMPLES for wave in waves]
        with self._listening():
            state = adapted.steps.start(self._encode(waves))
            return self.aligner.align_all(state, adapted.prompt[:-1], tokens, frames)


def believe(frozen: str, heard: str, frozen_sure: float, set_sure: float, explains: float) -> str:
    """Say whose text of a clean clip is believed.

    Args:
        frozen: What the frozen model hears.
        heard: What the set hears.
        frozen_sure: Mean log-probability of a token of the frozen model's text.
        set_sure: Mean log-probability of a token of the set's text, by the set.
        explains: Mean log-probability of a token of the set's text, by the frozen model.

    Returns:
        "set", "frozen", or "" for neither. Where both hear the same words, the frozen model, which
        writes punctuation; a set's own text only where it is sure of it and the frozen model finds
        it no nonsense.
    """
    if split_words(frozen) == split_words(heard):
        return FROZEN if frozen.strip() else ""
    if set_sure >= SURE and explains >= frozen_sure - EXPLAINS:
        return SET
    return FROZEN if frozen_sure >= SURE_ALONE else ""


def tighten(words: Sequence[Word], waveform: np.ndarray) -> tuple[Word, ...]:
    """Move word times that attention found to where clean sound is.

    Words follow each other; the first begins no earlier than the sound, and the last ends with it.

    Args:
        words: In order, seconds from the start of the sound.
        waveform: float32 [samples], 16 kHz.
    """
    if not words:
        return ()
    # Differences let rumble go, which is no speech.
    steps = np.diff(waveform, prepend=waveform[:1])
    frames = steps[: len(steps) // FRAME * FRAME].reshape(-1, FRAME)
    levels = 10 * np.log10(np.square(frames, dtype=np.float64).mean(1) + 1e-12)
    heard = np.flatnonzero(levels > levels.max(initial=-120.0) - QUIET_DB)
    begin_s, end_s = float(heard[0]) * FRAME / RATE_HZ, float(heard[-1] + 1) * FRAME / RATE_HZ
    starts = [max(begin_s, word.start_s - LATE_S) for word in words]
    ends = [*starts[1:], max(end_s, starts[-1])]
    return tuple(
        Word(start, max(start, end), word.text.strip())
        for start, end, word in zip(starts, ends, words, strict=True)
    )


def score_tokens(
    adapted: AdaptedWhisper, states: Tensor, texts: Sequence[Sequence[int]]
) -> list[float]:
    """Return the mean log-probability of texts' tokens and their ends, with what is switched on.

    Args:
        adapted: Its decoder reads the states.
        states: [batch, states, dim].
        texts: Tokens of each row, without prompt and end.
    """
    rows = [[*adapted.prompt, *text, adapted.end] for text in texts]
    longest = max(map(len, rows))
    padded = torch.tensor([row + [IGNORED] * (longest - len(row)) for row in rows])
    padded = padded.to(states.device)
    logits = adapted.read(states, padded[:, :-1].masked_fill(padded[:, :-1] < 0, adapted.end))
    targets = padded[:, 1:].clone()
    targets[:, : len(adapted.prompt) - 1] = IGNORED
    counted = targets != IGNORED
    each = logits.log_softmax(-1).gather(2, targets.clamp_min(0)[..., None])[..., 0]
    return ((each * counted).sum(1) / counted.sum(1)).tolist()
