"""Positions as angles by which pairs of numbers are turned."""

import torch
from torch import Tensor

BASE = 10_000.0
Angles = tuple[Tensor, Tensor]  # cosines and sines, [..., tokens, head_dim], each twice in a row


def grid(height: int, width: int, device: torch.device | None = None) -> Tensor:
    """Return row and column of each place, [height * width, 2]."""
    rows, columns = torch.arange(height, device=device), torch.arange(width, device=device)
    return torch.cartesian_prod(rows, columns).reshape(-1, 2).float()


def angles_of(positions: Tensor, head_dim: int) -> Angles:
    """Return the angles of positions; each axis turns an equal part of a head.

    Args:
        positions: [..., tokens, axes].
        head_dim: Width of a head, a multiple of twice the axes.

    Returns:
        Cosines and sines, each [..., tokens, head_dim].
    """
    axes = positions.shape[-1]
    pairs = head_dim // (2 * axes)
    steps = torch.arange(pairs, device=positions.device, dtype=torch.float64) / pairs
    turned = positions.double()[..., None] * BASE**-steps  # [..., tokens, axes, pairs]
    turned = turned.flatten(-2).repeat_interleave(2, -1)
    return turned.cos().float(), turned.sin().float()


def turn(states: Tensor, angles: Angles) -> Tensor:
    """Turn the pairs of numbers of queries or keys by the angles of their positions.

    Args:
        states: [batch, heads, tokens, head_dim].
        angles: Cosines and sines, which fit that.
    """
    cosines, sines = (one.to(states.device) for one in angles)
    first, second = states.float().unflatten(-1, (-1, 2)).unbind(-1)
    across = torch.stack([-second, first], -1).flatten(-2)
    return (states.float() * cosines + across * sines).to(states.dtype)
