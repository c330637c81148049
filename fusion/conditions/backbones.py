"""Denoisers of published sizes with random weights, or none, by name."""

from pathlib import Path
from typing import Any

import torch

from modalities.diffusion.diffusers_package import import_diffusers
from modalities.spelling import did_you_mean

# The class of diffusers, and how it is built where that differs from its defaults.
BACKBONES: dict[str, tuple[str, dict[str, Any]]] = {
    "sd15": ("UNet2DConditionModel", {"cross_attention_dim": 768}),
    "sdxl": (
        "UNet2DConditionModel",
        {
            "sample_size": 128,
            "block_out_channels": (320, 640, 1280),
            "down_block_types": ("DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D"),
            "up_block_types": ("CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"),
            "transformer_layers_per_block": (1, 2, 10),
            "attention_head_dim": (5, 10, 20),
            "cross_attention_dim": 2048,
            "use_linear_projection": True,
            "addition_embed_type": "text_time",
            "addition_time_embed_dim": 256,
            "projection_class_embeddings_input_dim": 2816,
        },
    ),
    "sd3_medium": (
        "SD3Transformer2DModel",
        {
            "num_layers": 24,
            "num_attention_heads": 24,
            "caption_projection_dim": 1536,
            "pos_embed_max_size": 192,
        },
    ),
    "flux_dev": ("FluxTransformer2DModel", {"guidance_embeds": True}),
}

CONFIG = "config.json"  # of what diffusers saved
# ControlNets by name: what differs from diffusers' defaults, which are those for Stable Diffusion.
CONTROL_NETS: dict[str, dict[str, Any]] = {
    "sd15": {"cross_attention_dim": 768},
    "small": {
        "in_channels": 4,
        "block_out_channels": (8, 16),
        "down_block_types": ("CrossAttnDownBlock2D", "DownBlock2D"),
        "layers_per_block": 1,
        "norm_num_groups": 4,
        "attention_head_dim": 2,
        "cross_attention_dim": 10,
        "conditioning_embedding_out_channels": (4, 8),
    },
}


def build_control_net(name: str) -> Any:
    """Build a frozen ControlNet: a trained one of a folder, or one of random weights.

    Args:
        name: A folder with config.json and safetensors, as diffusers saves a ControlNetModel; else
            a name of `CONTROL_NETS`, whose weights are drawn on torch's current device.

    Raises:
        ValueError: No such one, a damaged one, or diffusers is not installed.
    """
    if (Path(name) / CONFIG).is_file():
        return _read_control_net(name)
    if name not in CONTROL_NETS:
        guess = did_you_mean(name, CONTROL_NETS)
        raise ValueError(
            f"No ControlNet {name!r}; known: {', '.join(CONTROL_NETS)}, or a folder that diffusers "
            f"saved.{guess}"
        )
    net = import_diffusers().ControlNetModel(**CONTROL_NETS[name])
    return net.requires_grad_(False).eval()


def _read_control_net(folder: str) -> Any:
    kind = import_diffusers().ControlNetModel
    try:
        net = kind.from_pretrained(folder, use_safetensors=True, local_files_only=True)
    except (OSError, ValueError, TypeError, KeyError, RuntimeError) as error:
        raise ValueError(
            f"{folder} holds no ControlNet that can be read ({error}); save it again by diffusers."
        ) from error
    return net.requires_grad_(False).eval()


def build_backbone(name: str, device: str = "meta") -> Any:
    """Build a denoiser of published size.

    Args:
        name: A name of `BACKBONES`.
        device: Where its weights lie, which are random; on "meta" there are none, only sizes.

    Raises:
        ValueError: No such denoiser, or diffusers is not installed.
    """
    if name not in BACKBONES:
        guess = did_you_mean(name, BACKBONES)
        raise ValueError(f"No backbone {name!r}; known: {', '.join(BACKBONES)}.{guess}")
    kind, settings = BACKBONES[name]
    with torch.device(device):
        return getattr(import_diffusers(), kind)(**settings).requires_grad_(False).eval()
