"""UrbanSound8K: 8732 sounds of up to 4 s in ten classes and ten folds."""

from pathlib import Path

from data_prep.datasets.checks import check_files, check_sounds, require_folder
from data_prep.datasets.tables import read_table
from data_prep.sounds.labelled import Sound

EXPECTED = "metadata/UrbanSound8K.csv and audio/fold1 to fold10"


def find_urbansound8k_sounds(folder: str | Path) -> list[Sound]:
    """Find the sounds of UrbanSound8K.

    Args:
        folder: With metadata/UrbanSound8K.csv and audio/fold1 to fold10. The table's start and end
            are in recordings that it was cut from, not in its files.

    Returns:
        Sounds with folds "1" to "10"; those of one recording are in one fold.

    Raises:
        FileNotFoundError: There is no such folder, or no table in it.
        ValueError: Table and files do not fit.

    Source:
        Salamon, Jacoby, Bello 2014, A Dataset and Taxonomy for Urban Sound Research.
    """
    folder = require_folder(folder, EXPECTED)
    table = folder / "metadata/UrbanSound8K.csv"
    sounds = []
    for row in read_table(table, ("slice_file_name", "fold", "class")):
        path = folder / f"audio/fold{row['fold']}" / row["slice_file_name"]
        sounds.append(Sound(path.stem, str(path), row["class"], row["fold"]))
    return check_sounds(check_files(sounds, table), folder, EXPECTED)
