"""Write what a training of method "full" came to as a CLIPSeg of its own.

`python -m tools.export_clipseg TRAINED DST [--half]`: `load_clipseg` and transformers read DST, and
trainings take it as their `model`. README.md in it is its model card.
"""

from pathlib import Path

from modalities.vision_language.clipseg_files import save_clipseg
from tasks.segmentation.card import SegmenterCard
from tasks.segmentation.model import PromptedModel
from tasks.segmentation.segmenter_files import load_segmenter
from tools.exporting import check_trained_whole, run_export, tell_scores, write_model_card

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
    run_export("tools.export_clipseg", __doc__, export_clipseg, "a CLIPSeg")


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
    check_trained_whole(trained, card.method)
    assert isinstance(model, PromptedModel)
    save_clipseg(model.clipseg, folder, half=half)
    write_model_card(folder, describe(card, folder.name))


def describe(card: SegmenterCard, name: str) -> str:
    """Return a model card, with the head that model hubs read."""
    return CARD.format(
        licence=card.licence.lower() or "unknown",
        name=name,
        millions=card.parameters / 1e6,
        data=card.data,
        model=card.model,
        scores=tell_scores(card.scores, ("dice", "iou")),
    )


if __name__ == "__main__":
    main()
