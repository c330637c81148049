"""Any table of files and labels."""

import math
from pathlib import Path

from data_prep.datasets.checks import check_files, check_sounds
from data_prep.datasets.sounds.classes import NAMES
from data_prep.datasets.tables import read_table
from data_prep.sounds.labelled import Sound

COLUMNS = ("path", "label")
EXPECTED = "lines such as sounds/1.wav,dog below path,label"


def find_csv_sounds(table: str | Path) -> list[Sound]:
    """Read labelled sounds from a table.

    Args:
        table: A .csv file with the columns path (absolute, or relative to the table's folder) and
            label; and, where wanted, fold, speaker, and start_s and end_s for a part of a file.

    Returns:
        Sounds, line by line; the fold "val" or "valid" is called "validation".

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: It is no such table, or names files that are not there.
    """
    table = Path(table)
    if table.is_dir():
        raise FileNotFoundError(f"{table} is a folder; expected a .csv file. Name the file in it.")
    rows = read_table(table, COLUMNS)
    sounds = [_read_sound(row, table) for row in rows]
    return check_sounds(check_files(sounds, table), table, EXPECTED)


def _read_sound(row: dict[str, str], table: Path) -> Sound:
    path = Path(row["path"])
    start_s, end_s = _read_times(row, table)
    parts = [part for part in path.with_suffix("").parts if part != path.anchor]
    if row.get("start_s") or row.get("end_s"):  # several of one file
        parts.append(f"{start_s:g}-{'' if end_s is None else format(end_s, 'g')}")
    return Sound(
        id="_".join(parts),
        media=str(table.parent.resolve() / path),
        label=row["label"],
        fold=NAMES.get(row.get("fold", ""), row.get("fold", "")),
        speaker=row.get("speaker") or None,
        start_s=start_s,
        end_s=end_s,
    )


def _read_times(row: dict[str, str], table: Path) -> tuple[float, float | None]:
    start, end = row.get("start_s", ""), row.get("end_s", "")
    try:
        start_s, end_s = float(start or 0), float(end or math.inf)
    except ValueError:
        start_s = end_s = math.nan
    if not (0 <= start_s < end_s) or math.isinf(start_s):
        raise ValueError(
            f"{table} has start_s {start!r} and end_s {end!r} for {row['path']}; expected seconds, "
            "the end after the start. Correct or empty them."
        )
    return start_s, None if math.isinf(end_s) else end_s
