"""Small CLIPSegs with random weights, and what they are asked."""

from typing import Any

import torch
from torch import Tensor

from modalities.vision_language.clipseg import ClipSeg, Pictures
from modalities.vision_language.clipseg_files import random_clipseg

PROMPTS = ["a red square", "one large blue circle at the left of the image", ""]
LAYER = dict(hidden_size=32, intermediate_size=48, num_hidden_layers=4, num_attention_heads=2)


def sizes(image_size: int = 48, patch: int = 16, complex_upsampler: bool = True, **text) -> dict:
    """Return the configuration of a small model, of whose four layers the decoder reads three."""
    return dict(
        projection_dim=24,
        reduce_dim=8,
        extract_layers=[0, 1, 2],
        decoder_num_attention_heads=2,
        decoder_intermediate_size=16,
        use_complex_transposed_convolution=complex_upsampler,
        vision_config=dict(LAYER, image_size=image_size, patch_size=patch),
        text_config=dict(LAYER, hidden_size=16, **text),
    )


def build(side: int = 48, **changes: Any) -> ClipSeg:
    return random_clipseg(config=sizes(**changes), pictures=Pictures(side=side))


def pixels_of(clipseg: ClipSeg, rows: int) -> Tensor:
    side = clipseg.pictures.side
    return torch.randn(rows, 3, side, side, generator=torch.Generator().manual_seed(1))
