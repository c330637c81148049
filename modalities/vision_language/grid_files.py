"""Frozen encoders of pictures by name, folder, file or hub id, or small ones at random."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch

from modalities.pretrained import find_folder, load_model, read_model_type
from modalities.vision_language.clipseg import ClipSeg, Pictures
from modalities.vision_language.clipseg_files import (
    CLIPSEGS,
    SHIPPED,
    WEIGHTS_FOLDER,
    load_clipseg,
    random_clipseg,
    read_pictures,
    write_pictures,
)
from modalities.vision_language.grid_encoder import (
    CLIP_DEVIATION,
    CLIP_MEAN,
    GRID,
    ClipPictures,
    GridEncoder,
)
from modalities.vision_language.grid_resnets import (
    OPEN_CLIP,
    RESNETS,
    import_open_clip,
    load_resnet,
)
from modalities.vision_language.grid_trunks import (
    ClipSegTrunk,
    PlainResNetTrunk,
    ResNetTrunk,
    VitTrunk,
)

VITS = {
    "clip-vit-b32": "openai/clip-vit-base-patch32",
    "clip-vit-b16": "openai/clip-vit-base-patch16",
    "clip-vit-l14": "openai/clip-vit-large-patch14",
}
SHAPES = "shapes"  # the small ResNet that comes with mcgurk
KNOWN = (SHAPES, *SHIPPED, *CLIPSEGS, *RESNETS, *VITS)


def load_grid_encoder(name: str | Path = "shapes", grid: int = GRID) -> GridEncoder:
    """Load a frozen encoder of pictures.

    Args:
        name: A folder of a CLIP, CLIPSeg or ResNet that transformers saved; else "shapes" or
            "scenes", which come with mcgurk, or another name of `KNOWN`; else
            "open_clip:ARCHITECTURE:WEIGHTS", as "open_clip:RN101:yfcc15m" or
            "open_clip:RN50:weights.safetensors"; else a hub id.
        grid: Cells of each side after the pooling, where the encoder has as many.

    Raises:
        ValueError: No such encoder, damaged, not to be had without network, or open_clip is needed
            and not installed; a grid without cells.
    """
    asked = str(name)
    if not Path(name).expanduser().is_dir():
        if asked == SHAPES:
            return _load_plain_resnet(WEIGHTS_FOLDER / SHAPES, asked, grid)
        if asked in RESNETS:
            return _of_resnet(load_resnet(*RESNETS[asked]), asked, grid)
        if asked.startswith(OPEN_CLIP):
            kind, _, weights = asked.removeprefix(OPEN_CLIP).partition(":")
            return _of_resnet(load_resnet(kind, weights), asked, grid)
        if asked in SHIPPED or asked in CLIPSEGS:
            return grids_of(load_clipseg(asked), asked, grid)
    folder = find_folder(name, {**dict.fromkeys(KNOWN, ""), **VITS})
    if read_model_type(folder) == "clipseg":
        return grids_of(load_clipseg(folder), asked, grid)
    if read_model_type(folder) == "resnet":
        return _load_plain_resnet(folder, asked, grid)
    return _load_vit(folder, asked, grid)


def grids_of(clipseg: ClipSeg, name: str = "clipseg", grid: int = GRID) -> GridEncoder:
    """Build an encoder on the frozen vision encoder of a CLIPSeg.

    Args:
        clipseg: Used as it is, not copied.
        name: Error messages say it.
        grid: Cells of each side after the pooling.
    """
    return GridEncoder(ClipSegTrunk(clipseg), clipseg.pictures, name, grid)


def random_grid_encoder(
    kind: str, grid: int = GRID, seed: int = 0, config: Mapping[str, Any] | None = None
) -> GridEncoder:
    """Build a tiny encoder with random weights.

    Args:
        kind: "resnet", "vit" or "scenes".
        grid: Cells of each side after the pooling.
        seed: Fixes all weights; torch's own generator is left as it was.
        config: Changes sizes: of open_clip's ModifiedResNet, of transformers' CLIPVisionConfig, or
            of `random_clipseg`'s.

    Raises:
        ValueError: No such kind; open_clip is needed and not installed.
    """
    if kind not in RANDOM:
        raise ValueError(f"No kind {kind!r} of grid encoders; known: {', '.join(RANDOM)}.")
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return RANDOM[kind](grid, seed, config or {})


def _random_resnet(grid: int, seed: int, config: Mapping[str, Any]) -> GridEncoder:
    sizes = dict(layers=[1, 1, 1, 1], output_dim=8, heads=2, image_size=224, width=2)
    network = import_open_clip().modified_resnet.ModifiedResNet(**{**sizes, **config})
    return _of_resnet(network, "resnet-random", grid)


def _random_vit(grid: int, seed: int, config: Mapping[str, Any]) -> GridEncoder:
    from transformers import CLIPVisionConfig, CLIPVisionModel

    sizes = dict(hidden_size=32, intermediate_size=48, num_hidden_layers=2, num_attention_heads=2)
    places = dict(image_size=56, patch_size=8, projection_dim=16)
    whole: dict[str, Any] = {**sizes, **places, **config}
    model = CLIPVisionModel(CLIPVisionConfig(**whole))
    return GridEncoder(VitTrunk(model), ClipPictures(whole["image_size"]), "vit-random", grid)


def _random_scenes(grid: int, seed: int, config: Mapping[str, Any]) -> GridEncoder:
    return grids_of(random_clipseg(seed, config=config or None), "scenes-random", grid)


RANDOM: dict[str, Callable[[int, int, Mapping[str, Any]], GridEncoder]] = {
    "resnet": _random_resnet,
    "vit": _random_vit,
    "scenes": _random_scenes,
}


def _load_vit(folder: Path, name: str, grid: int) -> GridEncoder:
    from transformers import CLIPVisionModel

    model = load_model(CLIPVisionModel, folder, ("clip", "clip_vision_model"))
    trunk = VitTrunk(model)
    side = trunk.cells * trunk.patch
    # CLIP's file tells the edge of what a square is cut from; here the whole picture is squeezed.
    told = read_pictures(folder, Pictures(side, CLIP_MEAN, CLIP_DEVIATION), sized=False)
    pictures = ClipPictures(side, told.mean, told.deviation)
    return GridEncoder(trunk, pictures, name, grid)


def _load_plain_resnet(folder: Path, name: str, grid: int) -> GridEncoder:
    from transformers import ResNetModel

    model = load_model(ResNetModel, folder, ("resnet",))
    told = read_pictures(folder, Pictures(224, CLIP_MEAN, CLIP_DEVIATION), shortest=True)
    pictures = ClipPictures(told.side, told.mean, told.deviation)
    return GridEncoder(PlainResNetTrunk(model, told.side), pictures, name, grid)


def save_pictures(pictures: ClipPictures, folder: Path) -> None:
    """Write how pictures are made ready beside a model, as transformers and we read it.

    Raises:
        OSError: The folder cannot be written.
    """
    write_pictures(Pictures(pictures.side, pictures.mean, pictures.deviation), folder)


def _of_resnet(network: Any, name: str, grid: int) -> GridEncoder:
    return GridEncoder(ResNetTrunk(network), ClipPictures(network.image_size), name, grid)
