"""Say how many painted icons are right: `python -m tools.painted_icons DST --painter ...`.

`--painter NAME PAINTER HEARD` is given once for each painter: what its row is called, the folder
that `mcgurk train` wrote, and that of what it heard (`embeddings` of its experiment). The rows of
fold test are painted, and the icons in the pictures are told by the nearest rendered ones. DST
holds scores.json, which a painter's card tells, and painted.png: the true pictures above those of
each painter.
"""

import argparse
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from data_prep.masks.images import to_8_bits
from modalities.outputs import check_outputs
from modalities.whole_file import replace_when_whole
from tasks.audio_to_image.painting.examples import Examples
from tasks.audio_to_image.painting.manifest import SoundedPicture, read_examples
from tasks.audio_to_image.painting.painter import Painter
from tasks.cli.progress import progress_bar
from tasks.pictures.sheets import save_sheet
from tools.icon_reader import IconReader

SCORES, SHEET = "scores.json", "painted.png"
TRUE = "true pictures"
NOTHING = "nothing heard"  # the row of the first painter with silence in place of the sounds
SHOWN, ENLARGED = 16, 3  # pictures on the sheet, and how many times as large
Icons = tuple[str, ...]


@dataclass(frozen=True)
class Told:
    """A painter, and sounds that it has not learnt.

    Attributes:
        painter: Loaded.
        rows: Pictures of the sounds, with what sounds, the loudest first.
        embeddings: What each row sounds like, [rows, sources, dim].
    """

    painter: Painter
    rows: list[SoundedPicture]
    embeddings: Tensor


def main() -> None:
    """Paint, read and write; mistakes are one line and exit 2."""
    parser = argparse.ArgumentParser(prog="python -m tools.painted_icons", description=__doc__)
    parser.add_argument("folder", type=Path, metavar="DST")
    names = ("NAME", "PAINTER", "HEARD")
    parser.add_argument("--painter", nargs=3, metavar=names, action="append", required=True)
    parser.add_argument("--count", type=int, default=300, help="sounds to paint at most")
    given = parser.parse_args()
    try:
        check_outputs([given.folder / SCORES, given.folder / SHEET])
        _check_names([name for name, _, _ in given.painter])
        told = {name: load(painter, heard, given.count) for name, painter, heard in given.painter}
        scores = measure(told, given.folder)
    except (ValueError, OSError) as error:
        parser.exit(2, f"{error}\n")
    for name, found in scores.items():
        print(f"{name}: {', '.join(f'{key} {value:.1f}' for key, value in found.items())}")


def _check_names(names: Sequence[str]) -> None:
    for name in names:
        if names.count(name) > 1 or name in (TRUE, NOTHING):
            raise ValueError(
                f"Two rows would be called {name!r}; expected a name of its own for each painter."
            )


def load(painter: str | Path, heard: str | Path, count: int) -> Told:
    """Load a painter and the sounds of fold test that it is to paint.

    Raises:
        FileNotFoundError: One is not there, or not whole.
        ValueError: One is damaged, or there is nothing to paint.
    """
    rows, embeddings = read_examples(heard, with_sounds=True)
    assert embeddings is not None
    numbers = [number for number, row in enumerate(rows) if row.fold == "test"][:count]
    if not numbers or count < 1:
        raise ValueError(
            f"{heard} has no sounds of fold test to paint, or --count is {count}; expected some."
        )
    return Told(Painter.load(painter, "cpu"), [rows[n] for n in numbers], embeddings[numbers])


def measure(painters: Mapping[str, Told], folder: Path) -> dict[str, dict[str, float]]:
    """Paint with each painter and, with silence, with the first; write scores and sheet.

    Args:
        painters: By what their rows are called, with the same sounds each.
        folder: Made where it is not there.

    Returns:
        `score_icons` of each row, and of the true pictures, in percent.

    Raises:
        ValueError: Painters have other sounds, or paint no squares of 32 pixels or more.
        OSError: The folder cannot be written.
    """
    first = next(iter(painters.values()))
    truth = [tuple(row.label.split(", ")) for row in first.rows]
    for told in painters.values():
        if [row.id for row in told.rows] != [row.id for row in first.rows]:
            raise ValueError("The painters heard other mixtures each; expected the same.")
        if told.painter.size != first.painter.size:
            raise ValueError(
                f"The painters paint {first.painter.size} and {told.painter.size} pixels; expected "
                "pictures of one size. Measure them one by one."
            )
    side = first.painter.size
    true = Examples(first.rows, None, [side])
    shown = {TRUE: np.stack([true.picture(n) for n in range(len(true))])}
    silent = Told(first.painter, first.rows, torch.zeros_like(first.embeddings))
    for name, told in {**painters, NOTHING: silent}.items():
        shown[name] = _paint(told, name)
    reader = IconReader(side[0])
    scores = {name: score_icons(reader.read(list(of)), truth) for name, of in shown.items()}
    folder.mkdir(parents=True, exist_ok=True)
    save_sheet(np.vstack([_row(pictures) for pictures in shown.values()]), folder / SHEET)
    with replace_when_whole(folder / SCORES) as partial:
        content = {"sounds": len(truth), "scores": scores}
        partial.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
    return scores


def score_icons(read: Sequence[Icons], truth: Sequence[Icons]) -> dict[str, float]:
    """Compare icons with what sounds.

    Args:
        read: Icons of each picture, from the top left.
        truth: What sounds, as many, the loudest first.

    Returns:
        In percent: "right", of all that sounds, what is painted; "of_painted", of all that is
        painted, what sounds; "exact", pictures with all that sounds and nothing else, and of those
        with one, two and three sounds "exact_1" and so on; "in_order", pictures whose icons are
        also in the order of loudness.
    """
    pairs = list(zip(read, truth, strict=True))
    hits = sum(len(set(icons) & set(sounds)) for icons, sounds in pairs)

    def percent(values: list[bool]) -> float:
        return 100 * float(np.mean(values))

    found = {
        "right": 100 * hits / sum(len(sounds) for sounds in truth),
        "of_painted": 100 * hits / sum(len(icons) for icons in read),
        "exact": percent([sorted(icons) == sorted(sounds) for icons, sounds in pairs]),
        "in_order": percent([icons == sounds for icons, sounds in pairs]),
    }
    for count in sorted({len(sounds) for sounds in truth}):
        some = [sorted(i) == sorted(sounds) for i, sounds in pairs if len(sounds) == count]
        found[f"exact_{count}"] = percent(some)
    return found


def _paint(told: Told, name: str) -> np.ndarray:
    """Return pictures, uint8 [rows, height, width, 3]."""
    with progress_bar(f"Painting, {name}", False, "{:.0f} steps".format) as show:
        painted = told.painter.paint(told.embeddings, progress=show)
    return to_8_bits(painted.numpy())


def _row(pictures: np.ndarray) -> np.ndarray:
    """Return some pictures beside one another, enlarged."""
    shown = np.hstack(list(pictures[:SHOWN]))
    return shown.repeat(ENLARGED, 0).repeat(ENLARGED, 1)


if __name__ == "__main__":
    main()
