"""From one window of log-mel to timed segments, as Whisper's long-form decoding does it."""

import math
import zlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import torch
from torch import Tensor
from torch.nn.functional import pad

from modalities.rates import MEL_HOP_SAMPLES, WHISPER_WINDOW_SAMPLES
from modalities.speech.constraints import TokenConstraints
from modalities.speech.languages import read_language
from modalities.speech.segments import FRAME_S, split_at_timestamps
from modalities.speech.step_decoder import StepDecoder, StepState, is_plain, lay_out_for_steps
from modalities.speech.timed_text import TimedText, WindowText, Word, shift
from modalities.speech.whisper import Whisper
from modalities.speech.word_times import WordAligner

FRAMES_PER_WINDOW = WHISPER_WINDOW_SAMPLES // MEL_HOP_SAMPLES  # 3000
# Bounds on what damaged sound can cost. English has 3 to 8 tokens a second, scripts that Whisper
# spells byte by byte have more; a decoder that has said the same few tokens over and over goes on
# doing so.
ENGLISH_TOKENS_PER_S, TOKENS_PER_S, SPARE_TOKENS = 10, 20, 32
LONGEST_CYCLE, CYCLES = 20, 5
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


@dataclass(frozen=True)
class _Attempt:
    tokens: list[int]  # after the prompt, without the end of text
    log_probability: float  # mean over the tokens and the end of text
    no_speech: float


class WindowDecoder:
    """Decodes 30-second windows with a Whisper.

    Args:
        whisper: The model; its decoder's matrices are laid out anew, values unchanged.
        options: Thresholds, language, word times.

    Raises:
        ValueError: The language is unknown, or the model is English-only.
    """

    def __init__(self, whisper: Whisper, options: DecodingOptions = DecodingOptions()):  # noqa: B008
        self.whisper = whisper
        self.options = options
        self.model = whisper.model
        config = self.model.generation_config
        lay_out_for_steps(self.model)
        self.steps = StepDecoder(self.model)
        self.constraints = TokenConstraints(config, self.model.device)
        self.aligner = WordAligner(whisper, self.steps)
        self.language_ids: dict[str, int] = getattr(config, "lang_to_id", None) or {}
        self.start_of_text: int = self.model.config.decoder_start_token_id
        if options.language is not None:
            codes = [token.strip("<|>") for token in self.language_ids]
            code = read_language(options.language, codes, whisper.name)
            self.options = replace(options, language=code)

    @torch.inference_mode()
    def encode(self, mel: Tensor) -> Tensor:
        """Run the frozen encoder.

        Args:
            mel: [mel_bins, 3000].

        Returns:
            [1, 1500, dim].
        """
        return self.model.model.encoder(mel[None]).last_hidden_state

    @torch.inference_mode()
    def decode(
        self, mel: Tensor, sound: int = FRAMES_PER_WINDOW, *, own_output: bool = False
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
            rest = pad(mel[:, seek:], (0, seek)) if seek else mel
            left = max(0, sound - seek)
            bad = "keep" if own_output else "sample"
            found = self.decode_once(rest, left, frames=frames - seek, bad=bad)
            segments += [shift(segment, seek * FRAME_S) for segment in found.segments]
            seek += max(1, round(found.next_s / FRAME_S))
        kept = (s for s in segments if own_output or s.start_s < sound * FRAME_S)
        return WindowText(tuple(kept), seek * FRAME_S)

    @torch.inference_mode()
    def decode_once(
        self,
        mel: Tensor,
        sound: int = FRAMES_PER_WINDOW,
        *,
        frames: int | None = None,
        bad: Bad = "sample",
    ) -> WindowText:
        """Decode a window in one pass; `next_s` may lie before its end.

        Args:
            mel: [mel_bins, 3000].
            sound: How many frames hold sound; words are looked for there.
            frames: How many frames there are to decode; None takes `sound`.
            bad: What becomes of a result that looks bad. "sample": it is sampled anew, and dropped
                where it looks like silence too; "drop": it is dropped; "keep": every result is
                kept as it is.
        """
        frames = sound if frames is None else frames
        states = self.encode(mel)
        state = self.steps.start(states)
        prompt = self._prompt(state)
        if bad == "keep":
            attempt = self._greedy(state, prompt, self.steps.max_tokens)
            return self._timed(attempt.tokens, state, prompt, sound, frames)
        rate = TOKENS_PER_S if self.language_ids else ENGLISH_TOKENS_PER_S
        limit = SPARE_TOKENS + math.ceil(sound * FRAME_S * rate)
        attempt = self._greedy(state, prompt, limit)
        dropped = bad == "drop" and self._is_bad(attempt)
        if self._is_bad(attempt) and not dropped and not self._is_silence(attempt):
            attempt = self._sample(mel, attempt, limit) or attempt
        if dropped or self._is_silence(attempt):
            return WindowText((), frames * FRAME_S)
        found = self._timed(attempt.tokens, state, prompt, sound, frames)
        return replace(found, next_s=max(found.next_s, LEAST_ADVANCE * FRAME_S))

    def _prompt(self, state: StepState) -> list[int]:
        if not self.language_ids:
            return [self.start_of_text]
        task = self.model.generation_config.task_to_id["transcribe"]  # type: ignore[attr-defined]
        return [self.start_of_text, self._language_id(state), task]

    def _language_id(self, state: StepState) -> int:
        if self.options.language is not None:
            return self.language_ids[f"<|{self.options.language}|>"]
        hidden = self.steps.read(self.steps.restart(state), self._row([self.start_of_text]))
        choices = torch.tensor(list(self.language_ids.values()), device=hidden.device)
        return int(choices[self.steps.logits(hidden[0, -1])[choices].argmax()])

    def _row(self, tokens: Sequence[int]) -> Tensor:
        return torch.tensor([list(tokens)], device=self.model.device)

    def _greedy(self, state: StepState, prompt: list[int], limit: int) -> _Attempt:
        if not is_plain(self.model):
            raise ValueError(
                "The decoder's blocks were replaced; expected transformers' WhisperDecoderLayer. "
                "Adapters must wrap linear layers."
            )
        state = self.steps.restart(state)
        hidden = self.steps.read(state, self._row(prompt))
        no_speech_id = self.constraints.first_timestamp - 2
        no_speech = float(self.steps.logits(hidden[0, 0]).softmax(0)[no_speech_id])
        said: list[int] = []
        total = 0.0
        while True:
            logits = self.constraints.apply(self.steps.logits(hidden[0, -1]), said)
            best, index = logits.max(0)
            token = int(index)
            total += float(best - logits.logsumexp(0))
            if token == self.constraints.end_of_text:
                return _Attempt(said, total / (len(said) + 1), no_speech)
            said.append(token)
            full = state.tokens == self.steps.max_tokens
            if full or len(said) >= limit or (limit < self.steps.max_tokens and _cycles(said)):
                return _Attempt(said, total / len(said), no_speech)
            hidden = self.steps.read(state, self._row([token]))

    def _is_bad(self, attempt: _Attempt) -> bool:
        ratio = _compression(attempt.tokens, self.model.config.vocab_size)
        return (
            ratio > self.options.compression_threshold
            or attempt.log_probability < self.options.log_probability_threshold
        )

    def _is_silence(self, attempt: _Attempt) -> bool:
        return (
            attempt.no_speech > self.options.no_speech_threshold
            and attempt.log_probability < self.options.log_probability_threshold
        )

    def _sample(self, mel: Tensor, greedy: _Attempt, limit: int) -> _Attempt | None:
        """Let transformers try the higher temperatures; None where there are none."""
        options = self.options
        if len(options.temperatures) < 2:
            return None
        settings: dict[str, Any] = {"language": options.language} if self.language_ids else {}
        with torch.random.fork_rng():
            torch.manual_seed(options.seed)
            output = self.model.generate(
                mel[None],
                return_timestamps=True,
                temperature=options.temperatures[1:],
                compression_ratio_threshold=options.compression_threshold,
                logprob_threshold=options.log_probability_threshold,
                condition_on_prev_tokens=False,
                force_unique_generate_call=True,
                return_dict_in_generate=True,
                max_new_tokens=min(limit, self.steps.max_tokens - 8),
                **settings,
            )
        scores: Tensor = torch.stack(output.scores)[:, 0]  # type: ignore[union-attr] # [tokens, vocabulary]
        tokens: Tensor = output.sequences[0][-len(scores) :]  # type: ignore[union-attr]
        picked = scores.log_softmax(-1).gather(1, tokens[:, None])
        said = tokens.tolist()
        said = said[:-1] if said and said[-1] == self.constraints.end_of_text else said
        return _Attempt(said, float(picked.mean()), greedy.no_speech)

    def _timed(
        self, tokens: list[int], state: StepState, prompt: list[int], sound: int, frames: int
    ) -> WindowText:
        spans, next_frame = split_at_timestamps(tokens, self.constraints.first_timestamp, frames)
        texts = [[t for t in span.tokens if t < self.constraints.end_of_text] for span in spans]
        words = self.aligner.align(state, prompt, texts, sound) if self.options.words else []
        segments = []
        for index, (span, text_tokens) in enumerate(zip(spans, texts, strict=True)):
            text = self.whisper.tokenizer.decode(text_tokens)
            if not text.strip():
                continue
            end_s = max(span.start_s, span.end_s)
            aligned = words[index] if words else ()
            aligned = tuple(_within(word, span.start_s, end_s) for word in aligned)
            segments.append(TimedText(span.start_s, end_s, text, aligned))
        return WindowText(tuple(segments), next_frame * FRAME_S)


def _cycles(tokens: list[int]) -> bool:
    """Tell whether the end of the tokens is a short stretch, several times over."""
    for length in range(1, LONGEST_CYCLE + 1):
        tail = tokens[-length * CYCLES :]
        if len(tail) == length * CYCLES and tail == tail[:length] * CYCLES:
            return length * CYCLES >= 2 * LONGEST_CYCLE
    return False


def _compression(tokens: list[int], vocabulary: int) -> float:
    width = int(math.log2(vocabulary) / 8) + 1
    packed = b"".join(token.to_bytes(width, "little") for token in tokens)
    return len(packed) / len(zlib.compress(packed))


def _within(word: Word, start_s: float, end_s: float) -> Word:
    first = min(max(word.start_s, start_s), end_s)
    return Word(first, min(max(word.end_s, first), end_s), word.text)
