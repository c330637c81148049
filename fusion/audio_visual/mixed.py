"""Several fusion modules at once, weighed frame by frame, as routed adapters beside them are."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from fusion.audio_visual.joint import JointFusion


class MixedFusion(nn.Module):
    """Adds up what frozen fusion modules make of lips and sound; gates weigh them.

    The gates read what the encoder's convolutions made of the sound, each frame by itself. Fresh
    ones weigh all modules alike.

    Args:
        fusions: One or more, of the same widths; they are frozen, and used as they are.

    Raises:
        ValueError: There is none, or they read or give features of different widths.
    """

    def __init__(self, fusions: Sequence[JointFusion]):
        super().__init__()
        widths = [(one.options.lip_dim, one.options.dim) for one in fusions]
        if len(set(widths)) != 1:
            raise ValueError(
                f"Fusion modules are of lips and states of {widths or 'no'} features; expected "
                "one module or more, all alike."
            )
        self.fusions = nn.ModuleList(fusions).requires_grad_(False)
        self.norm = nn.LayerNorm(widths[0][1], elementwise_affine=False)
        self.gate = nn.Linear(widths[0][1], len(fusions))
        nn.init.zeros_(self.gate.weight)
        nn.init.zeros_(self.gate.bias)

    def logits(self, states: Tensor) -> Tensor:
        """Score the modules, [batch, frames, dim] -> [batch, frames, modules]."""
        return self.gate(self.norm(states))

    def forward(self, states: Tensor, lips: Tensor, mask: Tensor, signs: Tensor) -> Tensor:
        """Fuse as `JointFusion` does, with the mean of the modules by their weights.

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
        weights = self.logits(states).softmax(-1)
        made = torch.stack([fusion(states, lips, mask, signs) for fusion in self.fusions], -1)
        return (made * weights[..., None, :]).sum(-1)
