"""Stable Diffusion 3 and FLUX from the folders that diffusers saves."""

import json
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from modalities.diffusion.codecs import VaeCodec
from modalities.diffusion.denoiser import Denoiser
from modalities.diffusion.diffusers_package import import_diffusers
from modalities.diffusion.flow import FlowSchedule, flow_of
from modalities.diffusion.networks import FLUX, SD3
from modalities.diffusion.saved_part import AGAIN, load_part
from modalities.hub import reason_of
from modalities.text_file import read_text

TRANSFORMER = "transformer"
PIPELINES = {SD3: "StableDiffusion3Pipeline", FLUX: "FluxPipeline"}
SIDE = 128  # of the latents that FLUX paints, unless told another
_TEXTS = ("text_encoder", "text_encoder_2", "text_encoder_3")
FILES = (
    *("tokenizer_2/*", "tokenizer_3/*", "*/*.safetensors.index.json"),
    *(f"{TRANSFORMER}/{name}" for name in ("config.json", "diffusion_pytorch_model.safetensors")),
    f"{TRANSFORMER}/diffusion_pytorch_model-*-of-*.safetensors",
    *(f"{text}/{name}" for text in _TEXTS for name in ("config.json", "model.safetensors")),
    *(f"{text}/model-*-of-*.safetensors" for text in _TEXTS),
)


def load_mmdit(folder: Path, name: str) -> Denoiser:
    """Load an MM-DiT with its VAE, and what its text encoders make of an empty text.

    Args:
        folder: As diffusers saves a StableDiffusion3Pipeline or a FluxPipeline.
        name: What it was asked for by.

    Raises:
        ValueError: Another denoiser, or a damaged folder.
    """
    library = import_diffusers()
    kind = _read(folder / TRANSFORMER / "config.json").get("_class_name")
    if kind not in PIPELINES:
        raise ValueError(
            f"{folder / TRANSFORMER} holds a {kind}; expected a {' or '.join(PIPELINES)}."
        )
    network = load_part(getattr(library, kind), folder / TRANSFORMER)
    codec = VaeCodec(load_part(library.AutoencoderKL, folder / "vae"))
    side = (network.config.sample_size if kind == SD3 else SIDE) * codec.multiple
    empty, vector = _read_empty(getattr(library, PIPELINES[kind]), folder)
    noise = _read_flow(folder / "scheduler" / "scheduler_config.json", ends=kind == SD3)
    return Denoiser(network, codec, empty, noise, (side, side), name, vector)


@torch.no_grad()
def _read_empty(pipeline: Any, folder: Path) -> tuple[Tensor, Tensor]:
    """Return tokens and vector of an empty text; what made them is not kept."""
    try:
        built = pipeline.from_pretrained(
            folder,
            transformer=None,
            vae=None,
            local_files_only=True,
            use_safetensors=True,
        ).to(torch.float32)
        if pipeline.__name__ == PIPELINES[FLUX]:
            tokens, vector, _ = built.encode_prompt("")
        else:
            tokens, _, vector, _ = built.encode_prompt(
                "", None, None, do_classifier_free_guidance=False
            )
    except Exception as error:  # many classes for the many ways a folder can be damaged
        raise ValueError(
            f"The text encoders in {folder} cannot be read ({reason_of(error)}). {AGAIN}."
        ) from error
    return tokens[0].float().clone(), vector[0].float().clone()


def _read_flow(path: Path, ends: bool) -> FlowSchedule:
    try:
        return flow_of(_read(path), ends)
    except (ValueError, TypeError) as error:
        raise ValueError(f"{path} cannot be used: {reason_of(error)}. {AGAIN}.") from error


def _read(path: Path) -> dict[str, Any]:
    try:
        told = json.loads(read_text(path))
        if not isinstance(told, dict):
            raise ValueError("it is no object")
        return told
    except (OSError, ValueError) as error:
        raise ValueError(f"{path} cannot be read ({reason_of(error)}). {AGAIN}.") from error
