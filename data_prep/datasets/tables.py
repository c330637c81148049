"""Tables with commas or tabs, as data sets list their files in."""

import csv
import io
from collections.abc import Sequence
from pathlib import Path

from modalities.text_file import read_text


def read_table(path: Path, columns: Sequence[str], between: str = ",") -> list[dict[str, str]]:
    """Read a table with a line of names.

    Args:
        path: Text in an encoding of `read_text`, cells with commas in quotes.
        columns: That must be there, and filled.
        between: What parts cells, a comma or a tab.

    Returns:
        Cells by column, line by line.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: It is no such table; a column or a cell is missing.
    """
    if not path.is_file():
        raise FileNotFoundError(f"There is no file {path}; expected the columns {_list(columns)}.")
    try:
        text = io.StringIO(read_text(path), newline="")
        reader = csv.DictReader(text, skipinitialspace=True, delimiter=between)
        names, rows = reader.fieldnames or (), [(reader.line_num, row) for row in reader]
    except (ValueError, csv.Error) as error:
        raise ValueError(
            f"{path} is no table ({error}); expected text with commas. Save it anew as CSV."
        ) from error
    _check_columns(path, columns, names)
    return [_check_row(path, line, row, columns) for line, row in rows]


def _check_columns(path: Path, columns: Sequence[str], found: Sequence[str]) -> None:
    missing = [name for name in columns if name not in found]
    if missing:
        raise ValueError(
            f"{path} has the columns {_list(found) or 'none'} and not {_list(missing)}; expected "
            f"{_list(columns)}. Write them into its first line."
        )


def _check_row(
    path: Path, line: int, row: dict[str, str | None], columns: Sequence[str]
) -> dict[str, str]:
    if None in row:  # where csv puts what is beyond the last column
        raise ValueError(
            f"{path}, line {line} has more cells than columns; expected as many. Put cells with "
            "commas into quotes."
        )
    cells = {name: (cell or "").strip() for name, cell in row.items()}
    empty = [name for name in columns if not cells[name]]
    if empty:
        raise ValueError(
            f"{path}, line {line} has no {_list(empty)}; expected {_list(columns)}. Fill it in, or "
            "take the line out."
        )
    return cells


def _list(names: Sequence[str]) -> str:
    return ", ".join(names)
