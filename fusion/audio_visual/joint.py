"""Late audio-visual fusion: lip features added to Whisper's own, as far as each can be trusted."""

from dataclasses import dataclass

from torch import Tensor, nn

from fusion.audio_visual.gated import GatedFusion, fresh_gates, stretch


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


class JointFusion(GatedFusion):
    """Adds projected lips to what the encoder's convolutions made of the sound.

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
        self.gates = fresh_gates(of.gate_hidden)
        # A fresh module adds nothing: the model is what it is without video.
        last = self.project[-1]
        assert isinstance(last, nn.Linear)
        nn.init.zeros_(last.weight)
        nn.init.zeros_(last.bias)

    def add(self, states: Tensor, lips: Tensor, video: Tensor) -> Tensor:
        """Return the lips as they are, whatever is heard; see `GatedFusion.add`."""
        return stretch(video[..., None] * self.project(lips))
