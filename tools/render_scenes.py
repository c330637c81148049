"""Render scenes into a folder: `python -m tools.render_scenes DST --count 4000 --seed 0`.

It holds images/, masks/ and manifest.jsonl: free data with which a model for segmentation by a
prompt begins. Nothing in it is medical. A run that was killed goes on where it was.
"""

import argparse
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path

import cv2
import numpy as np

from data_prep.json_lines import read_entries
from data_prep.masks.manifest import MANIFEST, MaskedImage
from data_prep.masks.scenes import Prompt, Scene, ask, render_scene
from data_prep.masks.scenes.prompts import ABSENT
from data_prep.masks.scenes.scene import LOOKS
from data_prep.workers.processes import run_in_processes
from data_prep.workers.resume import Outcome, check_manifest_folder, complete_manifest
from modalities.whole_file import replace_when_whole

SETTINGS = "settings.json"
PIECE = 50  # scenes that one process draws at a time
SEEDS = 1_000_000  # scenes of one seed never meet those of the next
FOLDS = (*("train",) * 8, "validation", "test")


@dataclass(frozen=True)
class RenderOptions:
    """What is drawn.

    Attributes:
        count: Pictures, 1 to a million.
        seed: Another number, other pictures, none of them in common.
        size: Edge of a picture in pixels, at least 48.
        prompts: At most so many a picture.
        wordings: At most so many a prompt.
        look: A name of `LOOKS` for all; "" for any.
        absent: Share of the prompts that fit nothing, 0 to below 1.
    """

    count: int = 4000
    seed: int = 0
    size: int = 128
    prompts: int = 5
    wordings: int = 3
    look: str = ""
    absent: float = ABSENT

    def __post_init__(self):
        if not 1 <= self.count <= SEEDS or self.seed < 0 or self.size < 48:
            raise ValueError(
                f"count is {self.count}, seed {self.seed} and size {self.size}; expected 1 to "
                f"{SEEDS:,} pictures, a seed of 0 or more and at least 48 pixels."
            )
        if not 0 <= self.absent < 1:
            raise ValueError(f"absent is {self.absent}; expected 0 to below 1.")
        if self.look and self.look not in LOOKS:
            raise ValueError(f"No look {self.look!r}; known: {', '.join(LOOKS)}.")
        if self.prompts < 1 or self.wordings < 1:
            raise ValueError(
                f"prompts is {self.prompts} and wordings {self.wordings}; expected 1 or more."
            )


def main() -> None:
    """Render and say how much there is."""
    parser = argparse.ArgumentParser(prog="python -m tools.render_scenes", description=__doc__)
    parser.add_argument("folder", type=Path, metavar="DST")
    for name, default in asdict(RenderOptions()).items():
        parser.add_argument(f"--{name}", type=type(default), default=default)
    parser.add_argument("--workers", type=int, help="processes; as many as cores without")
    given = vars(parser.parse_args())
    folder, workers = given.pop("folder"), given.pop("workers")
    try:
        rows = render_folder(folder, RenderOptions(**given), workers)
    except (ValueError, OSError) as error:
        parser.exit(2, f"{error}\n")
    print(f"{rows:,} prompts of {given['count']:,} pictures in {folder}")


def render_folder(folder: Path, options: RenderOptions, workers: int | None = None) -> int:
    """Draw the pictures that are not there yet.

    Args:
        folder: New, empty, or of a former run with the same options but for the count.
        options: What is drawn.
        workers: Processes; as many as cores without.

    Returns:
        Rows of the manifest, one a prompt.

    Raises:
        ValueError: The folder holds scenes of other options.
        OSError: It cannot be written.
    """
    manifest = folder / MANIFEST
    check_manifest_folder(manifest)
    _keep_settings(folder / SETTINGS, options)
    for name in ("images", "masks"):
        (folder / name).mkdir(exist_ok=True)
    starts = range(0, options.count, PIECE)
    done = _read_done(manifest, options.count)
    drawn = {row.group for row in done.values()}
    missing = [start for start in starts if _name(_last(start, options)) not in drawn]
    outcomes = run_in_processes(partial(_draw_piece, folder, options), missing, workers)
    ids = [
        f"{_name(number)}-{place}"
        for number in range(options.count)
        for place in range(options.prompts + 1)
    ]
    complete_manifest(manifest, ids, done, outcomes)
    return len(done)


def _keep_settings(path: Path, options: RenderOptions) -> None:
    """Write down what is drawn, or find that it is drawn otherwise."""
    settings = {
        name: value for name, value in asdict(options).items() if name != "count" and value != ""
    }
    if not path.exists():
        with replace_when_whole(path) as partial_file:
            partial_file.write_text(json.dumps(settings) + "\n", encoding="utf-8")
        return
    known = json.loads(path.read_text(encoding="utf-8"))
    if known != settings:
        raise ValueError(
            f"{path.parent} holds scenes of {known}; expected {settings}. Give another folder."
        )


def _read_done(manifest: Path, count: int) -> dict[str, MaskedImage]:
    """Return the rows of a former run without its last piece, which may lack some."""
    if not manifest.exists():
        return {}
    rows = list(read_entries(manifest, MaskedImage.from_json, "tools.render_scenes"))
    last = int(rows[-1].group) // PIECE if rows else -1
    numbers = ((int(row.group), row) for row in rows)
    return {row.id: row for number, row in numbers if number < count and number // PIECE != last}


def _last(start: int, options: RenderOptions) -> int:
    return min(start + PIECE, options.count) - 1


def _name(number: int) -> str:
    return f"{number:06d}"


def _draw_piece(folder: Path, options: RenderOptions, start: int) -> Outcome[MaskedImage]:
    cv2.setNumThreads(1)
    rows: list[MaskedImage] = []
    for number in range(start, _last(start, options) + 1):
        seed = options.seed * SEEDS + number
        scene = render_scene(seed, options.size, options.look)
        prompts = ask(scene, seed, options.prompts, options.wordings, options.absent)
        rows += _write_scene(folder, number, scene, prompts)
    return Outcome(tuple(rows))


def _write_scene(
    folder: Path, number: int, scene: Scene, prompts: Sequence[Prompt]
) -> list[MaskedImage]:
    name = _name(number)
    image = f"images/{name}.png"
    _write(folder / image, cv2.cvtColor(scene.image, cv2.COLOR_RGB2BGR))
    rows = []
    for place, prompt in enumerate(prompts):
        mask = f"masks/{name}-{place}.png"
        _write(folder / mask, prompt.mask.astype(np.uint8) * 255, [cv2.IMWRITE_PNG_BILEVEL, 1])
        wordings = {"p0": ("",), "p1": prompt.wordings}
        fold = FOLDS[number % len(FOLDS)]
        label = prompt.words["noun"]
        rows.append(MaskedImage(f"{name}-{place}", image, mask, label, fold, wordings, group=name))
    return rows


def _write(
    path: Path, picture: np.ndarray, flags: Sequence[int] = (cv2.IMWRITE_PNG_COMPRESSION, 1)
) -> None:
    whole, encoded = cv2.imencode(".png", picture, list(flags))
    assert whole
    path.write_bytes(encoded.tobytes())


if __name__ == "__main__":
    main()
