"""Weights of ResAdapter as its authors publish them: a LoRA as diffusers names it, and norms."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from fusion.conditions.branches import key_of
from fusion.conditions.weight_patch import NORMS, RESIZING, WeightPatch, WeightPatchOptions
from modalities.tensor_file import read_tensors

PREFIX = "unet."  # where a file is of several models
# Endings by which diffusers and PEFT name the two convolutions of a change, and what it counts.
ENDINGS = {
    ".lora.down.weight": "down",
    ".lora_A.weight": "down",
    ".lora.up.weight": "up",
    ".lora_B.weight": "up",
    ".alpha": "alpha",
}
AGAIN = "download it again"


def load_res_adapter(
    model: Any, lora: str | Path, norms: str | Path | None = None, scale: float = 1.0
) -> dict[str, WeightPatch]:
    """Read a published ResAdapter, for `inject`.

    The norms that it was published with take the place of the denoiser's, and are turned into
    changes of these: on a denoiser that was trained further, the change is added to its own.

    Args:
        model: The UNet2DConditionModel of diffusers whose weights it was trained on.
        lora: Its pytorch_lora_weights.safetensors.
        norms: Its diffusion_pytorch_model.safetensors; None for the smaller form without norms.
        scale: What it counts.

    Returns:
        The injector as "size", as the preset "res_adapter" names it.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: It is damaged, or holds something else, or weights for another denoiser.

    Source:
        ResAdapter, arXiv 2403.02084; the layout is that of diffusers' `load_lora_weights`, and of
        `unet.load_state_dict` with a part of the weights.
    """
    tensors = _read(lora)
    weights, alphas = _changes(tensors, lora)
    ranks = {value.shape[0] for name, value in weights.items() if name.endswith(".down.weight")}
    if len(ranks) != 1 or len(alphas) > 1:
        raise ValueError(
            f"{lora} has changes of {len(ranks)} ranks and {len(alphas)} alphas; expected one rank,"
            " and one alpha or none."
        )
    rank = ranks.pop()
    alpha = alphas.pop() if alphas else float(rank)
    options = WeightPatchOptions(rank, alpha, norms is not None, scale)
    patch = WeightPatch(model, options)
    if norms is not None:
        weights |= _norm_changes(model, _read(norms), norms)
    try:
        patch.load_weights(weights)
    except ValueError as error:
        raise ValueError(f"{lora}: {error}") from error
    return {"size": patch.eval()}


def _read(path: str | Path) -> dict[str, Tensor]:
    found = read_tensors(path, "expected a published ResAdapter", AGAIN)
    return {name.removeprefix(PREFIX): value.float() for name, value in found.items()}


def _changes(
    tensors: Mapping[str, Tensor], path: str | Path
) -> tuple[dict[str, Tensor], set[float]]:
    """Return the weights of the changes as `WeightPatch` names them, and their alphas."""
    found, alphas = {}, set()
    for name, value in tensors.items():
        ending = next((one for one in ENDINGS if name.endswith(one)), "")
        layer = name.removesuffix(ending)
        if not ending or not layer.endswith(RESIZING):
            raise ValueError(
                f"{path} holds {name}; expected changes of {' and '.join(RESIZING)} alone."
            )
        if ENDINGS[ending] == "alpha":
            alphas.add(float(value))
        else:
            found[f"convolutions.{key_of(layer)}.{ENDINGS[ending]}.weight"] = value
    return found, alphas


@torch.no_grad()
def _norm_changes(model: Any, tensors: Mapping[str, Tensor], path: str | Path) -> dict[str, Tensor]:
    """Return by how much published norms differ from those of the denoiser."""
    own, found = model.state_dict(), {}
    for name, value in tensors.items():
        layer, _, kind = name.rpartition(".")
        if name not in own or ".resnets." not in layer or not layer.endswith(NORMS):
            raise ValueError(f"{path} holds {name}; expected norms of this denoiser's resnets.")
        if own[name].shape != value.shape:
            raise ValueError(
                f"{path}: {name} is {list(value.shape)}; this denoiser has {list(own[name].shape)}."
            )
        found[f"norms.{key_of(layer)}.{kind}"] = value - own[name].float().cpu()
    return found
