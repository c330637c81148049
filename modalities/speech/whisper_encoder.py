"""Whisper's encoder as a frozen encoder."""

from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch import Tensor
from torch.nn.functional import gelu

from modalities.encoder import Features, FrozenEncoder
from modalities.speech.whisper import load_whisper

if TYPE_CHECKING:
    from transformers.models.whisper.modeling_whisper import WhisperEncoder as Backbone


class WhisperEncoder(FrozenEncoder):
    """Turns log-mel spectrograms into features.

    Args:
        backbone: transformers' encoder; it is frozen here.
        name: What it was loaded as.

    Attributes:
        mel_bins: 80, or 128 for large-v3 and its kin.
        dim: Of the features.
        max_frames: The longest spectrogram, 100 frames per second.
    """

    rate_hz = 50.0

    def __init__(self, backbone: "Backbone", name: str):
        super().__init__()
        self.backbone = backbone
        self.name = name
        self.mel_bins: int = backbone.config.num_mel_bins
        self.dim: int = backbone.config.d_model
        self.max_frames: int = 2 * backbone.config.max_source_positions
        self.freeze()

    def forward(self, mel: Tensor, mask: Tensor | None = None) -> Features:
        """Encode a spectrogram of any length up to a window's.

        Args:
            mel: [batch, mel_bins, mel_frames] from `LogMel`. Whisper itself was trained on 3000
                frames only; a shorter one sees the beginning of its position table.
            mask: [batch, mel_frames], bool, True where there is sound; it marks features and
                changes none, since Whisper attends to padding too.

        Returns:
            [batch, mel_frames / 2 rounded up, dim], 50 per second.

        Raises:
            ValueError: Another number of bins, or too long.
        """
        if (
            mel.ndim != 3
            or mel.shape[1] != self.mel_bins
            or not 0 < mel.shape[2] <= self.max_frames
        ):
            raise ValueError(
                f"Log-mel has shape {tuple(mel.shape)}; {self.name} expects [batch, "
                f"{self.mel_bins}, 1 to {self.max_frames}]. Compute it with LogMel("
                f"{self.mel_bins}), window by window."
            )
        hidden = gelu(self.backbone.conv1(mel))
        hidden = gelu(self.backbone.conv2(hidden)).transpose(1, 2)  # [batch, frames, dim]
        hidden = hidden + self.backbone.embed_positions.weight[: hidden.shape[1]]
        for layer in self.backbone.layers:
            hidden = layer(hidden, None)
        hidden = self.backbone.layer_norm(hidden)
        if mask is None:
            mask = torch.ones(mel.shape[0], mel.shape[2], dtype=torch.bool, device=mel.device)
        return Features(hidden, mask[:, ::2], self.rate_hz)


def load_whisper_encoder(name: str | Path) -> WhisperEncoder:
    """Load the encoder alone; names and errors as in `load_whisper`."""
    whisper = load_whisper(name)
    return WhisperEncoder(whisper.model.model.encoder, whisper.name)
