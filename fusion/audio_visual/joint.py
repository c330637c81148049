"""Late audio-visual fusion: lip features added to Whisper's own, as far as each can be trusted."""

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from fusion.audio_visual.agreement import Agreement
from modalities.rates import STATES_PER_PICTURE

SIGNS = 4  # of reliability: see `reliability`


@dataclass(frozen=True)
class JointFusionOptions:
    """Options of the module.

    Attributes:
        lip_dim: Features of a lip frame: the lip encoder's `dim`.
        dim: Features of an encoder's state: 384 for Whisper tiny.
        hidden: Width of the layer between the two.
        gate_hidden: Width of the layer inside the gates.
    """

    lip_dim: int = 256
    dim: int = 384
    hidden: int = 192
    gate_hidden: int = 16


class JointFusion(nn.Module):
    """Adds projected lips to what the encoder's convolutions made of the sound.

    Two gates a frame say how far lips and sound count. Where no mouth is seen, the first is 0 and
    the second 1: the sound goes on as it was.

    Args:
        options: Widths of its layers; None takes the defaults.

    Source:
        The place is that of Auto-AVSR's and Whisper-Flamingo's successors, which join streams
        after their front ends; the gates are ours.
    """

    def __init__(self, options: JointFusionOptions | None = None):
        super().__init__()
        self.options = options or JointFusionOptions()
        of = self.options
        self.project = nn.Sequential(
            nn.LayerNorm(of.lip_dim),
            nn.Linear(of.lip_dim, of.hidden),
            nn.GELU(),
            nn.Linear(of.hidden, of.dim),
        )
        self.gates = nn.Sequential(
            nn.Linear(SIGNS, of.gate_hidden), nn.Tanh(), nn.Linear(of.gate_hidden, 2)
        )
        # A fresh module adds nothing: the model is what it is without video.
        last, gate = self.project[-1], self.gates[-1]
        assert isinstance(last, nn.Linear) and isinstance(gate, nn.Linear)
        nn.init.zeros_(last.weight)
        nn.init.zeros_(last.bias)
        nn.init.zeros_(gate.weight)
        with torch.no_grad():
            gate.bias.copy_(torch.tensor([0.0, 4.0]))

    def weigh(self, signs: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        """Return how far lips and sound count.

        Args:
            signs: From `reliability`, [batch, video_frames, SIGNS].
            mask: [batch, video_frames], bool, True where a mouth is seen.

        Returns:
            Two gates from 0 to 1, [batch, video_frames] each; the second is 1 for all of the sound.
        """
        video, sound = self.gates(signs).sigmoid().unbind(-1)
        return video * mask, 1 - video * mask * (1 - sound)

    def forward(self, states: Tensor, lips: Tensor, mask: Tensor, signs: Tensor) -> Tensor:
        """Fuse.

        Args:
            states: What the encoder's convolutions made, [batch, 2 * video_frames, dim].
            lips: [batch, video_frames, lip_dim].
            mask: [batch, video_frames], bool, True where a mouth is seen.
            signs: From `reliability`, [batch, video_frames, SIGNS].

        Returns:
            [batch, 2 * video_frames, dim].

        Raises:
            ValueError: Lips and states are of different lengths.
        """
        if states.shape[1] != STATES_PER_PICTURE * lips.shape[1]:
            raise ValueError(
                f"{lips.shape[1]} frames of lips came with {states.shape[1]} states; expected "
                f"{STATES_PER_PICTURE} states for each."
            )
        video, sound = self.weigh(signs, mask)
        seen = mask[..., None]
        # Features of unseen frames may hold anything; what is multiplied by 0 must be finite.
        added = video[..., None] * self.project(lips.masked_fill(~seen, 0))
        return states * _stretch(sound[..., None]) + _stretch(added)


def reliability(agreement: Agreement, confidence: Tensor) -> Tensor:
    """Put together what the gates look at.

    Args:
        agreement: What `AgreementNetwork` found of lips and sound, in batch and frames as
            confidence.
        confidence: How sure the lip encoder is of its word, 0 to 1, [batch, video_frames].

    Returns:
        [batch, video_frames, SIGNS]: agreement of the window and of the second around a frame,
        signal-to-noise ratio, confidence; all around -2 to 2.
    """
    score = agreement.score[:, None].expand_as(agreement.local)
    signs = (score / 4, agreement.local / 4, agreement.snr_db / 10, 2 * confidence - 1)
    return torch.stack([sign.clamp(-3, 3) for sign in signs], -1)


def _stretch(rows: Tensor) -> Tensor:
    """[batch, video_frames, dim] -> [batch, 2 * video_frames, dim], in a line between frames."""
    stretched = functional.interpolate(
        rows.mT, scale_factor=STATES_PER_PICTURE, mode="linear", align_corners=False
    )
    return stretched.mT
