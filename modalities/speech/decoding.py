"""From one window of log-mel to timed segments, as Whisper's long-form decoding does it."""

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from modalities.rates import MEL_HOP_SAMPLES, WHISPER_WINDOW_SAMPLES
from modalities.speech.engine import Attempt, Engine, HeardWindow, Sampling
from modalities.speech.languages import ENGLISH, read_language
from modalities.speech.segments import FRAME_S, FRAMES_PER_TIMESTAMP, split_at_timestamps
from modalities.speech.timed_text import TimedText, WindowText, Word, shift
from modalities.speech.word_groups import time_words

FRAMES_PER_WINDOW = WHISPER_WINDOW_SAMPLES // MEL_HOP_SAMPLES  # 3000
# Bounds on what damaged sound can cost. English has 3 to 8 tokens a second, scripts that Whisper
# spells byte by byte have more.
ENGLISH_TOKENS_PER_S, TOKENS_PER_S, SPARE_TOKENS = 10, 20, 32
LEAST_ADVANCE = 100
Bad = Literal["sample", "drop", "keep"]


@dataclass(frozen=True)
class DecodingOptions:
    """How a window is decoded.

    Attributes:
        language: Code or name, see `modalities.speech.languages`; None asks the model.
        temperatures: Tried in turn while a result looks bad; the first one is greedy decoding.
        compression_threshold: A result that zlib shrinks more than this repeats itself.
        log_probability_threshold: A result whose mean log-probability is lower looks bad.
        no_speech_threshold: Such a result is dropped when silence is at least this probable.
        seed: Fixes what is drawn at temperatures above 0; greedy decoding does not need it.
        words: Whether to align words.
    """

    language: str | None = None
    temperatures: tuple[float, ...] = (0.0, 0.2, 0.4, 0.6, 0.8, 1.0)
    compression_threshold: float = 1.35
    log_probability_threshold: float = -1.0
    no_speech_threshold: float = 0.6
    seed: int = 0
    words: bool = True

    @property
    def sampling(self) -> Sampling:
        """What an engine is told of it."""
        return Sampling(
            self.temperatures[1:],
            self.compression_threshold,
            self.log_probability_threshold,
            self.seed,
        )


@dataclass(frozen=True)
class Begun:
    """A window that was heard, and may have been guessed at.

    Attributes:
        window: As the encoder heard it.
        prompt: The tokens before its text.
        limit: The most tokens of its text.
        guess: What its text may be, or nothing.
    """

    window: HeardWindow
    prompt: list[int]
    limit: int
    guess: list[int]


class WindowDecoder:
    """Decodes 30-second windows with a Whisper.

    Args:
        engine: What hears and writes.
        options: Thresholds, language, word times.

    Attributes:
        languages: How many windows were decoded in which language, by its code.

    Raises:
        ValueError: The language is unknown, or the model is English-only.
    """

    def __init__(self, engine: Engine, options: DecodingOptions = DecodingOptions()):  # noqa: B008
        self.engine = engine
        self.options = options
        self.vocabulary = engine.vocabulary
        self.languages: Counter[str] = Counter()
        if options.language is not None:
            code = read_language(options.language, tuple(self.vocabulary.languages), engine.name)
            self.options = replace(options, language=code)

    def decode(
        self, mel: np.ndarray, sound: int = FRAMES_PER_WINDOW, *, own_output: bool = False
    ) -> WindowText:
        """Decode a window to its end, seeking on by timestamps inside it.

        Args:
            mel: [mel_bins, 3000].
            sound: How many frames hold sound; nothing that begins after them is kept.
            own_output: Decode greedily alone and to the end of the padding, and keep all of it,
                as transformers' generate does by default.

        Returns:
            All segments of the window.
        """
        segments: list[TimedText] = []
        frames = FRAMES_PER_WINDOW if own_output else sound
        seek = 0
        while seek < frames:
            rest = cut(mel, seek, mel.shape[1])
            left = max(0, sound - seek)
            bad = "keep" if own_output else "sample"
            found = self.decode_once(rest, left, frames=frames - seek, bad=bad)
            segments += [shift(segment, seek * FRAME_S) for segment in found.segments]
            seek += max(1, round(found.next_s / FRAME_S))
        kept = (s for s in segments if own_output or s.start_s < sound * FRAME_S)
        return WindowText(tuple(kept), seek * FRAME_S)

    def decode_once(
        self,
        mel: np.ndarray,
        sound: int = FRAMES_PER_WINDOW,
        *,
        frames: int | None = None,
        bad: Bad = "sample",
        begun: Begun | None = None,
    ) -> WindowText:
        """Decode a window in one pass; `next_s` may lie before its end.

        Args:
            mel: [mel_bins, 3000].
            sound: How many frames hold sound; words are looked for there.
            frames: How many frames there are to decode; None takes `sound`.
            bad: What becomes of a result that looks bad. "sample": it is sampled anew, and dropped
                where it looks like silence too; "drop": it is dropped; "keep": every result is
                kept as it is.
            begun: What `begin_all` returned of this window; it is not read where `bad` is "keep".
        """
        frames = sound if frames is None else frames
        if bad == "keep":
            window = self.engine.hear(mel)
            prompt = self._prompt(window)
            attempt = window.write(prompt, None)
            return self._timed(attempt, window, prompt, sound, frames)
        begun = begun or self.begin_all([mel], [sound])[0]
        window, prompt, limit = begun.window, begun.prompt, begun.limit
        attempt = window.write(prompt, limit, begun.guess)
        dropped = bad == "drop" and self._is_bad(attempt)
        if self._is_bad(attempt) and not dropped and not self._is_silence(attempt):
            attempt = self._sample(window, prompt, limit, attempt)
        if dropped or self._is_silence(attempt):
            return WindowText((), frames * FRAME_S)
        found = self._timed(attempt, window, prompt, sound, frames)
        return replace(found, next_s=max(found.next_s, LEAST_ADVANCE * FRAME_S))

    def begin_all(self, mels: Sequence[np.ndarray], sounds: Sequence[int]) -> list[Begun]:
        """Hear windows, and guess at their texts side by side where that gains time.

        Args:
            mels: [mel_bins, 3000] each.
            sounds: How many frames of each hold sound.
        """
        rate = TOKENS_PER_S if self.vocabulary.languages else ENGLISH_TOKENS_PER_S
        limits = [SPARE_TOKENS + math.ceil(sound * FRAME_S * rate) for sound in sounds]
        windows = [self.engine.hear(mel) for mel in mels]
        prompts = [self._prompt(window) for window in windows]
        guesses = self.engine.guess_all(windows, prompts, limits)
        rows = zip(windows, prompts, limits, guesses, strict=True)
        return [Begun(*row) for row in rows]

    @property
    def language(self) -> str | None:
        """Code of the language that most windows so far were decoded in; None before the first."""
        return max(self.languages, key=lambda code: self.languages[code], default=None)

    def _prompt(self, window: HeardWindow) -> list[int]:
        code = self.options.language
        if code is None and self.vocabulary.languages:
            code = window.guess_language()
        self.languages[code or ENGLISH] += 1
        return self.vocabulary.prompt(code)

    def _sample(
        self, window: HeardWindow, prompt: list[int], limit: int, greedy: Attempt
    ) -> Attempt:
        """Try the higher temperatures, if there are any."""
        sampling = self.options.sampling
        if not sampling.temperatures:
            return greedy
        drawn = window.sample(prompt, limit, sampling)
        return replace(drawn, no_speech=greedy.no_speech)

    def _is_bad(self, attempt: Attempt) -> bool:
        return self.options.sampling.finds_bad(attempt, self.vocabulary.size)

    def _is_silence(self, attempt: Attempt) -> bool:
        return (
            attempt.no_speech > self.options.no_speech_threshold
            and attempt.log_probability < self.options.log_probability_threshold
        )

    def _timed(
        self, attempt: Attempt, window: HeardWindow, prompt: list[int], sound: int, frames: int
    ) -> WindowText:
        vocabulary = self.vocabulary
        spans, next_frame = split_at_timestamps(attempt.tokens, vocabulary.first_timestamp, frames)
        texts = [[t for t in span.tokens if t < vocabulary.end_of_text] for span in spans]
        words = self._align(window, prompt, texts, sound) if self.options.words else []
        segments = []
        for index, (span, text_tokens) in enumerate(zip(spans, texts, strict=True)):
            text = vocabulary.spell(text_tokens)
            if not text.strip():
                continue
            end_s = max(span.start_s, span.end_s)
            aligned = words[index] if words else ()
            aligned = tuple(_within(word, span.start_s, end_s) for word in aligned)
            sure = attempt.log_probability, attempt.no_speech
            segments.append(TimedText(span.start_s, end_s, text, aligned, *sure))
        return WindowText(tuple(segments), next_frame * FRAME_S)

    def _align(
        self, window: HeardWindow, prompt: list[int], texts: list[list[int]], sound: int
    ) -> list[tuple[Word, ...]]:
        """Give the words of each text; none where there is more text than can be aligned."""
        flat = [token for text in texts for token in text]
        room = self.engine.max_tokens - len(prompt) - 2  # no timestamps before, end of text after
        if not flat or len(flat) > room:
            return [() for _ in texts]
        times = window.token_times(prompt, flat, max(1, sound // FRAMES_PER_TIMESTAMP))
        language = self.vocabulary.language_of(prompt)
        return time_words(self.vocabulary.spell, texts, times, language)


def cut(mel: np.ndarray, start: int, stop: int) -> np.ndarray:
    """Take frames of a window and pad them to one: [mel_bins, 3000] -> [mel_bins, 3000]."""
    part = mel[:, start:stop]
    return np.pad(part, ((0, 0), (0, FRAMES_PER_WINDOW - part.shape[1])))


def _within(word: Word, start_s: float, end_s: float) -> Word:
    first = min(max(word.start_s, start_s), end_s)
    return Word(first, min(max(word.end_s, first), end_s), word.text)
