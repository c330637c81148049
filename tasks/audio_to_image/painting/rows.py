"""A picture for each row of embeddings, as many at once as memory is meant for."""

from collections.abc import Callable

import torch
from torch import Tensor

from modalities.diffusion.audio_adapter import AudioAdapter
from modalities.diffusion.denoiser import Denoiser
from modalities.diffusion.sampling import check_sampling, sample

AT_ONCE = 512 * 512  # pixels of pictures that are painted together, or one picture if it has more
Progress = Callable[[int, int], None]


def paint_rows(
    denoiser: Denoiser,
    adapter: AudioAdapter,
    embeddings: Tensor,
    seed: int,
    steps: int,
    guidance: float,
    size: tuple[int, int] | None = None,
    progress: Progress | None = None,
) -> Tensor:
    """Paint pictures.

    Args:
        denoiser: In evaluation mode.
        adapter: On it, in evaluation mode.
        embeddings: Each row's sounds, [rows, sources, dim], finite numbers.
        seed: What fixes the first row's noise; each next row has the next one.
        steps: How often the denoiser looks.
        guidance: How far to go beyond what is painted without sounds; 1 for none.
        size: Height and width in pixels; None for the denoiser's own.
        progress: Called with steps done, and all, over all rows.

    Returns:
        0..1, [rows, height, width, 3], on the CPU.

    Raises:
        ValueError: Embeddings of another form, or a number or size that cannot be.
    """
    check_sampling(steps, guidance)
    height, width = size or denoiser.side
    denoiser.check_size(height, width)
    told = torch.as_tensor(embeddings, dtype=torch.float32, device=denoiser.device)
    told = adapter.fill(told)
    if not told.isfinite().all():
        raise ValueError("Some embeddings are not finite. Embed these sounds again.")
    at_once = max(1, AT_ONCE // (height * width))
    painted = [torch.zeros(0, height, width, 3)]
    parts = -(-len(told) // at_once)
    for number in range(parts):
        first = number * at_once
        part = told[first : first + at_once]
        with torch.no_grad():
            audio, null = adapter.tokens(part), adapter.null(len(part))
        seeds = range(seed + first, seed + first + len(part))
        follow = _follow(progress, number, parts) if progress else None
        found = sample(denoiser, seeds, audio, null, steps, guidance, (height, width), follow)
        painted.append(found.cpu())
    return torch.cat(painted)


def _follow(progress: Progress, number: int, parts: int) -> Progress:
    """Return what counts the steps of one part among those of all."""
    return lambda done, steps: progress(number * steps + done, parts * steps)
