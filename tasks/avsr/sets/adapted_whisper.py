"""A frozen Whisper on short windows, with what an adapter set adds: LoRA inside, lips beside."""

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import pad

from fusion.adapters.interface import Adapters
from fusion.audio_visual.agreement import Agreement, AgreementNetwork
from fusion.audio_visual.by_row import RowFusion
from fusion.audio_visual.gated import GatedFusion, reliability
from fusion.audio_visual.mixed import MixedFusion
from fusion.audio_visual.upstream import UpstreamFusion
from fusion.serving.shared_cache import EXACT, SharedCache
from modalities.audio.log_mel import LogMel
from modalities.rates import CROP_SIDE, PIECE_PICTURES, PIECE_SAMPLES
from modalities.speech.step_decoder import StepDecoder, StepState
from modalities.speech.whisper import Whisper
from modalities.speech.whisper_encoder import WhisperEncoder
from modalities.vision.lips import LipEncoder

MOST_TOKENS = 40  # a window holds about ten words
Fusion = GatedFusion | MixedFusion | UpstreamFusion


@dataclass(frozen=True)
class Sight:
    """What is seen in a batch of windows.

    Attributes:
        mask: [batch, 80], bool, True where a mouth is seen.
        lips: Features of the lip encoder, [batch, 80, dim]; None where it did not read.
        confidence: How sure it is of its word, 0 to 1, [batch, 80]; None likewise.
        crops: uint8 grey, [batch, 80, 96, 96]; None where only the features are wanted.
    """

    mask: Tensor
    lips: Tensor | None = None
    confidence: Tensor | None = None
    crops: Tensor | None = None

    def take(self, rows: Sequence[int]) -> "Sight":
        """Return some windows of the batch, by their numbers."""
        parts, some = (self.mask, self.lips, self.confidence, self.crops), list(rows)
        return Sight(*(None if p is None else p[some] for p in parts))  # type: ignore[arg-type]


@dataclass(frozen=True)
class Said:
    """What was decoded from one window.

    Attributes:
        tokens: Without the prompt and the end of text.
        log_probability: Mean over the tokens and the end of text.
    """

    tokens: list[int]
    log_probability: float


class AdaptedWhisper(nn.Module):
    """Encodes and decodes windows of 3.2 s with the adapters that are on.

    Args:
        whisper: Its model is used as it is, not copied.
        lips: Reads mouths; None where no set wants them.
        agreement: Compares lips and sound; None likewise.
    """

    def __init__(
        self,
        whisper: Whisper,
        lips: LipEncoder | None = None,
        agreement: AgreementNetwork | None = None,
    ):
        super().__init__()
        self.whisper = whisper
        self.model = whisper.model
        self.encoder = WhisperEncoder(whisper)
        self.adapters = Adapters(whisper.model)
        self.log_mel = LogMel(whisper.mel_bins)
        self.lips = lips
        self.agreement = agreement
        self.steps = StepDecoder(whisper.model)
        config = whisper.model.generation_config
        self.prompt = _prompt(whisper)
        self.end: int = _first(config.eos_token_id)  # type: ignore[union-attr]

    def hear(self, waveforms: Sequence[np.ndarray]) -> Tensor:
        """Compute the log-mel of windows.

        Args:
            waveforms: float32 [samples], 16 kHz, at most 3.2 s each.

        Returns:
            [batch, mel_bins, 320].

        Raises:
            ValueError: One is longer.
        """
        longest = max(len(waveform) for waveform in waveforms)
        if longest > PIECE_SAMPLES:
            raise ValueError(
                f"A window has {longest} samples; adapter sets work on up to {PIECE_SAMPLES}. "
                "Cut it."
            )
        padded = np.stack([np.pad(w, (0, PIECE_SAMPLES - len(w))) for w in waveforms])
        return self.log_mel(torch.from_numpy(padded).to(self.model.device))

    @torch.no_grad()
    def look(self, crops: Sequence[np.ndarray], masks: Sequence[np.ndarray]) -> Sight:
        """Read the mouths of windows.

        Args:
            crops: uint8 grey, [video_frames, 96, 96], 25 a second, from the window's start.
            masks: [video_frames], bool, True where a mouth is seen.
        """
        pictures = np.zeros((len(crops), PIECE_PICTURES, CROP_SIDE, CROP_SIDE), np.uint8)
        seen = np.zeros((len(crops), PIECE_PICTURES), bool)
        for row, (clip, mask) in enumerate(zip(crops, masks, strict=True)):
            count = min(len(clip), PIECE_PICTURES)
            pictures[row, :count], seen[row, :count] = clip[:count], mask[:count]
        device = self.model.device
        tensor, mask = torch.from_numpy(pictures).to(device), torch.from_numpy(seen).to(device)
        if self.lips is None:
            return Sight(mask, crops=tensor)
        lips = self.lips(tensor, mask).values
        return Sight(mask, lips, confidence_of(self.lips, lips), tensor)

    def encode(
        self, mel: Tensor, sight: Sight | None = None, fusion: Fusion | RowFusion | None = None
    ) -> tuple[Tensor, Agreement | None]:
        """Encode windows; without sight or fusion, from the sound alone.

        Args:
            mel: [batch, mel_bins, 320].
            sight: What is seen.
            fusion: The fusion module that the set was trained with, or that of each row; None for
                a set that hears only.

        Returns:
            States, [batch, 160, dim], and how lips and sound agree.
        """
        if sight is None or fusion is None or not bool(sight.mask.any()):
            return self.encoder(mel).values, None
        if not isinstance(fusion, RowFusion):
            fusion = RowFusion([fusion] * len(mel))
        mel = fusion.clean(mel, sight.crops, sight.mask)
        if not fusion.joint:
            return self.encoder(mel).values, None
        assert self.agreement is not None and sight.lips is not None
        assert sight.confidence is not None
        lips, mask = sight.lips, sight.mask
        with torch.no_grad():
            agreement = self.agreement(mel, lips, mask)
        signs = reliability(agreement, sight.confidence)
        states = self.encoder(mel, join=lambda heard: fusion.join(heard, lips, mask, signs)).values
        return states, agreement

    def read(self, states: Tensor, tokens: Tensor) -> Tensor:
        """Give logits of each next token, with gradients.

        Args:
            states: [batch, 160, dim].
            tokens: Prompt and text, [batch, tokens].

        Returns:
            [batch, tokens, vocabulary].
        """
        hidden = self.model.model.decoder(
            input_ids=tokens, encoder_hidden_states=states, use_cache=False
        ).last_hidden_state
        return self.model.proj_out(hidden)

    @torch.inference_mode()
    def decode(
        self, states: Tensor, most_tokens: int = MOST_TOKENS, least: float = -math.inf
    ) -> list[Said]:
        """Decode greedily, without timestamps.

        Args:
            states: [batch, states, dim].
            most_tokens: What does not end by itself ends after so many.
            least: Sum of log-probabilities; what falls below it is given up.
        """
        return self.decode_from(self.steps.start(states), len(states), most_tokens, least)

    @torch.inference_mode()
    def decode_from(
        self,
        state: StepState,
        batch: int,
        most_tokens: int = MOST_TOKENS,
        least: float = -math.inf,
    ) -> list[Said]:
        """Decode what `StepDecoder.start` has read, which is not changed; else as `decode`."""
        state = self.steps.restart(state)
        device = self.model.device
        tokens = torch.tensor([self.prompt] * batch, device=device)
        said: list[list[int]] = [[] for _ in range(batch)]
        total = torch.zeros(batch, device=device)
        going = torch.ones(batch, dtype=torch.bool, device=device)
        for _ in range(most_tokens):
            logits = self.steps.logits(self.steps.read(state, tokens)[:, -1])
            best, tokens = logits.max(1)
            total += (best - logits.logsumexp(1)) * going
            for row, token in enumerate(tokens.tolist()):
                if going[row] and token != self.end:
                    said[row].append(token)
            going &= (tokens != self.end) & (total >= least)
            if not bool(going.any()):
                break
            tokens = tokens[:, None]
        return [
            Said(row, float(sum_) / (len(row) + 1)) for row, sum_ in zip(said, total, strict=True)
        ]

    @torch.inference_mode()
    def decode_by_sets(
        self, mel: Tensor, names: Sequence[str | None], mode: str = EXACT
    ) -> list[list[Said]]:
        """Decode each window once by each set, side by side, from the sound alone.

        Args:
            mel: [batch, mel_bins, frames].
            names: The sets; None is the frozen model.
            mode: What they share, see `SharedCache`.

        Returns:
            For each window what each set says.

        Raises:
            ValueError: No such set or mode, or sets that cannot share.
        """
        cache = SharedCache(self.steps, self.adapters, names, mode)
        states = cache.encode(lambda sound: self.encoder(sound).values, mel)
        with cache.rows(len(mel)):
            said = self.decode_from(cache.start(states), len(mel) * len(names))
        return [said[row : row + len(names)] for row in range(0, len(said), len(names))]

    @contextmanager
    def plain(self) -> Iterator[None]:
        """Switch all adapters off, and on again when the block ends."""
        active = list(self.adapters.selection.active)
        self.adapters.use(None)
        try:
            yield
        finally:
            self.adapters.selection.active[:] = active

    @contextmanager
    def using(self, *names: str) -> Iterator[None]:
        """Switch one adapter set on, or one for each row, until the block ends.

        Args:
            names: One for the whole batch, or one for each of its rows.
        """
        alike = len(set(names)) == 1
        active = list(self.adapters.selection.active)
        self.adapters.use(names[0] if alike else None)
        try:
            with nullcontext() if alike else self.adapters.rows(names):
                yield
        finally:
            self.adapters.selection.active[:] = active

    def spell(self, said: Said) -> str:
        """Return the text of tokens."""
        return self.whisper.tokenizer.decode(said.tokens, skip_special_tokens=True).strip()


def confidence_of(encoder: LipEncoder, lips: Tensor) -> Tensor:
    """Return how sure a lip encoder is of its word, [batch, frames, dim] -> [batch, frames]."""
    return encoder.network.head(lips).softmax(-1).amax(-1)


def pad_windows(rows: Tensor, frames: int = PIECE_PICTURES) -> Tensor:
    """Pad or cut the second axis, [batch, some, ...] -> [batch, frames, ...]."""
    missing = frames - rows.shape[1]
    return pad(rows, (0, 0) * (rows.ndim - 2) + (0, missing)) if missing > 0 else rows[:, :frames]


def _prompt(whisper: Whisper) -> list[int]:
    config = whisper.model.generation_config
    language: dict[str, int] = getattr(config, "lang_to_id", None) or {}
    start: int = whisper.model.config.decoder_start_token_id  # type: ignore[assignment]
    no_times: int = config.no_timestamps_token_id  # type: ignore[union-attr]
    if not language:
        return [start, no_times]
    task: int = config.task_to_id["transcribe"]  # type: ignore[union-attr]
    return [start, language["<|en|>"], task, no_times]


def _first(value: int | list[int]) -> int:
    return value[0] if isinstance(value, list) else value
