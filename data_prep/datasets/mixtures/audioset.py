"""AudioSet's evaluation part: 20,371 clips of 10 s from YouTube, with what sounds in them."""

import csv
import io
import json
import re
from collections.abc import Iterator
from pathlib import Path

from data_prep.datasets.mixtures.dataset import Listed
from data_prep.datasets.remarks import Remarks
from data_prep.datasets.tables import read_table
from data_prep.media.files import find_files
from modalities.text_file import read_text

LAYOUT = (
    "eval_segments.csv with class_labels_indices.csv or ontology.json, or AudioSet.csv (file names "
    "and labels); and video/ID.mp4, or audio/ID.wav and image/ID.jpg"
)
SEGMENTS, CLASSES, ONTOLOGY, NAMED = (
    "eval_segments.csv",
    "class_labels_indices.csv",
    "ontology.json",
    "AudioSet.csv",
)
COMMA = re.compile(r",(?! )")  # between names, which may have commas with spaces in them


def read_audioset_eval(folder: Path, remarks: Remarks) -> Iterator[Listed]:
    """Yield the clips of AudioSet's evaluation part, with the names of their labels.

    Args:
        folder: Absolute, with its tables.
        remarks: Nothing is told of them here.

    Raises:
        FileNotFoundError: A table is missing.
        ValueError: A table is damaged, or a label has no name.

    Source:
        Audio Set: An ontology and human-labeled dataset for audio events, ICASSP 2017;
        research.google.com/audioset/download.html; the table of names as MACS gives it out.
    """
    tables = {path.name: path for path in find_files(folder, {".csv", ".json"})}
    if SEGMENTS in tables:
        yield from _read_segments(tables[SEGMENTS], _read_names(tables, folder))
    elif NAMED in tables:
        for row in read_table(tables[NAMED], ("filename", "event_labels")):
            labels = tuple(COMMA.split(row["event_labels"]))
            yield _list(row["filename"], labels, "", "")
    else:
        raise FileNotFoundError(f"{folder} has no table of AudioSet; expected {LAYOUT}.")


def _read_segments(path: Path, names: dict[str, str]) -> Iterator[Listed]:
    lines = [line for line in read_text(path).split("\n") if not line.startswith("#")]
    table = csv.reader(io.StringIO("\n".join(lines)), skipinitialspace=True)
    for row in filter(None, table):
        if len(row) != 4:
            raise ValueError(
                f"{path} has the line {', '.join(row)!r}; expected the id of a video, from and "
                "until which second, and labels in quotes. Get it anew."
            )
        video, start, end, labels = row
        unknown = [label for label in labels.split(",") if label not in names]
        if unknown:
            raise ValueError(
                f"{path} has the label {unknown[0]!r} for {video}, which {CLASSES} and {ONTOLOGY} "
                "do not name; expected tables of one edition. Get them anew."
            )
        yield _list(video, tuple(names[label] for label in labels.split(",")), start, end)


def _read_names(tables: dict[str, Path], folder: Path) -> dict[str, str]:
    if CLASSES in tables:
        rows = read_table(tables[CLASSES], ("mid", "display_name"))
        return {row["mid"]: row["display_name"] for row in rows}
    if ONTOLOGY in tables:
        return {one["id"]: one["name"] for one in json.loads(read_text(tables[ONTOLOGY]))}
    raise FileNotFoundError(
        f"{folder} has {SEGMENTS} and neither {CLASSES} nor {ONTOLOGY}; expected the names of its "
        "labels. Get one of them beside it."
    )


def _list(video: str, labels: tuple[str, ...], start: str, end: str) -> Listed:
    """List a clip under the names that the usual downloaders give it."""
    names = [video, f"Y{video}"]
    origin = f"video {video} of YouTube"
    if start:
        seconds = [f"{float(time):.0f}" for time in (start, end)]
        thousandths = [f"{float(time) * 1000:.0f}" for time in (start, end)]
        names += [f"{video}_{'_'.join(one)}" for one in (seconds, thousandths)]
        names += [f"{video}_{seconds[0]}", f"{video}_{thousandths[0]}"]
        origin += f", {seconds[0]} to {seconds[1]} s"
    return Listed(video, tuple(names), labels, origin=origin)
