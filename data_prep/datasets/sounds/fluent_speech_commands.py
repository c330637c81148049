"""Fluent Speech Commands: 30,043 spoken commands of 97 speakers, of 31 intents."""

from pathlib import Path

from data_prep.datasets.checks import check_files, check_sounds, require_folder
from data_prep.datasets.tables import read_table
from data_prep.sounds.labelled import Sound

TABLES = {"train": "train_data.csv", "validation": "valid_data.csv", "test": "test_data.csv"}
SLOTS = ("action", "object", "location")
EXPECTED = f"wavs/ and data/ with {', '.join(TABLES.values())}"


def find_fluent_speech_commands_sounds(folder: str | Path) -> list[Sound]:
    """Find the commands of Fluent Speech Commands.

    Args:
        folder: With the tables in data/, whose paths are relative to it.

    Returns:
        Sounds with folds "train", "validation" and "test"; the label is the intent, "action object
        location", as "activate lights kitchen".

    Raises:
        FileNotFoundError: There is no such folder, or a table is missing.
        ValueError: Tables and files do not fit.

    Source:
        Speech Model Pre-training for End-to-End Spoken Language Understanding, arXiv 1904.03670.
    """
    folder = require_folder(folder, EXPECTED)
    sounds = []
    for fold, name in TABLES.items():
        sounds += _read_table(folder, folder / "data" / name, fold)
    return check_sounds(sounds, folder, EXPECTED)


def _read_table(folder: Path, table: Path, fold: str) -> list[Sound]:
    sounds = []
    for row in read_table(table, ("path", "speakerId", *SLOTS)):
        path, speaker = folder / row["path"], row["speakerId"]
        label = " ".join(row[slot] for slot in SLOTS)
        sounds.append(Sound(f"{speaker}_{path.stem}", str(path), label, fold, speaker))
    return check_files(sounds, table)
