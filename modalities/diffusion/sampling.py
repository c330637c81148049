"""From noise to pictures, by a few steps of a solver, guided by what is told or not."""

import warnings
from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from modalities.diffusion.decoupled import Prompt
from modalities.diffusion.denoiser import Denoiser
from modalities.diffusion.limits import MOST_GUIDANCE, MOST_STEPS

STEPS, GUIDANCE = 20, 7.5
PLAIN = 1.0  # the guidance that changes nothing
Progress = Callable[[int, int], None]


@torch.no_grad()
def sample(
    denoiser: Denoiser,
    seeds: Sequence[int],
    audio: Tensor | None = None,
    null: Tensor | None = None,
    steps: int = STEPS,
    guidance: float = GUIDANCE,
    size: tuple[int, int] | None = None,
    progress: Progress | None = None,
    text: Prompt | None = None,
) -> Tensor:
    """Paint pictures.

    Conditions that injectors were told act here; where guidance doubles the batch, they are told
    with `repeats=Repeats(whole=2)`.

    Args:
        denoiser: In evaluation mode.
        seeds: One for each row, whose picture does not depend on the others.
        audio: Tokens of each row's sounds, [rows, sources, token_dim], or None for none.
        null: Tokens of no sound, in the same shape, from which guidance leads away. Not read where
            guidance is 1.
        steps: How often the denoiser looks, 1 or more.
        guidance: How far to go from what is painted without sounds or text to what is painted with
            them: 1 takes the latter as it is, at half the cost, 0 the former.
        size: Height and width in pixels; None for the denoiser's own.
        progress: Called with steps done, and all.
        text: What each row is about, as its tokens and, for MM-DiTs, its vector; guidance leads
            away from the empty text. None for the empty text alone.

    Returns:
        0..1, [rows, height, width, 3].

    Raises:
        ValueError: A size, number of steps or guidance that cannot be; a text beside sounds, or of
            another number of rows or tokens; a denoiser that tells NaN.
    """
    height, width = size or denoiser.side
    denoiser.check_size(height, width)
    check_sampling(steps, guidance)
    contrasted = text is not None or (audio is not None and null is not None)
    guided = contrasted and guidance != PLAIN
    if text is None:
        prompt = _tell(denoiser, len(seeds), audio, null if guided else None)
    else:
        prompt = _tell_text(denoiser, len(seeds), audio, text, guided)
    with warnings.catch_warnings():
        # diffusers hands torch's tensors to numpy 2 as arrays, which works, and warns each time.
        told = "__array__ implementation doesn't accept a copy keyword"
        warnings.filterwarnings("ignore", told, DeprecationWarning, r"diffusers\.")
        bounded, tokens = denoiser.codec.bounded, denoiser.count_tokens(height, width)
        solver = denoiser.noise.begin(steps, denoiser.device, bounded, tokens)
    latents = draw_noise(seeds, denoiser.codec.shape(height, width)).to(denoiser.device)
    for done, time in enumerate(solver.timesteps, 1):
        told = denoiser(torch.cat([latents, latents]) if guided else latents, time, prompt)
        if guided:
            without, with_sounds = told.chunk(2)
            told = without + guidance * (with_sounds - without)
        latents = solver.step(told, time, latents, return_dict=False)[0]
        if progress:
            progress(done, len(solver.timesteps))
    if not latents.isfinite().all():
        raise ValueError(
            f"What was painted by {denoiser.name} has NaN or infinite numbers; expected a picture. "
            "Its weights, or those of what reads sounds on it, are damaged: train them again."
        )
    return denoiser.codec.decode(latents)


def check_sampling(steps: int, guidance: float) -> None:
    """Check how pictures are to be painted.

    Raises:
        ValueError: Fewer than 1 step or more than `MOST_STEPS`, or a guidance below 0 or beyond
            `MOST_GUIDANCE`.
    """
    if not 1 <= steps <= MOST_STEPS:
        raise ValueError(f"steps is {steps}; expected 1 to {MOST_STEPS}.")
    if not 0 <= guidance <= MOST_GUIDANCE:
        raise ValueError(
            f"guidance is {guidance}; expected 0 to {MOST_GUIDANCE:g}, where 1 is none."
        )


def draw_noise(seeds: Sequence[int], shape: tuple[int, ...]) -> Tensor:
    """Draw a row's noise from its own seed, [rows, *shape], on the CPU, whatever the device."""
    rows = [torch.randn(shape, generator=torch.Generator().manual_seed(seed)) for seed in seeds]
    return torch.stack(rows)


def _tell(denoiser: Denoiser, rows: int, audio: Tensor | None, null: Tensor | None) -> Prompt:
    """Say what rows are about; with null tokens, all rows without sounds come before them."""
    if audio is None or null is None:
        return denoiser.prompt(rows, audio)
    return denoiser.prompt(2 * rows, torch.cat([null, audio]))


def _tell_text(
    denoiser: Denoiser, rows: int, audio: Tensor | None, text: Prompt, guided: bool
) -> Prompt:
    """Say what rows are about by a text; where it guides, all empty texts come before."""
    if audio is not None or text.audio is not None:
        raise ValueError("Pictures were told sounds and a text; expected one of both.")
    empty = denoiser.prompt(rows)
    if len(text.text) != rows or (guided and text.text.shape != empty.text.shape):
        raise ValueError(
            f"A text's tokens are {list(text.text.shape)}; expected {list(empty.text.shape)}, as "
            "those of the empty text."
        )
    if not guided:
        return text
    vector = empty.vector if text.vector is None else text.vector
    both = None if vector is None or empty.vector is None else torch.cat([empty.vector, vector])
    return Prompt(torch.cat([empty.text, text.text]), None, both)
