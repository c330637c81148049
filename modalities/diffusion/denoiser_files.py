"""Denoisers by folder or hub id: Stable Diffusion 1.x and 3, FLUX, and our small ones."""

import json
from pathlib import Path

import torch
from torch import Tensor

from modalities.diffusion.codecs import VaeCodec
from modalities.diffusion.denoiser import Denoiser
from modalities.diffusion.diffusers_package import import_diffusers
from modalities.diffusion.mmdit_files import FILES as MMDIT_FILES
from modalities.diffusion.mmdit_files import TRANSFORMER, load_mmdit
from modalities.diffusion.noise import NOISE, NoiseSchedule
from modalities.diffusion.saved_part import AGAIN, load_part
from modalities.diffusion.small import SmallDenoiser, SmallDenoiserOptions
from modalities.diffusion.small_mmdit import SmallMmdit, SmallMmditOptions
from modalities.empty_name import refuse_empty_name
from modalities.folder_contents import describe_folder
from modalities.hub import fetch, is_hub_id, reason_of
from modalities.network_file import load_network, read_name, save_network
from modalities.text_file import read_text

DENOISERS = {
    "stable-diffusion-v1-4": "CompVis/stable-diffusion-v1-4",
    "stable-diffusion-v1-5": "stable-diffusion-v1-5/stable-diffusion-v1-5",
    "stable-diffusion-3-medium": "stabilityai/stable-diffusion-3-medium-diffusers",
    "flux-dev": "black-forest-labs/FLUX.1-dev",
}
SHIPPED = {"scenes": Path(__file__).parent / "weights" / "scenes"}
WEIGHTS = "denoiser.safetensors"  # of a small one
INDEX = "model_index.json"  # of what diffusers saved
PARTS = ("unet", "vae")
FILES = (
    *(INDEX, "scheduler/*.json", "tokenizer/*", "text_encoder/config.json"),
    "text_encoder/model.safetensors",
    *(f"{part}/{file}" for part in PARTS for file in ("config.json", "diffusion_*.safetensors")),
    *MMDIT_FILES,
)


def load_denoiser(name: str | Path) -> Denoiser:
    """Load a frozen denoiser.

    Args:
        name: A folder of a small one that training wrote, or of Stable Diffusion 1.x, Stable
            Diffusion 3 or FLUX as diffusers saves it; else "scenes", a small one that comes with
            mcgurk, or a name of `DENOISERS`; else a hub id.

    Raises:
        ValueError: No such denoiser, another one, damaged, or not to be had without network;
            diffusers is not installed.
    """
    folder = _find(name)
    import_diffusers()  # else what is wrong with the file would be told
    if (folder / WEIGHTS).is_file():
        mmdit = read_name(folder / WEIGHTS) == SmallMmdit.__name__
        kinds = (SmallMmdit, SmallMmditOptions) if mmdit else (SmallDenoiser, SmallDenoiserOptions)
        denoiser: Denoiser = load_network(*kinds, folder / WEIGHTS)
        denoiser.name = str(name)
    elif (folder / TRANSFORMER).is_dir():
        denoiser = load_mmdit(folder, str(name))
    else:
        denoiser = _load_stable_diffusion(folder, str(name))
    return denoiser.freeze()


def save_denoiser(
    denoiser: SmallDenoiser | SmallMmdit, folder: str | Path, *, half: bool = False
) -> None:
    """Write a small denoiser so that `load_denoiser` reads it.

    Args:
        denoiser: What stands on it, as tokens of sounds, is not written.
        folder: Made where it is not there.
        half: Whether weights are kept in float16, half as large and a little less exact.

    Raises:
        OSError: The folder cannot be written.
    """
    Path(folder).mkdir(parents=True, exist_ok=True)
    save_network(denoiser, Path(folder) / WEIGHTS, half)


def _find(name: str | Path) -> Path:
    refuse_empty_name(name, "denoiser")
    folder = Path(name).expanduser()
    if folder.is_dir():
        if (folder / WEIGHTS).is_file() or (folder / INDEX).is_file():
            return folder
        raise ValueError(
            f"{folder} holds neither {WEIGHTS} nor {INDEX}: it holds {describe_folder(folder)}; "
            "expected a denoiser that training wrote, or one as diffusers saves its pipelines. "
            "Name the folder of one."
        )
    asked = str(name)
    if asked in SHIPPED:
        if not (SHIPPED[asked] / WEIGHTS).is_file():
            raise ValueError(
                f"The denoiser {asked!r} is not there yet; in a checkout "
                "`make audio-to-image-weights` trains it. Take a folder, or a name of the hub."
            )
        return SHIPPED[asked]
    if asked in DENOISERS or is_hub_id(asked):
        return fetch(DENOISERS.get(asked, asked), asked, files=FILES)
    raise ValueError(
        f"No denoiser {asked!r}: it is neither a folder nor an id on the Hugging Face hub "
        f"(OWNER/NAME). Known names: {', '.join((*SHIPPED, *DENOISERS))}."
    )


def _load_stable_diffusion(folder: Path, name: str) -> Denoiser:
    library = import_diffusers()
    unet = load_part(library.UNet2DConditionModel, folder / "unet")
    codec = VaeCodec(load_part(library.AutoencoderKL, folder / "vae"))
    empty = _read_empty(folder)
    if empty.shape[-1] != unet.config.cross_attention_dim:
        raise ValueError(
            f"{folder}: the denoiser reads tokens of width {unet.config.cross_attention_dim}, and "
            f"its text encoder makes {empty.shape[-1]}. {AGAIN}."
        )
    sides = unet.config.sample_size or 64
    height, width = (sides, sides) if isinstance(sides, int) else sides
    side = (height * codec.multiple, width * codec.multiple)
    return Denoiser(unet, codec, empty, _read_noise(folder), side, name)


@torch.no_grad()
def _read_empty(folder: Path) -> Tensor:
    """Return the tokens of an empty text, [tokens, dim]; its encoder is not kept."""
    from transformers import CLIPTextModel, CLIPTokenizer

    from modalities.pretrained import load_model

    encoder = load_model(CLIPTextModel, folder / "text_encoder", ("clip_text_model",))
    try:
        tokenizer = CLIPTokenizer.from_pretrained(folder / "tokenizer", local_files_only=True)
    except Exception as error:  # as above
        raise ValueError(
            f"{folder / 'tokenizer'} cannot be read ({reason_of(error)}). {AGAIN}."
        ) from error
    longest = encoder.config.max_position_embeddings
    ids = tokenizer("", padding="max_length", max_length=longest, return_tensors="pt")
    return encoder.eval()(ids["input_ids"]).last_hidden_state[0].clone()


def _read_noise(folder: Path) -> NoiseSchedule:
    """Read how the denoiser was trained.

    Raises:
        ValueError: The file is damaged, or tells of a schedule that is not known.
    """
    path = folder / "scheduler" / "scheduler_config.json"
    try:
        told = json.loads(read_text(path))
        return NoiseSchedule(
            told.get("beta_schedule", "linear"),
            int(told.get("num_train_timesteps", 1000)),
            float(told.get("beta_start", 1e-4)),
            float(told.get("beta_end", 0.02)),
            told.get("prediction_type", NOISE),
        )
    except (OSError, ValueError, TypeError, AttributeError) as error:
        raise ValueError(f"{path} cannot be read ({reason_of(error)}). {AGAIN}.") from error
