"""Write the small VL-BART "scenes" as it begins, with random weights.

`python -m tools.start_vision_language DST [--words MANIFEST] [--images NAME] [--seed 0]`: trainings
take DST as their `model`. Its words are those of rendered scenes, or of a manifest of questions,
and all others letter by letter.
"""

import argparse
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from data_prep.questions.manifest import Question
from data_prep.questions.scenes.words import build_tokenizer, words_in
from modalities.vision_language.grid_files import load_grid_encoder
from modalities.vision_language.vl_files import random_vision_language, save_vision_language
from tasks.vision_language.data import read_manifests

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
    parser.add_argument("--words", metavar="MANIFEST", help="whose words are a token each")
    parser.add_argument("--images", metavar="NAME", default=IMAGES, help="what sees for it")
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    try:
        count = start_vision_language(given.folder, given.words, given.seed, given.images)
    except (ValueError, OSError) as error:
        parser.exit(2, f"{error}\n")
    print(f"{given.folder}: a VL-BART of {count:,} parameters that has learnt nothing")


def start_vision_language(
    folder: Path, manifest: str | None = None, seed: int = 0, images: str = IMAGES
) -> int:
    """Write a model with random weights, and return how many parameters it has.

    Args:
        folder: Made where it is not there.
        manifest: Of questions, or its folder, whose words are a token each; None takes those of
            rendered scenes.
        seed: Fixes all weights.
        images: What sees for it, as `load_grid_encoder` takes it.

    Raises:
        FileNotFoundError: There is no such manifest.
        ValueError: It is of something else, or there is no such encoder.
        OSError: The folder cannot be written.
    """
    words = None if manifest is None else words_in(_texts(read_manifests([manifest])))
    dim = load_grid_encoder(images).dim
    model = random_vision_language("bart", build_tokenizer(words), SIZES, dim, seed=seed)
    save_vision_language(model, folder)
    return sum(parameter.numel() for parameter in model.parameters())


def _texts(rows: Iterable[Question]) -> Iterable[str]:
    """Yield all that rows ask, say and compare with."""
    for row in rows:
        yield from (row.text, *row.answers, *row.references)


if __name__ == "__main__":
    main()
