"""Write what a training of method "full" came to as a CLIPSeg of its own.

`python -m tools.export_clipseg TRAINED DST [--half]`: `load_clipseg` and transformers read DST, and
trainings take it as their `model`. README.md in it is its model card.
"""

import argparse
from pathlib import Path

from modalities.vision_language.clipseg_files import save_clipseg
from modalities.whole_file import replace_when_whole
from tasks.segmentation.card import SegmenterCard
from tasks.segmentation.model import PromptedModel
from tasks.segmentation.segmenter_files import load_segmenter
from tasks.segmentation.variants import FULL

CARD = """---
license: {licence}
---
# {name}

A CLIPSeg of {millions:.1f} million parameters that transformers and
`mcgurk segment --model FOLDER` read. `mcgurk train` trained it as a whole on {data},
from the model `{model}`.

On the test images, in percent: {scores}.

What it is not: it knows the pictures and words that it was trained on and nothing else, paints
something for most prompts whether it is there or not, and is no medical device: nothing here has
been tested on patients.
"""


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
    with replace_when_whole(folder / "README.md") as partial:
        partial.write_text(describe(card, folder.name), encoding="utf-8")


def describe(card: SegmenterCard, name: str) -> str:
    """Return a model card, with the head that model hubs read."""
    told = {key: card.scores.get(f"test_{key}") for key in ("dice", "iou")}
    scores = [f"{key} {value:.1f}" for key, value in told.items() if value is not None]
    return CARD.format(
        licence=card.licence.lower() or "unknown",
        name=name,
        millions=card.parameters / 1e6,
        data=card.data,
        model=card.model,
        scores=", ".join(scores) or "not measured",
    )


if __name__ == "__main__":
    main()
