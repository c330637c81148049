"""A mask of where to edit that is changed from layer to layer, and experts mixed as maps."""

import torch
from torch import Tensor, nn
from torch.nn import functional

from fusion.conditions.routing.experts import Sizes, to_map

GROW, SIGNED, NONE = "grow", "signed", "none"


class MaskRepaint(nn.Module):
    """Changes a mask by what the picture's tokens and the reference say.

    Args:
        sizes: Widths of the denoiser's tokens and heads.
        signed: Whether a mask can shrink, too: by tanh in place of a sigmoid, which only grows.

    Source:
        CARE-Edit, arXiv 2603.08589, with the sigmoid as printed; tanh is ours.
    """

    def __init__(self, sizes: Sizes, signed: bool):
        super().__init__()
        self.signed, width = signed, sizes.width
        self.down = nn.Linear(sizes.dim, width, bias=False)
        self.refer = nn.Linear(width, width, bias=False)
        self.near = nn.Conv2d(2 * width + 1, width, 3, padding=1)
        self.out = nn.Conv2d(width, 1, 1)

    def forward(self, states: Tensor, summary: Tensor | None, mask: Tensor) -> Tensor:
        """Return the mask of the next layer, 0 to 1, [batch, 1, height, width].

        Args:
            states: The picture's tokens, normed, [batch, places, dim].
            summary: What the reference is like, [batch, width]; None where there is none.
            mask: That of the layer before, [batch, 1, height, width].
        """
        height, width = mask.shape[2:]
        own = to_map(self.down(states), (height, width))
        refer = torch.zeros_like(own[:, :, 0, 0]) if summary is None else self.refer(summary)
        read = [own, refer[:, :, None, None].expand_as(own), mask.to(own)]
        change = self.out(functional.silu(self.near(torch.cat(read, 1))))
        change = change.tanh() if self.signed else change.sigmoid()
        return (mask.to(change) + change).clamp(0, 1)


class LatentMixture(nn.Module):
    """Mixes what experts make at each place, and lets a gate return to what is edited.

    Args:
        dim: Width of the picture's tokens.
        experts: How many are mixed.
        gated: Whether one of them is of the picture that is edited.

    Source:
        CARE-Edit, arXiv 2603.08589. That it stands in the place of the last router, that places
        are weighed by a linear layer, and that the gate is told the time as blocks are, is ours.
    """

    def __init__(self, dim: int, experts: int, gated: bool):
        super().__init__()
        self.score = nn.Linear(dim, experts)
        self.gate = nn.Linear(2 * dim, 1) if gated else None

    def weights(self, states: Tensor, absent: Tensor) -> Tensor:
        """Return what each expert counts at each place, 1 together, [batch, places, experts].

        Args:
            states: The picture's tokens, normed, [batch, places, dim].
            absent: Which experts have nothing to say, bool, [experts].
        """
        return self.score(states).masked_fill(absent, -torch.inf).softmax(-1)

    def forward(
        self, mixed: Tensor, states: Tensor, base: Tensor | None, modulation: Tensor
    ) -> Tensor:
        """Return what is added in the end, [batch, places, dim].

        Args:
            mixed: What the experts add, weighed, [batch, places, dim].
            states: The picture's tokens, [batch, places, dim].
            base: What the expert of the picture that is edited adds, [batch, places, dim]; None
                where it has nothing to say.
            modulation: What blocks are told of the time, [batch, dim].
        """
        if self.gate is None or base is None:
            return mixed
        read = torch.cat([(states + base).mean(1), modulation.to(states)], -1)
        share = self.gate(read).sigmoid()[:, None]  # [batch, 1, 1]
        return (1 - share) * mixed + share * base
