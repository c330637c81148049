"""Write a trained answerer as one that comes along, with its model card.

`python -m tools.export_answerer TRAINED DST [--half] [--evaluation FOLDER ...]`: DST holds what
`Answerer.load` reads and nothing else of the training. README.md in it tells the scores of the
training, and of what `mcgurk evaluate` wrote to each FOLDER.
"""

import argparse
import json
from collections.abc import Sequence
from pathlib import Path

from tasks.cards import card_comes_last
from tasks.vision_language.answerer_files import TUNED, load_answerer
from tasks.vision_language.card import CARD, AnswererCard
from tasks.vision_language.evaluation.run import SCORES
from tasks.vision_language.scores import RULES
from tasks.vision_language.tuned_files import save_tuned
from tools.exporting import tell_scores, write_model_card

TEXT = """---
license: {licence}
---
# {name}

An adapter for the frozen language model `{model}`, which sees pictures through `{images}`: method
`{method}`, sharing `{sharing}`, {trained:,} of {parameters:,} parameters. It was trained on
{data}.

From 0 to 100, where 100 of captions is the usual CIDEr of 1.0:

{scores}

What it is not: something that knows photographs. It has seen rendered scenes of a few coloured
shapes, and answers any other question, and describes any other picture, in terms of these.
"""


def main() -> None:
    """Write it, and say where; mistakes are one line and exit 2."""
    parser = argparse.ArgumentParser(prog="python -m tools.export_answerer", description=__doc__)
    parser.add_argument("trained", type=Path, metavar="TRAINED")
    parser.add_argument("folder", type=Path, metavar="DST")
    parser.add_argument("--half", action="store_true", help="weights in float16")
    parser.add_argument("--evaluation", type=Path, metavar="FOLDER", nargs="*", default=[])
    given = parser.parse_args()
    try:
        export_answerer(given.trained, given.folder, given.evaluation, half=given.half)
    except (ValueError, OSError) as error:
        parser.exit(2, f"{error}\n")
    print(f"{given.folder}: {given.trained} as an answerer")


def export_answerer(
    trained: Path, folder: Path, evaluations: Sequence[Path] = (), *, half: bool = False
) -> None:
    """Write an answerer and its card.

    Args:
        trained: That training wrote.
        folder: Made where it is not there.
        evaluations: Folders of `mcgurk evaluate`, whose scores are told.
        half: Whether weights are kept in float16.

    Raises:
        FileNotFoundError: `trained` or an evaluation is not there, or not whole.
        ValueError: One is damaged.
        OSError: The folder cannot be written.
    """
    tuned, _, card = load_answerer(trained)
    lines = [f"* test rows of the training: {tell_scores(card.scores, RULES)}"]
    lines += [_tell_evaluation(place) for place in evaluations]
    with card_comes_last(folder, CARD, card):
        save_tuned(tuned, folder / TUNED, half=half)
        write_model_card(folder, describe(card, folder.name, lines))


def describe(card: AnswererCard, name: str, scores: Sequence[str]) -> str:
    """Return a model card, with the head that model hubs read."""
    return TEXT.format(
        licence=card.licence.lower() or "unknown",
        name=name,
        model=card.model,
        images=card.images,
        method=card.method,
        sharing=card.sharing,
        trained=card.trained,
        parameters=card.parameters,
        data=card.data,
        scores="\n".join(scores),
    )


def _tell_evaluation(folder: Path) -> str:
    """Return a line on what an evaluation came to.

    Raises:
        FileNotFoundError: It is not there.
        ValueError: It is damaged.
    """
    try:
        told = json.loads((folder / SCORES).read_text(encoding="utf-8"))
        scores = ", ".join(f"{task} {told['scores'][task]:.1f}" for task in told["scores"])
        return f"* {told['facts']['questions']}: {scores}"
    except (KeyError, TypeError, json.JSONDecodeError) as error:
        raise ValueError(f"{folder / SCORES} is damaged ({error}); evaluate again.") from error


if __name__ == "__main__":
    main()
