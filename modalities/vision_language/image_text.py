"""Pictures and text in one space: the contract, and CLIPs by name, folder or hub id."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import normalize

from modalities.encoder import FrozenEncoder
from modalities.pretrained import find_folder, load_model
from modalities.printable import check_texts
from modalities.tensor_hash import hash_frozen
from modalities.vision_language.clipseg import Pictures
from modalities.vision_language.clipseg_files import SCENES, load_tokenizer, read_pictures
from modalities.vision_language.grid_encoder import (
    CLIP_DEVIATION,
    CLIP_MEAN,
    ClipPictures,
    Preparation,
)
from modalities.vision_language.grid_files import VITS
from modalities.vision_language.tokens import tokenize, words_of

if TYPE_CHECKING:
    from transformers import CLIPModel, PreTrainedTokenizerBase

AT_ONCE = 32  # pictures that are encoded together


@runtime_checkable
class ImageText(Protocol):
    """A frozen model that embeds pictures and text as unit vectors.

    Attributes:
        name: What was asked for.
        dim: Features of an embedding.
    """

    name: str
    dim: int

    @property
    def identity(self) -> str:
        """What tells it from all others: another identity, other embeddings."""
        ...

    def embed_images(self, images: Sequence[np.ndarray | Tensor]) -> Tensor:
        """Embed pictures, each [height, width, 3] from 0 to 1: [pictures, dim]."""
        ...

    def embed_text(self, texts: Sequence[str]) -> Tensor:
        """Embed one text or more: [texts, dim]."""
        ...


@dataclass(frozen=True)
class CutPictures:
    """Pictures as CLIP was trained on them: a square is cut from their middle.

    Attributes:
        side: Height and width of the square, in pixels; the shorter edge is brought to it.
        mean: What is subtracted from red, green and blue, where white is 1.
        deviation: What the rest is divided by, each above 0.

    Source:
        transformers' CLIPImageProcessorPil.
    """

    side: int = 224
    mean: tuple[float, float, float] = CLIP_MEAN
    deviation: tuple[float, float, float] = CLIP_DEVIATION

    def prepare(self, image: np.ndarray) -> Tensor:
        """Make a picture ready, [height, width, 3] from 0 to 1 -> [3, side, side]."""
        from PIL import Image

        height, width = image.shape[:2]
        shorter = min(height, width)
        size = (self.side * width // shorter, self.side * height // shorter)
        whole = Image.fromarray(np.round(image * 255).astype(np.uint8))
        whole = whole.resize(size, Image.Resampling.BICUBIC)
        left, top = ((edge - self.side) // 2 for edge in size)
        square = whole.crop((left, top, left + self.side, top + self.side))
        values = torch.from_numpy(np.array(square)).movedim(-1, 0).float() / 255
        mean, deviation = (torch.tensor(of)[:, None, None] for of in (self.mean, self.deviation))
        return (values - mean) / deviation


class ClipImageText(FrozenEncoder):
    """A frozen CLIP that embeds pictures of any size, and text.

    Args:
        model: Used as it is, not copied.
        tokenizer: That belongs to it.
        pictures: How pictures are made ready.
        name: What was asked for; error messages say it.

    Attributes:
        name: As it was given.
        dim: Features of an embedding, 512 for ViT-B.

    Source:
        Radford et al. (2021, arXiv 2103.00020); transformers' CLIPModel.
    """

    def __init__(
        self,
        model: "CLIPModel",
        tokenizer: "PreTrainedTokenizerBase",
        pictures: Preparation | None = None,
        name: str = "clip",
    ):
        super().__init__()
        config: Any = model.config
        self.model, self.tokenizer, self.name = model, tokenizer, name
        self.pictures = pictures or CutPictures(config.vision_config.image_size)
        self.dim: int = config.projection_dim
        self._longest: int = config.text_config.max_position_embeddings
        self.freeze()

    @property
    def identity(self) -> str:
        """A hash of the frozen weights, the tokenizer's words, and how pictures are made ready."""
        return self._identity

    @cached_property
    def _identity(self) -> str:
        frozen = hash_frozen(self.model.state_dict())
        told = repr((self.pictures, frozen, words_of(self.tokenizer)))
        return hashlib.sha256(told.encode()).hexdigest()[:32]

    def embed_images(self, images: Sequence[np.ndarray | Tensor]) -> Tensor:
        """Embed pictures.

        Args:
            images: One or more of any sizes, each [height, width, 3], floats from 0 to 1.

        Returns:
            [pictures, dim], each of length 1, without gradients.

        Raises:
            ValueError: There is none, or one that is no such picture.
        """
        return normalize(self.image_features(images), dim=-1)

    @torch.no_grad()
    def image_features(self, images: Sequence[np.ndarray | Tensor]) -> Tensor:
        """Return what `embed_images` brings to length 1, as CLIP-FID takes it."""
        if not len(images):
            raise ValueError(f"{self.name} was given no picture; expected one or more.")
        device = self.model.visual_projection.weight.device
        found = []
        for first in range(0, len(images), AT_ONCE):
            some = [self._prepare(image) for image in images[first : first + AT_ONCE]]
            seen = self.model.vision_model(pixel_values=torch.stack(some).to(device))
            found.append(self.model.visual_projection(seen.pooler_output))
        return torch.cat(found)

    @torch.no_grad()
    def embed_text(self, texts: Sequence[str]) -> Tensor:
        """Embed texts; what is longer than 77 tokens is cut at its end.

        Args:
            texts: One or more.

        Returns:
            [texts, dim], each of length 1, without gradients.

        Raises:
            ValueError: There is none.
        """
        check_texts(texts, self.name)
        device = self.model.text_projection.weight.device
        tokens = tokenize(self.tokenizer, texts, self._longest)
        read = self.model.text_model(
            input_ids=tokens.ids.to(device), attention_mask=tokens.mask.to(device)
        )
        return normalize(self.model.text_projection(read.pooler_output), dim=-1)

    def _prepare(self, image: np.ndarray | Tensor) -> Tensor:
        values = image.detach().cpu().numpy() if isinstance(image, Tensor) else np.asarray(image)
        good = values.ndim == 3 and values.shape[-1] == 3 and values.size
        if not good or values.dtype.kind != "f" or not 0 <= values.min() <= values.max() <= 1:
            raise ValueError(
                f"A picture has shape {values.shape} and type {values.dtype}; expected floats from "
                "0 to 1, [height, width, 3]. Divide bytes by 255."
            )
        return self.pictures.prepare(values.astype(np.float32))


def load_image_text(name: str | Path = "clip-vit-b32", *, whole: bool = False) -> ClipImageText:
    """Load a frozen CLIP.

    Args:
        name: A folder that transformers saved; else "clip-vit-b32", "clip-vit-b16" or
            "clip-vit-l14"; else a hub id.
        whole: Whether whole pictures are squeezed into the square, as clean-fid does for
            CLIP-FID, instead of cutting one from their middle.

    Raises:
        ValueError: No such model, damaged, or not to be had without network.
    """
    from transformers import CLIPModel

    folder = find_folder(name, VITS)
    model = load_model(CLIPModel, folder, ("clip",))
    config: Any = model.config
    side = config.vision_config.image_size
    told = read_pictures(folder, Pictures(side, CLIP_MEAN, CLIP_DEVIATION), sized=False)
    kind = ClipPictures if whole else CutPictures
    pictures = kind(side, told.mean, told.deviation)
    return ClipImageText(model, load_tokenizer(folder), pictures, str(name))


def random_image_text(
    seed: int = 0,
    tokenizer: "PreTrainedTokenizerBase | None" = None,
    config: Mapping[str, Any] | None = None,
) -> ClipImageText:
    """Build a tiny CLIP with random weights.

    Args:
        seed: Fixes all weights; torch's own generator is left as it was.
        tokenizer: Its vocabulary is the model's; None takes that of "scenes".
        config: Fields of transformers' CLIPConfig that differ, as projection_dim, vision_config
            and text_config.
    """
    from transformers import CLIPConfig, CLIPModel

    tokenizer = tokenizer or load_tokenizer(SCENES)
    sizes = dict(hidden_size=32, intermediate_size=48, num_hidden_layers=2, num_attention_heads=2)
    given: dict[str, Any] = {"projection_dim": 16, **(config or {})}
    words = dict(
        vocab_size=len(tokenizer),
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )
    given["vision_config"] = {
        **sizes,
        "image_size": 32,
        "patch_size": 8,
        **given.get("vision_config", {}),
    }
    given["text_config"] = {**sizes, **words, **given.get("text_config", {})}
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = CLIPModel(CLIPConfig(**given))
    return ClipImageText(model, tokenizer, None, "clip-random")
