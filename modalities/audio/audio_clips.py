"""Sound of any length as clips of one length, for models that hear no other."""

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn.functional import normalize, pad

MOST_CLIPS = 8  # that are encoded at once; more rows than that are still one batch
# On a CPU larger batches are slower: their activations are fetched from the system every time.
MOST_CLIPS_OF_CPU = 3


def repeat_whole(waves: Tensor, length: int) -> Tensor:
    """Repeat sound as often as it goes whole into a length, then silence.

    Args:
        waves: [..., samples], 1 to `length` samples.
        length: Samples of what comes back.

    Returns:
        [..., length].
    """
    times = length // waves.shape[-1]
    whole = waves.repeat(*[1] * (waves.ndim - 1), times)
    return pad(whole, (0, length - whole.shape[-1]))


def find_starts(samples: int, length: int) -> list[int]:
    """Return where clips begin that cover longer sound, evenly spread, the last ending with it.

    Args:
        samples: How long the sound is, more than 0.
        length: How long a clip is, in samples.

    Returns:
        As few as cover all of it: [0] where the sound is no longer than a clip.
    """
    count = -(-samples // length)
    last = samples - length
    return [round(n * last / (count - 1)) for n in range(count)] if count > 1 else [0]


def embed_clips(waves: Tensor, length: int, embed: Callable[[Tensor], Tensor]) -> Tensor:
    """Embed sound of any length by a model of clips: the mean direction over its clips.

    What is shorter than a clip is repeated, what is longer is cut into evenly spread clips. All
    rows are encoded as one batch, clip by clip; of few rows several clips at once, so that memory
    does not grow with the length. On a CPU a batch goes in parts of three clips.

    Args:
        waves: [rows, samples], one of each or more.
        length: Samples of a clip.
        embed: Makes [clips, dim] of [clips, length].

    Returns:
        [rows, dim], each of length 1; gradients reach the waves.

    Raises:
        ValueError: Another shape, or no sound.
    """
    if waves.ndim != 2 or not waves.numel() or not waves.is_floating_point():
        raise ValueError(
            f"Sound of shape {list(waves.shape)} and type {waves.dtype}; expected floats, [rows, "
            "samples] with one row and sample or more. Give one clip as waves[None]."
        )
    rows, samples = waves.shape
    starts = find_starts(samples, length)
    at_once = max(1, MOST_CLIPS // rows)
    found = []
    for first in range(0, len(starts), at_once):
        some = starts[first : first + at_once]
        clips = [repeat_whole(waves[:, at : at + length], length) for at in some]
        all_clips = torch.cat(clips)
        parts = all_clips.split(MOST_CLIPS_OF_CPU) if all_clips.is_cpu else [all_clips]
        embedded = normalize(torch.cat([embed(part) for part in parts]), dim=-1)
        found.append(embedded.view(len(some), rows, -1))
    if len(starts) == 1:
        return found[0][0]
    return normalize(torch.cat(found).mean(0), dim=-1)
