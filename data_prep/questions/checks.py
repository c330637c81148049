"""What is checked of all rows together: each comes once, and its files are there."""

import zipfile
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path

from numpy.lib import format as npy

from data_prep.questions.manifest import FOLDS, Question
from modalities.spelling import count_things

SHOWN = 3
FEATURES = "features.npy"  # a file in the .npz
DIM = 512


def join_repeats(rows: Iterable[Question]) -> tuple[list[Question], list[str], list[str]]:
    """Take rows that come twice once; in two folds, in the one that is held back.

    Data sets are given out in several editions, which overlap: parts beside the whole, a balanced
    part beside all.

    Args:
        rows: All, in the order of the manifest.

    Returns:
        The rows, ids of those that came twice, and ids of those that were in two folds.

    Raises:
        ValueError: Two rows of one id are not the same.
    """
    kept: dict[str, Question] = {}
    twice, torn = [], []
    for row in rows:
        if row.id not in kept:
            kept[row.id] = row
            continue
        first = kept[row.id]
        if replace(first, fold=row.fold) != row:
            raise ValueError(
                f"Two rows have the id {row.id!r}: {_show(first)} and {_show(row)}; expected the "
                "same. Take one of the files away."
            )
        if first.fold != row.fold:
            torn.append(row.id)
            kept[row.id] = max(first, row, key=lambda one: ("", *FOLDS).index(one.fold))
        else:
            twice.append(row.id)
    return list(kept.values()), list(dict.fromkeys(twice)), list(dict.fromkeys(torn))


def _show(row: Question) -> str:
    return f"{row.text or list(row.answers)[:1]!r} of {', '.join(row.images)}"


def missing_files(names: Sequence[str], rows: int, folder: Path, what: str) -> ValueError:
    """Return an error that says how many files are missing, and the first of them.

    Args:
        names: What the files are called, without repeats.
        rows: How many rows need them.
        folder: Where they were looked for.
        what: They are, as "image".
    """
    more = ", ..." if len(names) > SHOWN else ""
    return ValueError(
        f"{count_things(len(names), what)} of {count_things(rows, 'row')} "
        f"{'is' if len(names) == 1 else 'are'} not below {folder}: {', '.join(names[:SHOWN])}"
        f"{more}; expected all. Unpack the whole data set, say with --images where they are, or "
        "leave these rows out with --skip-missing."
    )


def check_features(path: str | Path) -> None:
    """Check that a file holds the features of a video; only its head is read.

    Args:
        path: An .npz with "features", [frames, 512], as VALUE gives them out.

    Raises:
        OSError: It cannot be read.
        ValueError: It is something else.
    """
    expected = f'expected an .npz with "features", [frames, {DIM}], as clip-vit\'s are'
    try:
        with zipfile.ZipFile(path) as archive, archive.open(FEATURES) as file:
            version = npy.read_magic(file)
            read = npy.read_array_header_1_0 if version == (1, 0) else npy.read_array_header_2_0
            shape = read(file)[0]
    except OSError:
        raise
    except Exception as error:  # each way of being damaged has a class of its own
        reason = str(error).strip("\"'") or "it ends too early"
        raise ValueError(f"{path} has no features ({reason}); {expected}. Get it anew.") from error
    if len(shape) != 2 or shape[0] < 1 or shape[1] != DIM:
        raise ValueError(f"{path} has features {list(shape)}; {expected}. Is it of another model?")
