"""The contract between a frozen encoder of pictures and a language model that takes a grid."""

import hashlib
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, ClassVar, Protocol

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import adaptive_max_pool2d

from modalities.encoder import FrozenEncoder
from modalities.tensor_hash import hash_frozen

if TYPE_CHECKING:
    from PIL.Image import Image

GRID = 6  # cells of each side that are published: 36 tokens a picture
CLIP_MEAN = (0.48145466, 0.4578275, 0.40821073)
CLIP_DEVIATION = (0.26862954, 0.26130258, 0.27577711)


class Preparation(Protocol):
    """How pictures are made ready; its repr tells it from all others."""

    @property
    def side(self) -> int:
        """Height and width of what is made ready, in pixels."""
        ...

    def prepare(self, image: np.ndarray) -> Tensor:
        """Make a picture ready, [height, width, 3] from 0 to 1 -> [3, side, side]."""
        ...


class Trunk(Protocol):
    """What makes a grid of a picture: a frozen network without its end."""

    dim: int
    cells: int  # of each side, before the pooling
    told: str  # what it does with its weights, for an identity

    def __call__(self, pixels: Tensor) -> Tensor:
        """Encode, [batch, 3, side, side] -> [batch, dim, cells, cells]."""
        ...


@dataclass(frozen=True)
class ClipPictures:
    """Pictures as CLIP takes them, but whole: squeezed into a square, not cut to one.

    Attributes:
        side: Height and width, in pixels.
        mean: What is subtracted from red, green and blue, where white is 1.
        deviation: What the rest is divided by, each above 0.
    """

    side: int = 224
    mean: tuple[float, float, float] = CLIP_MEAN
    deviation: tuple[float, float, float] = CLIP_DEVIATION

    def prepare(self, image: np.ndarray) -> Tensor:
        """Make a picture ready, [height, width, 3] from 0 to 1 -> [3, side, side].

        Pillow resizes it in 8 bits, as for CLIP's own training: torch's bicubic overshoots.
        """
        from PIL import Image

        eight_bits = Image.fromarray(np.round(image * 255).astype(np.uint8))
        square = eight_bits.resize((self.side, self.side), Image.Resampling.BICUBIC)
        values = torch.from_numpy(np.array(square)).movedim(-1, 0).float() / 255
        mean, deviation = (torch.tensor(of)[:, None, None] for of in (self.mean, self.deviation))
        return (values - mean) / deviation


class GridEncoder(FrozenEncoder):
    """A frozen encoder of pictures whose grid is pooled to a fixed number of tokens.

    Args:
        trunk: Makes the grid; used as it is, not copied.
        pictures: How pictures are made ready.
        name: What was asked for; error messages say it.
        grid: Cells of each side after the pooling; a trunk with fewer keeps its own.

    Attributes:
        takes: What kind of file is prepared.
        name: As it was given.
        tokens: How many a picture becomes, row by row from the upper left.
        dim: Features of each token.
        grid: Cells of each side.
        side: Height and width of prepared pictures, in pixels.

    Raises:
        ValueError: A grid without cells.

    Source:
        Sung et al. (2022, arXiv 2112.06825): adaptive max pooling of CLIP's 7 x 7 cells to 6 x 6.
    """

    takes: ClassVar[str] = "picture"

    def __init__(self, trunk: Trunk, pictures: Preparation, name: str, grid: int = GRID):
        super().__init__()
        if grid < 1:
            raise ValueError(f"A grid of {grid} cells a side; expected 1 or more, as {GRID}.")
        assert isinstance(trunk, nn.Module)
        self.trunk, self.pictures, self.name = trunk, pictures, name
        self.grid = min(grid, trunk.cells)
        self.tokens, self.dim, self.side = self.grid**2, trunk.dim, pictures.side
        self.freeze()

    @cached_property
    def identity(self) -> str:
        """A hash of the frozen weights, of how pictures are made ready, and of the grid."""
        assert isinstance(self.trunk, nn.Module)
        frozen = hash_frozen(self.trunk.state_dict())
        told = repr((self.pictures, self.grid, self.trunk.told, frozen))
        return hashlib.sha256(told.encode()).hexdigest()[:32]

    def prepare(self, image: "Image | np.ndarray") -> Tensor:
        """Make a picture ready.

        Args:
            image: From Pillow, of which red, green and blue count; or floats from 0 to 1,
                [height, width, 3], as `data_prep.masks.images.read_image` reads a file: upright,
                blended where transparent, of 16 bits too.

        Returns:
            [3, side, side].

        Raises:
            ValueError: It is none of these.
        """
        if not isinstance(image, np.ndarray):
            image = np.asarray(image.convert("RGB"), np.float32) / np.float32(255)
        good = image.ndim == 3 and image.shape[2] == 3 and image.size and image.dtype.kind == "f"
        if not good or not 0 <= float(image.min()) <= float(image.max()) <= 1:
            raise ValueError(
                f"The image has shape {image.shape} and type {image.dtype}; expected floats from 0 "
                "to 1, [height, width, 3]. Divide bytes by 255."
            )
        return self.pictures.prepare(image)

    def forward(self, pixels: Tensor) -> Tensor:
        """Encode pictures.

        Args:
            pixels: From `prepare`, [batch, 3, side, side].

        Returns:
            [batch, tokens, dim].

        Raises:
            ValueError: Pictures of another size.
        """
        if pixels.ndim != 4 or pixels.shape[1:] != (3, self.side, self.side):
            raise ValueError(
                f"Pixels of shape {list(pixels.shape)}; {self.name} expects [batch, 3, {self.side},"
                f" {self.side}]. Make pictures ready with its prepare."
            )
        cells = adaptive_max_pool2d(self.trunk(pixels), self.grid)
        return cells.flatten(2).transpose(1, 2)  # [batch, tokens, dim]
