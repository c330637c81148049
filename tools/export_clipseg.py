"""Write what a training of method "full" came to as a CLIPSeg of its own.

`python -m tools.export_clipseg TRAINED DST [--half]`: `load_clipseg` and transformers read DST, and
trainings take it as their `model`.
"""

import argparse
from pathlib import Path

from modalities.vision_language.clipseg_files import save_clipseg
from tasks.segmentation.model import PromptedModel
from tasks.segmentation.segmenter_files import load_segmenter
from tasks.segmentation.variants import FULL


def main() -> None:
    """Write it, and say where."""
    parser = argparse.ArgumentParser(prog="python -m tools.export_clipseg", description=__doc__)
    parser.add_argument("trained", type=Path, metavar="TRAINED")
    parser.add_argument("folder", type=Path, metavar="DST")
    parser.add_argument("--half", action="store_true", help="weights in float16")
    given = parser.parse_args()
    try:
        export_clipseg(given.trained, given.folder, half=given.half)
    except (ValueError, OSError) as error:
        parser.exit(2, f"{error}\n")
    print(f"{given.folder}: {given.trained} as a CLIPSeg")


def export_clipseg(trained: Path, folder: Path, *, half: bool = False) -> None:
    """Write the model of a trained segmenter as a CLIPSeg.

    Args:
        trained: That training wrote.
        folder: Made where it is not there.
        half: Whether weights are kept in float16.

    Raises:
        FileNotFoundError: `trained` is not there, or not whole.
        ValueError: It was not trained as a whole.
        OSError: The folder cannot be written.
    """
    model, card = load_segmenter(trained)
    if card.method != FULL or not isinstance(model, PromptedModel):
        raise ValueError(
            f"{trained} was trained by method {card.method!r}; expected {FULL!r}. Of others the "
            "frozen model stays what it was."
        )
    save_clipseg(model.clipseg, folder, half=half)


if __name__ == "__main__":
    main()
