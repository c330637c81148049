"""Sounds as tokens for a language model: a frozen encoder of sound, pooled over time."""

import hashlib
import math
from functools import cached_property
from pathlib import Path
from typing import ClassVar

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import adaptive_avg_pool1d, pad

from modalities.audio.audio_encoder import AudioEncoder
from modalities.catalog import load_audio_encoder
from modalities.encoder import FrozenEncoder
from modalities.rates import RATE_HZ
from modalities.tensor_hash import hash_frozen

TOKENS = 36  # as many as a picture has
WINDOW_S = 1.0  # what is shorter is followed by silence: encoders of patches need some frames
MAX_S = 10.0  # heard at once by encoders that know no end: AST's was trained on so much


class SoundGrid(FrozenEncoder):
    """A frozen encoder of sounds with the interface of `GridEncoder`.

    Whatever a sound lasts, its states are pooled to one number of tokens, by their mean over equal
    stretches of its true length: no state of what is padded takes part. An encoder's bands are
    averaged first, so that tokens are in the order of time. What is longer than the encoder hears
    at once is heard in equal pieces.

    Args:
        encoder: Used as it is, not copied.
        tokens: How many a sound becomes, 1 or more.

    Attributes:
        takes: What kind of file is prepared.
        name: The encoder's.
        tokens: How many a sound becomes, in the order of time.
        dim: Features of each token.

    Raises:
        ValueError: No tokens.
    """

    takes: ClassVar[str] = "sound"

    def __init__(self, encoder: AudioEncoder, tokens: int = TOKENS):
        super().__init__()
        if tokens < 1:
            raise ValueError(f"{tokens} tokens of a sound; expected 1 or more, as {TOKENS}.")
        self.encoder, self.name, self.tokens, self.dim = encoder, encoder.name, tokens, encoder.dim
        self.longest = round((encoder.max_s if math.isfinite(encoder.max_s) else MAX_S) * RATE_HZ)
        self.freeze()

    @cached_property
    def identity(self) -> str:
        """A hash of the frozen weights, of how much is heard at once, and of the tokens."""
        frozen = hash_frozen(self.encoder.state_dict())
        told = repr((type(self.encoder).__name__, self.longest, self.tokens, frozen))
        return hashlib.sha256(told.encode()).hexdigest()[:32]

    def prepare(self, waveform: np.ndarray | Tensor) -> Tensor:
        """Make a sound ready.

        Args:
            waveform: [samples], 16 kHz, as `data_prep.media.audio.read_audio` reads a file.

        Returns:
            float32 [samples]; what is shorter than the encoder hears is followed by silence.

        Raises:
            ValueError: It has another shape, or no samples.
        """
        values = torch.as_tensor(waveform, dtype=torch.float32)
        if values.ndim != 1 or not len(values):
            raise ValueError(
                f"The waveform has shape {list(values.shape)}; expected [samples], one or more, at "
                f"{RATE_HZ} Hz."
            )
        return pad(values, (0, max(0, self.encoder.min_samples - len(values))))

    def forward(self, waveform: Tensor) -> Tensor:
        """Encode sounds of one length.

        Args:
            waveform: From `prepare`, [batch, samples].

        Returns:
            [batch, tokens, dim].
        """
        states = [self._hear(piece) for piece in waveform.chunk(self._pieces(waveform), 1)]
        whole = torch.cat(states, 1).transpose(1, 2)  # [batch, dim, frames]
        return adaptive_avg_pool1d(whole, self.tokens).transpose(1, 2)

    def _pieces(self, waveform: Tensor) -> int:
        return math.ceil(waveform.shape[1] / self.longest)

    def _hear(self, waveform: Tensor) -> Tensor:
        """Encode sounds of one length that is heard at once, [batch, frames, dim]."""
        samples = torch.full((len(waveform),), waveform.shape[1])
        silence = max(0, round(WINDOW_S * RATE_HZ) - waveform.shape[1])
        features = self.encoder(*self.encoder.prepare(pad(waveform, (0, silence)), samples))
        first = self.encoder.special_tokens
        values, heard = features.values[:, first:], features.mask[0, first:]
        values = values.unflatten(1, (self.encoder.bands, -1)).mean(1)
        return values[:, heard.unflatten(0, (self.encoder.bands, -1))[0]]


def load_sound_grid(name: str | Path, tokens: int = TOKENS) -> SoundGrid:
    """Load a frozen encoder of sounds.

    Args:
        name: As `load_audio_encoder` takes it: "whisper-tiny.en", "ast-audioset", a folder.
        tokens: How many a sound becomes.

    Raises:
        ValueError: No such encoder, damaged, or not to be had without network; no tokens.
        FileNotFoundError: No such file.
    """
    return SoundGrid(load_audio_encoder(name), tokens)
