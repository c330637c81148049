"""Whisper's encoder behind the common contract."""

from collections.abc import Callable
from dataclasses import replace

import torch
from torch import Tensor, nn

from modalities.encoder import Features, FrozenEncoder
from modalities.speech.whisper import Whisper, load_whisper


class WhisperEncoder(FrozenEncoder):
    """From log-mel to states, 50 per second, for windows of any length up to 30 s.

    Args:
        whisper: Its encoder is used as it is, not copied.
    """

    def __init__(self, whisper: Whisper):
        super().__init__()
        self.name = whisper.name
        self.mel_bins = whisper.mel_bins
        self.encoder = whisper.model.model.encoder
        self.rate_hz = 50.0
        self.max_frames: int = 2 * whisper.model.config.max_source_positions
        self.freeze()

    @property
    def final_norm(self) -> nn.LayerNorm:
        """What follows the last layer."""
        return self.encoder.layer_norm

    def forward(
        self,
        mel: Tensor,
        mask: Tensor | None = None,
        join: Callable[[Tensor], Tensor] | None = None,
        each: list[Tensor] | None = None,
    ) -> Features:
        """Encode windows: `final_norm` of `states`; arguments and errors as there."""
        features = self.states(mel, mask, join, each)
        return replace(features, values=self.final_norm(features.values))

    def states(
        self,
        mel: Tensor,
        mask: Tensor | None = None,
        join: Callable[[Tensor], Tensor] | None = None,
        each: list[Tensor] | None = None,
    ) -> Features:
        """Encode windows up to the last layer.

        Args:
            mel: [batch, mel_bins, frames], 100 per second, an even number up to 3000; the table
                of positions is cut for shorter ones.
            mask: [batch, frames], bool, True where real; None where all is.
            join: Changes what the convolutions made, [batch, frames / 2, dim], before positions
                are added; None leaves it.
            each: Gets what every layer made, in their order.

        Returns:
            [batch, frames / 2, dim] with a mask of that length.

        Raises:
            ValueError: Wrong number of bins or frames.
        """
        self._check(mel)
        if mask is None:
            mask = torch.ones(mel.shape[0], mel.shape[2], dtype=torch.bool, device=mel.device)
        encoder = self.encoder
        hidden = torch.nn.functional.gelu(encoder.conv1(mel))
        hidden = torch.nn.functional.gelu(encoder.conv2(hidden)).transpose(1, 2)
        hidden = hidden if join is None else join(hidden)
        hidden = hidden + encoder.embed_positions.weight[: hidden.shape[1]]
        for layer in encoder.layers:
            hidden = layer(hidden, None)
            hidden = hidden[0] if isinstance(hidden, tuple) else hidden
            if each is not None:
                each.append(hidden)
        return Features(hidden, mask[:, ::2], self.rate_hz)

    def _check(self, mel: Tensor) -> None:
        frames = mel.shape[-1]
        good = mel.ndim == 3 and mel.shape[1] == self.mel_bins
        if not good or frames % 2 or not 0 < frames <= self.max_frames:
            raise ValueError(
                f"Log-mel has shape {tuple(mel.shape)}; {self.name} expects [batch, "
                f"{self.mel_bins}, frames] with an even number of frames up to {self.max_frames}."
            )


def load_whisper_encoder(name: str) -> WhisperEncoder:
    """Load the encoder of a Whisper; arguments and errors as in `load_whisper`."""
    return WhisperEncoder(load_whisper(name))
