"""What fusion modules after the encoder's convolutions share: gates for lips and for sound."""

import torch
from torch import Tensor, nn
from torch.nn import functional

from fusion.audio_visual.agreement import Agreement
from modalities.rates import STATES_PER_PICTURE

SIGNS = 4  # of reliability: see `reliability`


class GatedFusion(nn.Module):
    """Adds something of the lips to the sound; two gates a frame say how far each of them counts.

    Where no mouth is seen, the first is 0 and the second 1: the sound goes on as it was. A subclass
    says in `add` what of the lips is added, and builds `gates` by `fresh_gates`.
    """

    gates: nn.Sequential

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

    def add(self, states: Tensor, lips: Tensor, video: Tensor) -> Tensor:
        """Return what is added to the states, 0 where the lips count for nothing.

        Args:
            states: [batch, 2 * video_frames, dim].
            lips: [batch, video_frames, lip_dim], 0 where no mouth is seen.
            video: How far they count, [batch, video_frames].

        Returns:
            [batch, 2 * video_frames, dim].
        """
        raise NotImplementedError

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
        # Features of unseen frames may hold anything; what is multiplied by 0 must be finite.
        added = self.add(states, lips.masked_fill(~mask[..., None], 0), video)
        return states * stretch(sound[..., None]) + added


def fresh_gates(hidden: int) -> nn.Sequential:
    """Build gates that let half of the lips in, and nearly all of the sound, whatever the signs."""
    gates = nn.Sequential(nn.Linear(SIGNS, hidden), nn.Tanh(), nn.Linear(hidden, 2))
    gate = gates[-1]
    assert isinstance(gate, nn.Linear)
    nn.init.zeros_(gate.weight)
    with torch.no_grad():
        gate.bias.copy_(torch.tensor([0.0, 4.0]))
    return gates


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


def stretch(rows: Tensor) -> Tensor:
    """[batch, video_frames, dim] -> [batch, 2 * video_frames, dim], in a line between frames."""
    stretched = functional.interpolate(
        rows.mT, scale_factor=STATES_PER_PICTURE, mode="linear", align_corners=False
    )
    return stretched.mT
