"""Audio-visual fusion by attention to the lips of the same moment."""

from dataclasses import dataclass

from torch import Tensor, nn

from fusion.audio_visual.gated import GatedFusion, fresh_gates
from modalities.aligned_attention import Aligned, align, attend_aligned


@dataclass(frozen=True)
class AlignedFusionOptions:
    """Options of the module.

    Attributes:
        lip_dim: Features of a lip frame: the lip encoder's `dim`.
        dim: Features of an encoder's state: 384 for Whisper tiny.
        hidden: Width of queries, keys and values of all heads, which they part.
        heads: How many.
        reach: Lip frames that are read before and after the one of the same moment.
        gate_hidden: Width of the layer inside the gates.
    """

    lip_dim: int = 256
    dim: int = 384
    hidden: int = 72
    heads: int = 4
    reach: int = 2
    gate_hidden: int = 16

    def __post_init__(self):
        if self.heads < 1 or self.hidden < 1 or self.hidden % self.heads:
            raise ValueError(
                f"hidden is {self.hidden} with {self.heads} heads; expected a multiple of them."
            )
        if self.reach < 0:
            raise ValueError(f"reach is {self.reach}; expected 0 or more.")


class AlignedFusion(GatedFusion):
    """Each state of the sound reads the lip frames around its own moment, in one softmax.

    The state itself is in that softmax, too, and brings nothing: where its key fits best, lips
    count little. The gate of the lips is how often a lip frame stands in the softmax. What it costs
    grows with the frames, not with their square.

    Args:
        options: Widths of its layers; None takes the defaults, of about as many weights as
            `JointFusion` has.

    Source:
        Position-aligned attention of PKA, arXiv 2602.06850, whose places are here moments of two
        rates; its use between sound and lips, the gates and the state in the softmax are ours.
    """

    def __init__(self, options: AlignedFusionOptions | None = None):
        super().__init__()
        self.options = options or AlignedFusionOptions()
        of = self.options
        self.hear, self.see = nn.LayerNorm(of.dim), nn.LayerNorm(of.lip_dim)
        self.query = nn.Linear(of.dim, of.hidden)
        self.own_key = nn.Linear(of.dim, of.hidden)
        self.key = nn.Linear(of.lip_dim, of.hidden)
        self.value = nn.Linear(of.lip_dim, of.hidden)
        self.out = nn.Linear(of.hidden, of.dim, bias=False)  # where nothing is read it adds nothing
        self.gates = fresh_gates(of.gate_hidden)
        nn.init.zeros_(self.out.weight)

    def add(self, states: Tensor, lips: Tensor, video: Tensor) -> Tensor:
        """Return what states read of the lips at their moment; see `GatedFusion.add`."""
        heard, seen = self.hear(states), self.see(lips)
        places, frames = states.shape[1], lips.shape[1]
        number, there = align((1, places), (1, frames), self.options.reach)
        number, there = number.to(lips.device), there.to(lips.device)
        own = self._split(self.own_key(heard))[..., None, :]
        keys, values = self._split(self.key(seen)), self._split(self.value(seen))
        counts = video[:, number] * there
        near = Aligned(keys[:, :, number], values[:, :, number], counts[:, None])
        itself = Aligned(own, own.new_zeros(own.shape), own.new_ones(1, 1, places, 1))
        nothing = own.new_zeros(*own.shape[:2], 0, own.shape[-1])
        read = attend_aligned(self._split(self.query(heard)), nothing, nothing, (itself, near))
        return self.out(read.transpose(1, 2).flatten(2))

    def _split(self, rows: Tensor) -> Tensor:
        """[batch, places, hidden] -> [batch, heads, places, head_dim]."""
        return rows.unflatten(-1, (self.options.heads, -1)).transpose(1, 2)
