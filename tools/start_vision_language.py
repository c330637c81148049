"""Write the small VL-BART "scenes" as it begins, with random weights.

`python -m tools.start_vision_language DST [--seed 0]`: trainings take DST as their `model`. Its
words are those of rendered scenes, and all others letter by letter.
"""

import argparse
from pathlib import Path
from typing import Any

from data_prep.questions.scenes.words import build_tokenizer
from modalities.vision_language.grid_files import load_grid_encoder
from modalities.vision_language.vl_files import random_vision_language, save_vision_language

SIZES: dict[str, Any] = dict(
    d_model=128,
    encoder_layers=3,
    decoder_layers=3,
    encoder_attention_heads=4,
    decoder_attention_heads=4,
    encoder_ffn_dim=512,
    decoder_ffn_dim=512,
    max_position_embeddings=128,
    init_std=0.06,
)
IMAGES = "shapes"


def main() -> None:
    """Write it, and say where."""
    parser = argparse.ArgumentParser(
        prog="python -m tools.start_vision_language", description=__doc__
    )
    parser.add_argument("folder", type=Path, metavar="DST")
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    model = random_vision_language(
        "bart", build_tokenizer(), SIZES, load_grid_encoder(IMAGES).dim, seed=given.seed
    )
    save_vision_language(model, given.folder)
    count = sum(parameter.numel() for parameter in model.parameters())
    print(f"{given.folder}: a VL-BART of {count:,} parameters that has learnt nothing")


if __name__ == "__main__":
    main()
