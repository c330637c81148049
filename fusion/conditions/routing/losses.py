"""What trains experts of conditions besides the pictures: even load, a mask's edge, smooth maps."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor
from torch.nn import functional

from fusion.contract.options import check_choice
from fusion.routing.report import Trace

LOAD, EDGE, SMOOTH = "load", "mask", "mixture"
LOSSES = (LOAD, EDGE, SMOOTH)


@dataclass
class Watched:
    """What experts did in the forwards that were watched; gradients go through it.

    Attributes:
        trace: What routers decided, by the name of the block.
        masks: What each layer made of the mask, [batch, 1, height, width].
        mixtures: What experts counted in the end, [batch, experts, height, width] of each forward.
    """

    trace: Trace = field(default_factory=Trace)
    masks: list[Tensor] = field(default_factory=list)
    mixtures: list[Tensor] = field(default_factory=list)


def uneven_load(weights: Tensor) -> Tensor:
    """Return how far experts are from sharing all weight alike.

    Args:
        weights: What each expert counts for each row and token, [..., experts].

    Returns:
        sum_e (mean weight of e - 1 / experts)^2, scalar; 0 where all is even.

    Source:
        CARE-Edit, arXiv 2603.08589.
    """
    return (weights.flatten(0, -2).mean(0) - 1 / weights.shape[-1]).square().sum()


def total_variation(maps: Tensor) -> Tensor:
    """Return how much maps differ from place to place: mean |difference| of neighbours, scalar.

    Args:
        maps: [batch, channels, height, width].
    """
    return sum((step.abs().mean() for step in _steps(maps)), maps.new_zeros(()))


def mask_edge_loss(mask: Tensor, wanted: Tensor, roughness: float) -> Tensor:
    """Compare the edges of a mask with those that it is to have.

    Args:
        mask: 0 to 1, [batch, 1, height, width].
        wanted: The right one, of the same size.
        roughness: What the mean |Laplacian| of the mask counts.

    Returns:
        Mean |gradient of the mask - gradient of the right one| + roughness, scalar.

    Source:
        CARE-Edit, arXiv 2603.08589.
    """
    total = mask.new_zeros(())
    for own, other in zip(_steps(mask), _steps(wanted.to(mask)), strict=True):
        total = total + (own - other).abs().mean()
    kernel = mask.new_tensor([[0.0, 1, 0], [1, -4, 1], [0, 1, 0]]).expand(1, 1, 3, 3)
    around = functional.pad(mask, (1, 1, 1, 1), mode="replicate")
    return total + roughness * functional.conv2d(around, kernel).abs().mean()


def expert_loss(
    watched: Watched,
    factors: Mapping[str, float],
    wanted: Tensor | None = None,
    roughness: float = 0.1,
) -> Tensor:
    """Add up what trains experts besides the pictures.

    Args:
        watched: What they did, see `RoutedExperts.watch`.
        factors: What each loss counts, by the names of `LOSSES`.
        wanted: Where edits are to be, 0 to 1, [batch, 1, height, width]; the loss "mask" needs it.
        roughness: What the roughness of masks counts in that.

    Returns:
        Scalar, each loss a mean over layers.

    Raises:
        ValueError: No such loss, or it lacks what it needs.
    """
    found: dict[str, Sequence[Tensor]] = {}
    for name in factors:
        check_choice("loss", name, LOSSES)
        if name == EDGE and wanted is None:
            raise ValueError("Loss 'mask' needs where edits are to be; give wanted=...")
    found[LOAD] = [uneven_load(one.weights) for one in watched.trace.decided]
    found[EDGE] = []
    if EDGE in factors and wanted is not None:
        found[EDGE] = [mask_edge_loss(one, wanted, roughness) for one in watched.masks]
    found[SMOOTH] = [total_variation(one) for one in watched.mixtures]
    total = torch.zeros(())
    for name, factor in factors.items():
        if not found[name]:
            raise ValueError(
                f"Loss {name!r} has nothing to look at; run the denoiser within watch(), with "
                "experts that have it."
            )
        total = total + factor * torch.stack(list(found[name])).mean()
    return total


def _steps(maps: Tensor) -> tuple[Tensor, Tensor]:
    """Return differences of neighbours, down and across."""
    return maps.diff(dim=2), maps.diff(dim=3)
