"""LLP (Look, Listen and Parse): 11,849 clips of 10 s from YouTube, with what sounds in them."""

import json
import re
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from data_prep.datasets.mixtures.dataset import Listed
from data_prep.datasets.remarks import Remarks
from data_prep.datasets.tables import read_table
from data_prep.media.files import find_files
from data_prep.mixtures.pictures import Event, count_events
from modalities.text_file import read_text

LAYOUT = (
    "LLP.csv (or AVVP_dataset_full.csv), or AVVP_train.csv, AVVP_val_pd.csv and AVVP_test_pd.csv; "
    "with LLP_train.json, LLP_eval.json and LLP_test.json; and video/ID.mp4, or audio/ID.wav and "
    "image/ID.jpg"
)
WHOLE = ("LLP", "AVVP_dataset_full")
PARTS = {"AVVP_train": "train", "AVVP_val_pd": "validation", "AVVP_test_pd": "test"}
COUNTS = {"LLP_train": "train", "LLP_eval": "validation", "LLP_test": "test"}
EVENTS = ("AVVP_eval_audio", "AVVP_eval_visual")
COLUMNS = ("filename", "event_labels")
NAME = re.compile(r"(.+)_(\d+(?:\.\d+)?)_(\d+(?:\.\d+)?)")  # id, from and until which second
SECONDS = 10
UNCOUNTED = "Clips of which it is not known when what is heard is seen"


def read_llp(folder: Path, remarks: Remarks) -> Iterator[Listed]:
    """Yield the clips of LLP.

    The fold is that of the authors' three tables, or of the three files of counts. The counts say
    how many things are both heard and seen in each second; where a file has none of a clip, they
    come from the marked events of validation and test (AVVP_eval_audio.csv, AVVP_eval_visual.csv).

    Args:
        folder: Absolute, with its tables.
        remarks: Where clips without counts are told.

    Raises:
        FileNotFoundError: It has no table.
        ValueError: A table or a file of counts is damaged.

    Source:
        Unified Multisensory Perception: Weakly-Supervised Audio-Visual Video Parsing, arXiv
        2007.10558; YapengTian/AVVP-ECCV20, data/; counts as MACS gives them out, arXiv 2503.10287.
    """
    tables = {path.stem: path for path in find_files(folder, {".csv"})}
    counted = _read_counts(folder)
    marked = _count_marked(tables)
    for one in _read_tables(folder, tables):
        fold, counts = counted.get(one.names[-1], ("", ()))
        counts = counts or marked.get(one.id, ())
        if not counts:
            remarks.note(UNCOUNTED, one.id)
        yield replace(one, fold=one.fold or fold, counts=counts)


def read_llp_multi(folder: Path, remarks: Remarks) -> Iterator[Listed]:
    """Yield the clips of LLP-multi: those with two labels or more, 7,202 of the whole.

    One of them, LcFWKgFphXI_20_30, has one label that its table lists twice.

    Args:
        folder: Absolute, with the tables of LLP.
        remarks: Where clips without counts are told.

    Raises:
        FileNotFoundError: It has no table.
        ValueError: A table or a file of counts is damaged.
    """
    return (one for one in read_llp(folder, remarks) if len(one.labels) > 1)


def _read_tables(folder: Path, tables: dict[str, Path]) -> Iterator[Listed]:
    parts = {tables[name]: fold for name, fold in PARTS.items() if name in tables}
    wholes = {tables[name]: "" for name in WHOLE if name in tables}
    if not parts and not wholes:
        raise FileNotFoundError(f"{folder} has no table of LLP; expected {LAYOUT}.")
    known: set[str] = set()
    for path, fold in (parts | dict(list(wholes.items())[:1])).items():
        for row in read_table(path, COLUMNS, "\t"):
            if fold or row["filename"] not in known:  # the whole adds what parts lack
                known.add(row["filename"])
                yield _read_row(path, row, fold)


def _read_row(path: Path, row: dict[str, str], fold: str) -> Listed:
    name = NAME.fullmatch(row["filename"])
    if name is None:
        raise ValueError(
            f"{path} has the file name {row['filename']!r}; expected the id of a video and its "
            "seconds, as BjCEufrlXm4_20_30. Get the table anew."
        )
    labels = tuple(label.strip().replace("_", " ") for label in row["event_labels"].split(","))
    video, start, end = name.groups()
    origin = f"video {video} of YouTube, {start} to {end} s"
    return Listed(row["filename"], (row["filename"], video), labels, fold, origin=origin)


def _read_counts(folder: Path) -> dict[str, tuple[str, tuple[int, ...]]]:
    """Return fold and counts by the id of the video."""
    found = {}
    for path in find_files(folder, {".json"}):
        if path.stem not in COUNTS:
            continue
        try:
            data = json.loads(read_text(path))
            for video, counts in data.items():
                found[video] = (COUNTS[path.stem], tuple(map(int, counts)))
        except (ValueError, TypeError, AttributeError) as error:
            raise ValueError(
                f"{path} has no counts ({error}); expected a number for each second by the id of "
                "the video. Get it anew."
            ) from error
    return found


def _count_marked(tables: dict[str, Path]) -> dict[str, tuple[int, ...]]:
    """Count what was marked as heard and as seen, by the id of the clip."""
    if not all(name in tables for name in EVENTS):
        return {}
    heard, seen = (_read_events(tables[name]) for name in EVENTS)
    return {
        clip: tuple(count_events(events, seen[clip], SECONDS))
        for clip, events in heard.items()
        if clip in seen
    }


def _read_events(path: Path) -> dict[str, list[Event]]:
    found: defaultdict[str, list[Event]] = defaultdict(list)
    for row in read_table(path, ("filename", "onset", "offset", "event_labels"), "\t"):
        try:
            times = float(row["onset"]), float(row["offset"])
        except ValueError as error:
            raise ValueError(
                f"{path} has the times {row['onset']!r} and {row['offset']!r} for "
                f"{row['filename']}; expected seconds. Get it anew."
            ) from error
        found[row["filename"]].append((row["event_labels"], *times))
    return dict(found)
