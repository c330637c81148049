"""Write texts about an empty picture: `python -m tools.write_word_lists DST --count 20000`.

A small language model that begins with random weights learns from them to read and write all words
of both worlds of rendered scenes, as a model from the web knows them before it sees a picture: from
lists of words that are to be said again, and with `--texts N` also from N texts that give the words
a meaning (data_prep/questions/scenes/reading.py).
"""

import argparse
from pathlib import Path

import cv2
import numpy as np

from data_prep.questions.manifest import MANIFEST, Question, write_questions
from data_prep.questions.scenes.reading import read_text
from data_prep.questions.scenes.words import words_of_worlds

WORDS = (3, 8)  # of a list, the last with it


def main() -> None:
    """Write them, and say where."""
    parser = argparse.ArgumentParser(prog="python -m tools.write_word_lists", description=__doc__)
    parser.add_argument("folder", type=Path, metavar="DST")
    parser.add_argument("--count", type=int, default=20_000)
    parser.add_argument("--texts", type=int, default=0)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    write_word_lists(given.folder, given.count, given.seed, given.texts)
    texts = f" and {given.texts:,} texts" if given.texts else ""
    print(f"{given.count:,} lists{texts} in {given.folder}")


def write_word_lists(folder: Path, count: int, seed: int, texts: int = 0) -> None:
    """Write a manifest and its empty picture.

    Args:
        folder: Made where it is not there.
        count: Lists.
        seed: Fixes lists and texts.
        texts: What is to be read besides.

    Raises:
        OSError: The folder cannot be written.
    """
    picture = folder / "images" / "empty.png"
    picture.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(picture), np.full((160, 160, 3), 128, np.uint8))
    random, words = np.random.default_rng(seed), words_of_worlds()
    rows = []
    for number in range(count):
        some = random.choice(words, int(random.integers(WORDS[0], WORDS[1] + 1)))
        text = " ".join(some)
        name = f"words-{number:06d}"
        rows.append(_row(name, picture, "caption", text, text))
    random = np.random.default_rng((seed, 1))
    rows += [_row(f"text-{n:06d}", picture, *read_text(random)) for n in range(texts)]
    write_questions(folder / MANIFEST, rows)


def _row(name: str, picture: Path, task: str, text: str, answer: str) -> Question:
    return Question(name, task, (str(picture.resolve()),), text, {answer: 1.0}, (), "train")


if __name__ == "__main__":
    main()
