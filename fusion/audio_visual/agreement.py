"""Whether lips and sound belong together, and how noisy the sound is, frame by frame."""

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from fusion.audio_visual.options import AgreementOptions
from modalities.rates import VIDEO_RATE_HZ

LOCAL_FRAMES = VIDEO_RATE_HZ  # one second of video: what a frame's own agreement looks at


@dataclass(frozen=True)
class Agreement:
    """What the network found; 25 frames a second.

    Attributes:
        score: Evidence that the lips belong to the sound, a logit: above 0 they rather do, [batch].
        local: Evidence like `score`, but from the second around each frame, [batch, video_frames].
        snr_db: Signal-to-noise ratio, estimated, [batch, video_frames].
    """

    score: Tensor
    local: Tensor
    snr_db: Tensor


class AgreementNetwork(nn.Module):
    """Brings sound and lips into one space, where those of one moment lie close.

    Args:
        options: Widths of its layers; None takes the defaults.

    Source:
        The plan of SyncNet (Chung and Zisserman 2016, Out of time), learnt by contrast with other
        moments and other clips.
    """

    def __init__(self, options: AgreementOptions | None = None):
        super().__init__()
        self.options = options or AgreementOptions()
        channels, dim = self.options.channels, self.options.dim
        self.first = nn.Sequential(
            _convolution(self.options.mel_bins, channels, 2),
            _convolution(channels, channels, 2),
        )
        self.wider = nn.ModuleList(_Wider(channels, spread) for spread in (1, 2, 4))
        self.sound = nn.Linear(channels, dim)
        self.level = nn.Linear(channels, 1)
        self.lips = nn.Sequential(
            nn.LayerNorm(self.options.lip_dim),
            nn.Linear(self.options.lip_dim, channels),
            nn.GELU(),
            nn.Linear(channels, dim),
        )
        self.weight = nn.Linear(2 * dim, 1)
        self.scale = nn.Parameter(torch.tensor(5.0))
        self.bias = nn.Parameter(torch.tensor(-1.0))

    def hear(self, mel: Tensor) -> tuple[Tensor, Tensor]:
        """Read sound.

        Args:
            mel: [batch, mel_bins, 4 * video_frames].

        Returns:
            [batch, video_frames, dim], of length 1; the signal-to-noise ratio in dB,
            [batch, video_frames].
        """
        maps = self.first(mel)
        for block in self.wider:
            maps = block(maps)
        hidden = maps.mT  # [batch, video_frames, channels]
        return functional.normalize(self.sound(hidden), dim=-1), 10 * self.level(hidden)[..., 0]

    def see(self, lips: Tensor) -> Tensor:
        """Read lip features, [batch, video_frames, lip_dim] -> [.., dim], of length 1."""
        return functional.normalize(self.lips(lips), dim=-1)

    def compare(self, sound: Tensor, lips: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        """Compare what `hear` and `see` returned.

        Args:
            sound: From `hear`, of length 1, [batch, video_frames, dim].
            lips: From `see`, of length 1, [batch, video_frames, dim].
            mask: [batch, video_frames], bool, True where a mouth is seen.

        Returns:
            Evidence of each frame, and its weight above 0, both [batch, video_frames].
        """
        evidence = self.scale * ((sound * lips).sum(-1) * 4 + self.bias)
        weight = functional.softplus(self.weight(torch.cat([sound, lips], -1))[..., 0])
        return evidence, weight * mask

    def forward(self, mel: Tensor, lips: Tensor, mask: Tensor) -> Agreement:
        """Say how well lips and sound agree.

        Args:
            mel: [batch, mel_bins, 4 * video_frames].
            lips: [batch, video_frames, lip_dim].
            mask: [batch, video_frames], bool, True where a mouth is seen.

        Raises:
            ValueError: Lips and sound are of different lengths.
        """
        if mel.shape[2] != 4 * lips.shape[1]:
            raise ValueError(
                f"{lips.shape[1]} frames of lips came with {mel.shape[2]} of log-mel; expected 4 "
                "of log-mel for each."
            )
        sound, snr_db = self.hear(mel)
        evidence, weight = self.compare(sound, self.see(lips), mask)
        score = (evidence * weight).sum(1) / weight.sum(1).clamp_min(1e-3)
        return Agreement(score, smooth(evidence, weight), snr_db)


def smooth(evidence: Tensor, weight: Tensor) -> Tensor:
    """Average evidence over the second around each frame, both [batch, frames]."""

    def add(rows: Tensor) -> Tensor:
        window = functional.avg_pool1d(rows[:, None], LOCAL_FRAMES, 1, LOCAL_FRAMES // 2)
        return window[:, 0] * LOCAL_FRAMES

    return add(evidence * weight) / add(weight).clamp_min(1e-3)


class _Wider(nn.Module):
    """A residual convolution that looks further to both sides."""

    def __init__(self, channels: int, spread: int):
        super().__init__()
        self.convolution = nn.Conv1d(channels, channels, 5, padding=2 * spread, dilation=spread)
        self.norm = nn.BatchNorm1d(channels)

    def forward(self, maps: Tensor) -> Tensor:
        return maps + torch.relu(self.norm(self.convolution(maps)))


def _convolution(inputs: int, outputs: int, step: int) -> nn.Sequential:
    return nn.Sequential(nn.Conv1d(inputs, outputs, 5, step, 2), nn.BatchNorm1d(outputs), nn.ReLU())
