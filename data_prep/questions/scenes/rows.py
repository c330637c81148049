"""Rows of a manifest from pictures: what is asked, stated and said of them."""

from collections.abc import Iterator, Sequence

import numpy as np

from data_prep.questions.manifest import Question
from data_prep.questions.scenes.asking import ask
from data_prep.questions.scenes.describing import describe
from data_prep.questions.scenes.drawing import TWIST, Scene
from data_prep.questions.scenes.people import answer
from data_prep.questions.scenes.speaking import Speaker
from data_prep.questions.scenes.stating import Pair, state
from data_prep.questions.scenes.world import World
from data_prep.questions.scores import soft_scores

TASKS = ("vqa", "gqa", "nlvr2", "caption")
FOLDS = (*("train",) * 8, "validation", "test")  # of pairs of pictures, in turn


def fold_of(number: int) -> str:
    """Return the fold of a picture; the two of a pair are in one."""
    return FOLDS[number // 2 % len(FOLDS)]


def name_picture(number: int) -> str:
    """Return a picture's path below the folder of the manifest."""
    return f"images/{number:06d}.png"


def make_rows(
    world: World, seed: int, number: int, scene: Scene, tasks: Sequence[str], most: int
) -> Iterator[Question]:
    """Yield the rows of one picture.

    Args:
        world: The picture's.
        seed: The picture's.
        number: Which picture of this seed it is.
        scene: What is in it, with places.
        tasks: Names of `TASKS`; statements are left to `make_pair_rows`.
        most: Questions of each task.
    """
    paths, fold = (name_picture(number),), fold_of(number)
    key = f"{_name(world, seed)}.{number:06d}"
    for task in ("vqa", "gqa"):
        speaker = Speaker(world, _random(seed, number, task))
        for place, asked in enumerate(ask(task, scene, speaker, most) if task in tasks else ()):
            said = answer(asked, speaker) if task == "vqa" else ()
            scores = soft_scores(said) if said else {asked.answer: 1.0}
            name = f"{key}-{task}-{place}{asked.form}"
            yield Question(name, task, paths, asked.text, scores, said, fold)
    if "caption" in tasks:
        said = describe(scene, Speaker(world, _random(seed, number, "caption")))
        yield Question(f"{key}-caption", "caption", paths, "", dict.fromkeys(said, 1.0), said, fold)


def make_pair_rows(
    world: World, seed: int, number: int, pair: Pair, most: int
) -> Iterator[Question]:
    """Yield the statements about two pictures.

    Their ids are as NLVR2's, "train-seen1.12-0-1both": fold, set, pair and statement.

    Args:
        world: The pictures'.
        seed: The pictures'.
        number: Which picture is the left one, even; the right one is the next.
        pair: What is in them.
        most: Statements.
    """
    paths, fold = (name_picture(number), name_picture(number + 1)), fold_of(number)
    speaker = Speaker(world, _random(seed, number, "nlvr2"))
    for place, said in enumerate(state(pair, speaker, most)):
        name = f"{fold}-{_name(world, seed)}.{number // 2}-0-{place}{said.form}"
        yield Question(name, "nlvr2", paths, said.text, {said.answer: 1.0}, (), fold)


def form_of(row: Question) -> str:
    """Return the kind of a row of these scenes, as "vqa-colour"."""
    if row.task == "caption":
        return row.task
    parts = row.id.split("-", 3 if row.task == "nlvr2" else 2)
    return f"{row.task}-{parts[-1].lstrip('0123456789')}"


def _name(world: World, seed: int) -> str:
    """Return what ids begin with, so that several folders can be learnt from at once."""
    return f"{world.look}{seed}"


def _random(seed: int, number: int, task: str) -> np.random.Generator:
    return np.random.default_rng((seed, number, TWIST, 2 + TASKS.index(task)))
