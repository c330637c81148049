"""How denoisers of diffusers' classes are called on latents, alike for U-Nets and MM-DiTs."""

from math import isqrt
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from modalities.diffusion.decoupled import Prompt

UNET, SD3, FLUX = "UNet2DConditionModel", "SD3Transformer2DModel", "FluxTransformer2DModel"
MMDITS = (SD3, FLUX)
# What a FLUX that was distilled for guidance is told of it, as diffusers' pipeline does.
DISTILLED_GUIDANCE = 3.5


def call_unet(unet: Any, noisy: Tensor, times: Tensor, prompt: Prompt) -> Tensor:
    """Call a U-Net, see `Denoiser.forward`."""
    return unet(
        noisy,
        times,
        prompt.text,
        # The one name that diffusers hands to each attention, and passes over where unread.
        cross_attention_kwargs={"ip_hidden_states": prompt},
        return_dict=False,
    )[0]


def call_sd3(model: Any, noisy: Tensor, times: Tensor, prompt: Prompt) -> Tensor:
    """Call Stable Diffusion 3's transformer, see `Denoiser.forward`."""
    return model(
        hidden_states=noisy,
        encoder_hidden_states=prompt.text,
        pooled_projections=prompt.vector,
        timestep=times.to(noisy).expand(len(noisy)),
        return_dict=False,
    )[0]


def call_flux(model: Any, noisy: Tensor, times: Tensor, prompt: Prompt) -> Tensor:
    """Call FLUX's transformer, see `Denoiser.forward`; latents are packed, and unpacked again."""
    height, width = noisy.shape[2:]
    patch = patch_of(model, noisy.shape[1])
    packed = functional.pixel_unshuffle(noisy, patch)
    side = (height // patch, width // patch)
    rows, guided = len(noisy), model.config.guidance_embeds
    told = model(
        hidden_states=packed.flatten(2).mT,
        encoder_hidden_states=prompt.text,
        pooled_projections=prompt.vector,
        timestep=times.to(noisy).expand(rows) / 1000,  # which it multiplies by that
        img_ids=_places(*side).to(noisy),
        txt_ids=noisy.new_zeros(prompt.text.shape[1], 3),
        guidance=noisy.new_full((rows,), DISTILLED_GUIDANCE) if guided else None,
        return_dict=False,
    )[0]
    return functional.pixel_shuffle(told.mT.unflatten(2, side), patch)


def patch_of(model: Any, channels: int) -> int:
    """Return the side of the blocks of latents that are one token; 1 for a U-Net.

    Args:
        model: A denoiser of diffusers.
        channels: Channels of its latents.

    Raises:
        ValueError: It does not read latents of so many channels.
    """
    kind, config = type(model).__name__, getattr(model, "config", None)
    if kind not in MMDITS:
        return 1
    assert config is not None
    patch = isqrt(config.in_channels // channels) if kind == FLUX else config.patch_size
    reads = channels * patch**2 if kind == FLUX else channels
    if not patch or config.in_channels != reads:
        raise ValueError(
            f"A {kind} that reads {config.in_channels} channels does not fit latents of {channels}."
        )
    return patch


def most_places(model: Any) -> int | None:
    """Return how many tokens a picture may have on a side; None where any number will do."""
    return model.config.pos_embed_max_size if type(model).__name__ == SD3 else None


def _places(height: int, width: int) -> Tensor:
    """Return what FLUX is told of where each token lies, [height * width, 3]."""
    sides = torch.arange(height), torch.arange(width)
    return functional.pad(torch.cartesian_prod(*sides).reshape(-1, 2), (1, 0)).float()


CALLS = {SD3: call_sd3, FLUX: call_flux}
