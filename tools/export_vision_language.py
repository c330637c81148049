"""Write what a training of method "full" came to as a vision-and-language model of its own.

`python -m tools.export_vision_language TRAINED DST [--half]`: `load_vision_language` reads DST, and
trainings take it as their `model`. README.md in it is its model card.
"""

import argparse
from pathlib import Path

from modalities.vision_language.vl_files import save_vision_language
from modalities.whole_file import replace_when_whole
from tasks.vision_language.answerer_files import load_answerer
from tasks.vision_language.card import AnswererCard
from tasks.vision_language.scores import RULES
from tasks.vision_language.variants import FULL

CARD = """---
license: {licence}
---
# {name}

A VL-BART of {millions:.1f} million parameters: a BART of transformers, and an embedding that shows
it pictures. `mcgurk train` trained it as a whole on {data}, with pictures seen by the frozen
encoder `{images}`, from random weights.

On the test rows, from 0 to 100: {scores}.

What it is not: a model of the world. It has seen rendered scenes of a few coloured shapes on plain
grounds and nothing else, knows about two hundred words, and answers any other question, and
describes any other picture, in terms of these.
"""


def main() -> None:
    """Write it, and say where."""
    parser = argparse.ArgumentParser(
        prog="python -m tools.export_vision_language", description=__doc__
    )
    parser.add_argument("trained", type=Path, metavar="TRAINED")
    parser.add_argument("folder", type=Path, metavar="DST")
    parser.add_argument("--half", action="store_true", help="weights in float16")
    given = parser.parse_args()
    try:
        export_vision_language(given.trained, given.folder, half=given.half)
    except (ValueError, OSError) as error:
        parser.exit(2, f"{error}\n")
    print(f"{given.folder}: {given.trained} as a vision-and-language model")


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
    if card.method != FULL:
        raise ValueError(
            f"{trained} was trained by method {card.method!r}; expected {FULL!r}. Of others the "
            "frozen model stays what it was."
        )
    save_vision_language(tuned.vl, folder, half=half)
    with replace_when_whole(folder / "README.md") as partial:
        partial.write_text(describe(card, folder.name), encoding="utf-8")


def describe(card: AnswererCard, name: str) -> str:
    """Return a model card, with the head that model hubs read."""
    told = {task: card.scores.get(f"test_{task}") for task in RULES}
    scores = [f"{task} {value:.1f}" for task, value in told.items() if value is not None]
    return CARD.format(
        licence=card.licence.lower() or "unknown",
        name=name,
        millions=card.parameters / 1e6,
        data=card.data,
        images=card.images,
        scores=", ".join(scores) or "not measured",
    )


if __name__ == "__main__":
    main()
