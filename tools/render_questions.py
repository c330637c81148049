"""Render scenes with questions: `python -m tools.render_questions DST --count 4000 --look seen`.

It holds images/ and manifest.jsonl: free data on which a model for pictures and language begins
(look "seen"), and to which it is then adapted (look "unseen": other colours, shapes, patterns and
wordings). A run that was killed is started again with the same arguments.
"""

import argparse
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import cv2

from data_prep.questions.manifest import MANIFEST, Question, read_questions, write_questions
from data_prep.questions.scenes.blind import blind_scores
from data_prep.questions.scenes.drawing import SMALLEST, Picture, render_picture
from data_prep.questions.scenes.rows import TASKS, make_pair_rows, make_rows, name_picture
from data_prep.questions.scenes.stating import Pair
from data_prep.questions.scenes.world import find_world
from data_prep.workers.resume import Outcome, check_replaced_manifest
from tasks.cli.progress import progress_bar
from tools.pieces import make_in_pieces

PIECE = 50  # pictures that one process draws at a time; even, as pairs stay together
SEEDS = 1_000_000  # pictures of one seed at most


@dataclass(frozen=True)
class RenderOptions:
    """What is drawn.

    Attributes:
        count: Pictures, 1 to a million.
        seed: Another number, other pictures.
        look: "seen" or "unseen".
        size: Edge of a picture in pixels, at least 96.
        tasks: Names of `TASKS`.
        questions: Rows of each task for a picture at most; captions have one.
    """

    count: int = 4000
    seed: int = 0
    look: str = "seen"
    size: int = 160
    tasks: tuple[str, ...] = TASKS
    questions: int = 4

    def __post_init__(self):
        if not 1 <= self.count <= SEEDS or self.seed < 0 or self.size < SMALLEST:
            raise ValueError(
                f"count is {self.count}, seed {self.seed} and size {self.size}; expected 1 to "
                f"{SEEDS:,} pictures, a seed of 0 or more and at least {SMALLEST} pixels."
            )
        find_world(self.look)
        unknown = [name for name in self.tasks if name not in TASKS]
        if unknown or not self.tasks:
            raise ValueError(f"The tasks are {','.join(self.tasks)!r}; known: {', '.join(TASKS)}.")
        if self.questions < 1:
            raise ValueError(f"questions is {self.questions}; expected 1 or more.")


def main() -> None:
    """Render, and say how much there is and what can be answered blindly."""
    parser = argparse.ArgumentParser(prog="python -m tools.render_questions", description=__doc__)
    parser.add_argument("folder", type=Path, metavar="DST")
    default = RenderOptions()
    for name in ("count", "seed", "look", "size", "questions"):
        value = getattr(default, name)
        parser.add_argument(f"--{name}", type=type(value), default=value)
    parser.add_argument("--tasks", default=",".join(TASKS), help="names with commas between")
    parser.add_argument("--workers", type=int, help="processes; as many as cores without")
    given = vars(parser.parse_args())
    folder, workers = given.pop("folder"), given.pop("workers")
    tasks = tuple(filter(None, given.pop("tasks").split(",")))
    try:
        options = RenderOptions(**given, tasks=tasks)
        with progress_bar("Rendering scenes", False, "{:.0f}".format) as show:
            rows = render_folder(folder, options, workers, show)
    except (ValueError, OSError) as error:
        parser.exit(2, f"{error}\n")
    print(summarise(rows, options.count, folder))


def summarise(rows: list[Question], pictures: int, folder: Path) -> str:
    """Return a line: how many rows of each task and fold, and what who does not look scores."""
    tasks = ", ".join(f"{task} {n:,}" for task, n in Counter(row.task for row in rows).items())
    folds = ", ".join(f"{fold} {n:,}" for fold, n in Counter(row.fold for row in rows).items())
    blind = ", ".join(f"{task} {score:.1f}" for task, score in blind_scores(rows).items())
    return (
        f"{len(rows):,} rows ({tasks}; {folds}) of {pictures:,} pictures in {folder}; "
        f"blind: {blind or 'none'}"
    )


def render_folder(
    folder: Path,
    options: RenderOptions,
    workers: int | None = None,
    progress: Callable[[float, float], None] | None = None,
) -> list[Question]:
    """Draw all pictures, then write the manifest.

    Args:
        folder: What is in it already of these names is written again.
        options: What is drawn.
        workers: Processes; as many as cores without.
        progress: Called with the pictures done, and all.

    Returns:
        The rows, in the order of the manifest, with paths relative to the folder.

    Raises:
        ValueError: Another manifest is there.
        OSError: It cannot be written.
    """
    manifest = folder / MANIFEST
    check_replaced_manifest(manifest, read_questions)
    (folder / "images").mkdir(parents=True, exist_ok=True)
    work = partial(_draw_piece, folder, options)
    rows = make_in_pieces(work, options.count, PIECE, workers, progress)
    rows.sort(key=lambda row: row.images[0])  # pieces come as they are ready
    write_questions(manifest, rows)
    return rows


def _draw_piece(folder: Path, options: RenderOptions, start: int) -> Outcome[Question]:
    cv2.setNumThreads(1)
    world = find_world(options.look)
    told = (options.tasks, options.questions)
    rows: list[Question] = []
    before: Picture | None = None
    for number in range(start, min(start + PIECE, options.count)):
        picture = render_picture(options.seed, number, options.look, options.size)
        _write(folder / name_picture(number), picture)
        rows += make_rows(world, options.seed, number, picture.scene, *told)
        if number % 2 and before and "nlvr2" in options.tasks:
            pair = Pair(before.scene, picture.scene)
            rows += make_pair_rows(world, options.seed, number - 1, pair, options.questions)
        before = picture
    return Outcome(tuple(rows))


def _write(path: Path, picture: Picture) -> None:
    image = cv2.cvtColor(picture.image, cv2.COLOR_RGB2BGR)
    whole, encoded = cv2.imencode(".png", image, [cv2.IMWRITE_PNG_COMPRESSION, 1])
    assert whole
    path.write_bytes(encoded.tobytes())


if __name__ == "__main__":
    main()
