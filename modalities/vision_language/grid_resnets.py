"""CLIP's ResNets: open_clip's network, and weights from a file or from the hub."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from modalities.extras import import_extra
from modalities.hub import fetch, reason_of

OPEN_CLIP = "open_clip:"  # ARCHITECTURE:WEIGHTS follows: a tag of open_clip, or a file
# open_clip's architecture and tag of what OpenAI published.
RESNETS = {
    "clip-rn50": ("RN50", "openai"),
    "clip-rn101": ("RN101", "openai"),
    "clip-rn50x4": ("RN50x4", "openai"),
    "clip-rn50x16": ("RN50x16", "openai"),
}
WEIGHTS = "open_clip_model.safetensors"
VISUAL = re.compile(r"^(module\.)?visual\.")
HEAD = 64  # features of a head of the attention pooling


def import_open_clip() -> Any:
    """Import open_clip.

    Raises:
        ValueError: It is not installed, or broken.
    """
    return import_extra("open_clip", "clip", "CLIP's ResNets")


def load_resnet(kind: str, weights: str) -> nn.Module:
    """Load the pictures' half of a CLIP.

    open_clip's own loader builds the text encoder too, goes on with random weights where it finds
    none, tries a lost network for a minute, and writes all this to the root logger.

    Args:
        kind: open_clip's name of the architecture, as "RN101".
        weights: A checkpoint of a whole CLIP or of its pictures' half, .safetensors or what torch
            saved of tensors alone; else a tag of open_clip, as "openai".

    Returns:
        open_clip's ModifiedResNet, in float32.

    Raises:
        ValueError: open_clip is not installed; no such architecture or weights; they are damaged,
            or of another architecture.
    """
    open_clip = import_open_clip()
    config = open_clip.get_model_config(kind) or {}
    vision = config.get("vision_cfg", {})
    if not isinstance(vision.get("layers"), list):
        known = ", ".join(name for name in open_clip.list_models() if name.startswith("RN"))
        raise ValueError(f"{kind!r} is no CLIP ResNet; open_clip has {known}.")
    path = _find_weights(open_clip, kind, weights)
    network = open_clip.modified_resnet.ModifiedResNet(
        layers=vision["layers"],
        output_dim=config["embed_dim"],
        heads=vision["width"] * 32 // vision.get("head_width", HEAD),
        image_size=vision["image_size"],
        width=vision["width"],
    )
    try:
        network.load_state_dict(_visual_part(open_clip.factory.load_state_dict(str(path))))
    except Exception as error:  # many classes for the many ways a file can be damaged
        raise ValueError(
            f"{path} does not hold the weights of a {kind} as open_clip keeps them "
            f"({reason_of(error)}). Save it as safetensors, or download it again."
        ) from error
    return network


def _find_weights(open_clip: Any, kind: str, weights: str) -> Path:
    path = Path(weights).expanduser()
    if path.is_file():
        return path
    told = open_clip.get_pretrained_cfg(kind, weights) or {}
    repository = str(told.get("hf_hub", "")).rstrip("/")
    if not repository:
        tags = open_clip.list_pretrained_tags_by_model(kind)
        known = [tag for tag in tags if open_clip.get_pretrained_cfg(kind, tag).get("hf_hub")]
        raise ValueError(
            f"The weights {weights!r} of {kind} are neither a file nor a name of open_clip's; "
            f"known: {', '.join(known)}."
        )
    hint = f", or a file as {OPEN_CLIP}{kind}:FILE"
    return fetch(repository, f"{kind}:{weights}", hint, [WEIGHTS]) / WEIGHTS


def _visual_part(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    part = {VISUAL.sub("", name): value for name, value in state.items() if VISUAL.match(name)}
    return part or dict(state)
