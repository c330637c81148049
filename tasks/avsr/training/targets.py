"""What an adapter set learns from: transcripts, or the frozen Whisper on clean sound."""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from data_prep.clips.manifest import Clip
from data_prep.clips.samples import Sample
from modalities.audio.log_mel import LogMel
from modalities.rates import PIECE_STATES
from tasks.avsr.sets.adapted_whisper import AdaptedWhisper
from tasks.avsr.training.config import LossOptions

IGNORED = -100


class Teacher:
    """Computes targets; those of the frozen Whisper once a clip.

    Args:
        whisper: Whose adapters are switched off while it teaches.
        losses: What is learnt from.
    """

    def __init__(self, whisper: AdaptedWhisper, losses: LossOptions):
        self.whisper = whisper
        self.losses = losses
        # A log-mel of its own: batches are prepared while the model is learning.
        self.log_mel = LogMel(whisper.whisper.mel_bins).to(whisper.model.device)
        self.written: dict[str, list[int]] = {}
        self.states: dict[str, Tensor] = {}

    def check(self, clip: Clip) -> None:
        """Raise ValueError for a clip without the transcript that is learnt from."""
        if self.losses.transcript and clip.text is None:
            raise ValueError(
                f"Clip {clip.id} has no transcript; set losses.transcript=0 and losses.tokens=1 "
                "to learn from the frozen model instead."
            )

    def targets(self, clips: Sequence[Sample], speech: Sequence[np.ndarray]) -> dict[str, Tensor]:
        """Return what a batch is compared with.

        Args:
            clips: The samples that the batch was made of, in its order.
            speech: Clean sound of the same windows, float32 [samples] each.

        Returns:
            By the name of the loss: "transcript" and "tokens", ids after the prompt, [batch,
            tokens], IGNORED where a row has ended; "clean_mel", [batch, mel_bins, 320];
            "clean_states", [batch, 160, dim].
        """
        found: dict[str, Tensor] = {}
        if self.losses.transcript:
            found["transcript"] = self._rows([self._spelt(s.clip.text or "") for s in clips])
        if self.losses.tokens:
            found["tokens"] = self._rows([self._written(s) for s in clips])
        if self.losses.mel:
            found["clean_mel"] = self.whisper.hear(speech)
        if self.losses.encoder:
            found["clean_states"] = self._states(speech)
        return found

    def _spelt(self, text: str) -> list[int]:
        spoken = f" {text.strip()}" if text.strip() else ""  # "": the end follows the prompt
        return self.whisper.whisper.tokenizer.encode(spoken, add_special_tokens=False)

    def _rows(self, texts: Sequence[list[int]]) -> Tensor:
        rows = [[*self.whisper.prompt, *text, self.whisper.end] for text in texts]
        longest = max(map(len, rows))
        return torch.tensor([row + [IGNORED] * (longest - len(row)) for row in rows])

    @torch.no_grad()
    def _written(self, sample: Sample) -> list[int]:
        """Let the frozen Whisper transcribe the clean clip, in a window of 30 s."""
        name = sample.clip.id
        if name not in self.written:
            with self.whisper.plain():
                states = self._long_states([sample.waveform])
                self.written[name] = self.whisper.decode(states)[0].tokens
        return self.written[name]

    @torch.no_grad()
    def _states(self, speech: Sequence[np.ndarray]) -> Tensor:
        with self.whisper.plain():
            return self._long_states(speech)[:, :PIECE_STATES]

    def _long_states(self, waveforms: Sequence[np.ndarray]) -> Tensor:
        tensors = [torch.from_numpy(w)[None] for w in waveforms]
        mel = torch.cat([self.log_mel(self.log_mel.pad(t)) for t in tensors])
        return self.whisper.encoder(mel.to(self.whisper.model.device)).values


def token_loss(whisper: AdaptedWhisper, states: Tensor, rows: Tensor) -> Tensor:
    """Return the cross-entropy of the tokens after the prompt, a mean over windows, scalar.

    Args:
        whisper: Its decoder reads the states.
        states: [batch, states, dim].
        rows: Prompt, text and end, [batch, tokens] of ids; IGNORED where a row has ended.
    """
    inputs = rows[:, :-1].masked_fill(rows[:, :-1] < 0, whisper.end)
    targets = rows[:, 1:].clone()
    targets[:, : len(whisper.prompt) - 1] = IGNORED
    logits = whisper.read(states, inputs)
    losses = functional.cross_entropy(
        logits.mT, targets, ignore_index=IGNORED, reduction="none", label_smoothing=0.0
    )
    counts = (targets != IGNORED).sum(1)
    return (losses.sum(1) / counts).mean()
