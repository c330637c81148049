"""Which entries of a weight SHiRA trains."""

from collections.abc import Mapping, Sequence
from math import ceil
from typing import Any
from zlib import crc32

import numpy
import torch
from torch import Tensor, nn

from fusion.contract.selection import selection_of
from fusion.contract.sites import Site

MASKS = ("random", "struct", "magnitude", "gradient", "snip")
BY_DATA = ("gradient", "snip")


def choose(
    site: Site, mask: str, entries: int, seed: int = 0, gradient: Tensor | None = None
) -> Tensor:
    """Choose entries of the weight of a linear layer.

    Args:
        site: The layer.
        mask: One of `MASKS`.
        entries: How many.
        seed: Fixes the random mask, together with the site's name; other masks do not use it.
        gradient: Gradient of the loss by the weight, [out, in], for masks of `BY_DATA`; None for
            others.

    Returns:
        Rows and columns, in the order of the weight, [2, entries].
    """
    weight: Tensor = site.module.weight.detach()  # type: ignore[union-attr,operator]
    if mask == "random":
        # Not torch.randperm, which would permute all entries for the few.
        draw = numpy.random.default_rng([seed, crc32(site.name.encode())])
        chosen = torch.from_numpy(draw.choice(weight.numel(), entries, replace=False))
    else:
        chosen = _scores(weight, mask, entries, gradient).flatten().topk(entries).indices
    chosen = chosen.sort().values
    return torch.stack([chosen // weight.shape[1], chosen % weight.shape[1]])


def _scores(weight: Tensor, mask: str, entries: int, gradient: Tensor | None) -> Tensor:
    """Score the entries, [out, in]; the best are trained."""
    if mask == "struct":
        return _lines_first(weight, entries)
    if mask == "magnitude":
        return weight.abs()
    assert gradient is not None
    return (gradient if mask == "gradient" else weight * gradient).abs()


def _lines_first(weight: Tensor, entries: int) -> Tensor:
    """Score the diagonal first, then evenly spaced rows, or columns where they are longer."""
    if weight.shape[0] > weight.shape[1]:
        return _lines_first(weight.T, entries).T
    rows, columns = weight.shape
    lines = ceil((entries - rows) / (columns - 1))  # the diagonal has one entry in each row
    spaced = torch.arange(lines) * rows // lines
    scores = torch.zeros(rows, columns)
    # The last row is taken in part, so that there are exactly as many entries as wanted.
    scores[spaced] = torch.arange(lines, 0, -1.0)[:, None]
    return scores.fill_diagonal_(lines + 1.0)


def collect_gradients(
    model: nn.Module, sites: Sequence[Site], calibrate: Any
) -> Mapping[str, Tensor]:
    """Sum the gradients of the weights of the frozen model over some batches.

    Args:
        model: The model; adapters that it has are off meanwhile.
        sites: Linear layers.
        calibrate: Runs the model on some batches and yields a loss for each.

    Returns:
        By name of the site, [out, in].

    Raises:
        ValueError: No loss comes from a layer.
    """
    weights: list[nn.Parameter] = [site.module.weight for site in sites]  # type: ignore[misc]
    frozen = [weight for weight in weights if not weight.requires_grad]
    selection = selection_of(model)
    active = list(selection.active)
    sums: list[Tensor | None] = [None] * len(sites)
    try:
        selection.active[:] = []
        for weight in frozen:
            weight.requires_grad_(True)
        with torch.enable_grad():
            for loss in calibrate(model):
                found = torch.autograd.grad(loss, weights, allow_unused=True)
                sums = [_add(*pair) for pair in zip(sums, found, strict=True)]
    finally:
        selection.active[:] = active
        for weight in frozen:
            weight.requires_grad_(False)
    unreached = [site.name for site, total in zip(sites, sums, strict=True) if total is None]
    if unreached:
        raise ValueError(
            f"`calibrate` yielded no loss that comes from {', '.join(unreached[:2])}; expected "
            "losses that reach every layer. Run all of the model, or adapt fewer layers."
        )
    return {site.name: total for site, total in zip(sites, sums, strict=True) if total is not None}


def _add(total: Tensor | None, found: Tensor | None) -> Tensor | None:
    if total is None or found is None:
        return found if total is None else total
    return total + found
