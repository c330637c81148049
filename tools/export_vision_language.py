"""Write what a training of method "full" came to as a vision-and-language model of its own.

`python -m tools.export_vision_language TRAINED DST [--half]`: `load_vision_language` reads DST, and
trainings take it as their `model`. README.md in it is its model card.
"""

from pathlib import Path

from modalities.vision_language.vl_files import save_vision_language
from tasks.vision_language.answerer_files import load_answerer
from tasks.vision_language.card import AnswererCard
from tasks.vision_language.scores import RULES
from tools.exporting import check_trained_whole, run_export, tell_scores, write_model_card

CARD = """---
license: {licence}
---
# {name}

A VL-BART of {millions:.1f} million parameters: a BART of transformers, and an embedding that shows
it pictures. `mcgurk train` trained it as a whole on {data}, beginning with `{model}`, with pictures
seen by the frozen encoder `{images}`.

On the test rows, from 0 to 100: {scores}.

What it is not: a model of the world. It has seen rendered scenes of a few coloured shapes and
nothing else, knows about two hundred words, and answers any other question, and
describes any other picture, in terms of these.
"""


def main() -> None:
    """Write it, and say where."""
    what = "a vision-and-language model"
    run_export("tools.export_vision_language", __doc__, export_vision_language, what)


def export_vision_language(trained: Path, folder: Path, *, half: bool = False) -> None:
    """Write the model of a trained answerer.

    Args:
        trained: That training wrote.
        folder: Made where it is not there.
        half: Whether weights are kept in float16.

    Raises:
        FileNotFoundError: `trained` is not there, or not whole.
        ValueError: It was not trained as a whole.
        OSError: The folder cannot be written.
    """
    tuned, _, card = load_answerer(trained)
    check_trained_whole(trained, card.method)
    save_vision_language(tuned.vl, folder, half=half)
    write_model_card(folder, describe(card, folder.name))


def describe(card: AnswererCard, name: str) -> str:
    """Return a model card, with the head that model hubs read."""
    return CARD.format(
        licence=card.licence.lower() or "unknown",
        name=name,
        millions=card.parameters / 1e6,
        data=card.data,
        model=card.model,
        images=card.images,
        scores=tell_scores(card.scores, RULES),
    )


if __name__ == "__main__":
    main()
