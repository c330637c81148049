"""What it costs to bring a source to a target."""

import torch
from torch import Tensor

NORM, SQUARED = "norm", "squared"
COSTS = (NORM, SQUARED)


def check_cost(cost: str) -> None:
    """Raise where no cost is called so.

    Raises:
        ValueError: The message lists those there are.
    """
    if cost not in COSTS:
        raise ValueError(f"No cost {cost!r}; known: {', '.join(COSTS)}.")


def costs_of_pairs(source: Tensor, target: Tensor, cost: str) -> Tensor:
    """Return what each row costs, [rows], float32 or finer.

    Args:
        source: [rows, ...].
        target: [rows, ...].
        cost: "norm", the Euclidean distance, or "squared", its square.
    """
    squares = (_fine(source) - _fine(target)).flatten(1).square().sum(1)
    return squares if cost == SQUARED else squares.sqrt()


def costs_of_all(source: Tensor, target: Tensor, cost: str) -> Tensor:
    """Return what each source costs to each target, [sources, targets], float32 or finer.

    Args:
        source: [sources, ...].
        target: [targets, ...].
        cost: "norm", the Euclidean distance, or "squared", its square.
    """
    # By products of matrices, the distance of rows that are alike would be rounding alone.
    exact = "donot_use_mm_for_euclid_dist"
    norms = torch.cdist(_fine(source).flatten(1), _fine(target).flatten(1), compute_mode=exact)
    return norms.square() if cost == SQUARED else norms


def _fine(rows: Tensor) -> Tensor:
    return rows.detach().to(torch.promote_types(rows.dtype, torch.float32))
