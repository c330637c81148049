"""Which tokens of one stream lie where a token of another does, and attention to these alone."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

CHUNK = 512  # query rows whose weights are held at once


@dataclass(frozen=True, eq=False)
class Aligned:
    """Tokens that each place has for itself, read in one softmax with those that all share.

    Attributes:
        keys: [batch, heads, places, near, head_dim].
        values: [batch, heads, places, near, head_dim].
        weights: What each counts, 0 for one that is not there; fits [batch, 1, places, near].
    """

    keys: Tensor
    values: Tensor
    weights: Tensor


def align(
    places: tuple[int, int], tokens: tuple[int, int], reach: int = 0
) -> tuple[Tensor, Tensor]:
    """Find for each place the tokens at the same position, whatever the two rates are.

    Args:
        places: Height and width of the grid that reads; height 1 for a time axis.
        tokens: Height and width of the grid that is read.
        reach: How many tokens around the one at the position are read as well.

    Returns:
        Numbers of tokens, [places, near], and which of these exist, bool, of the same size.
    """
    around = torch.arange(-reach, reach + 1)
    lines = []
    for count, of in zip(places, tokens, strict=True):
        # The token whose span holds the middle of the place's.
        middle = (2 * torch.arange(count) + 1) * of // (2 * count)
        lines.append(middle[:, None] + (around if of > 1 else around[:1] * 0))
    (rows, columns), (height, width) = lines, tokens
    row, column = rows[:, None, :, None], columns[None, :, None, :]
    there = (row >= 0) & (row < height) & (column >= 0) & (column < width)
    number = row.clamp(0, height - 1) * width + column.clamp(0, width - 1)
    size = places[0] * places[1]
    return number.reshape(size, -1), there.reshape(size, -1)


def attend_aligned(
    query: Tensor,
    keys: Tensor,
    values: Tensor,
    aligned: Sequence[Aligned] = (),
    weights: Tensor | None = None,
) -> Tensor:
    """Attend to tokens that all places share and to those of each place, in one softmax.

    Time and memory grow by places x near for each further stream, and not by places x tokens.

    Args:
        query: [batch, heads, places, head_dim].
        keys: That all share, [batch, heads, tokens, head_dim]; tokens may be 0 where each place has
            some for itself.
        values: What is read at each key, [batch, heads, tokens, head_dim].
        aligned: Those that each place has for itself.
        weights: What shared tokens count, 0 for one that is not read; fits
            [batch, 1, places, tokens]; None for 1.

    Returns:
        [batch, heads, places, head_dim].

    Source:
        PKA, arXiv 2602.06850, in the reading that is no plain addition of the value.
    """
    shared, found = keys.shape[2], []
    if weights is None:
        weights = query.new_ones(1, 1, 1, shared)
    for start in range(0, query.shape[2], CHUNK):
        rows = slice(start, start + CHUNK)
        asked = query[:, :, rows] * query.shape[-1] ** -0.5
        logits, counts, values_near = [asked @ keys.mT], [_rows(weights, rows)], []
        for one in aligned:
            logits.append((one.keys[:, :, rows] @ asked[..., None]).squeeze(-1))
            counts.append(_rows(one.weights, rows))
            values_near.append(one.values[:, :, rows])
        parts = _softmax(logits, counts)
        mixed = parts[0] @ values
        for part, near in zip(parts[1:], values_near, strict=True):
            mixed = mixed + (part[..., None, :] @ near).squeeze(-2)
        found.append(mixed)
    return torch.cat(found, 2)


def _rows(weights: Tensor, rows: slice) -> Tensor:
    return weights[:, :, rows] if weights.shape[2] > 1 else weights


def _softmax(logits: list[Tensor], counts: list[Tensor]) -> list[Tensor]:
    """Return shares in one softmax; a gradient reaches weights of 0 as well."""
    most = torch.stack(
        [
            logit.detach().masked_fill(count == 0, -torch.inf).amax(-1)
            for logit, count in zip(logits, counts, strict=True)
            if logit.shape[-1]
        ]
    ).amax(0)[..., None]
    shares = [
        (logit - most).clamp(max=80.0).exp() * count
        for logit, count in zip(logits, counts, strict=True)
    ]
    total = sum(share.sum(-1, keepdim=True) for share in shares)
    return [share / total for share in shares]
