"""The Free Spoken Digit Dataset: 3000 spoken digits of six speakers."""

import re
from pathlib import Path
from typing import Literal, get_args

from data_prep.datasets.checks import check_sounds, require_folder
from data_prep.media.files import find_files
from data_prep.sounds.labelled import Sound

Label = Literal["digit", "speaker"]
NAME = re.compile(r"(\d)_([^_]+)_(\d+)")  # digit, speaker, index
TESTED = 5  # indices below
EXPECTED = "recordings/ with files such as 7_jackson_32.wav"


def find_fsdd_sounds(folder: str | Path, label: Label = "digit") -> list[Sound]:
    """Find the digits of the Free Spoken Digit Dataset.

    Args:
        folder: With recordings/.
        label: What is to be told: which digit, or who speaks.

    Returns:
        Sounds with folds "train" and, with the indices 0 to 4, "test"; speakers are in both.

    Raises:
        FileNotFoundError: There is no such folder.
        ValueError: No such label, or no recordings.

    Source:
        Jakobovski/free-spoken-digit-dataset, README, usage.
    """
    if label not in get_args(Label):
        raise ValueError(f"No label {label!r} in FSDD; known: {', '.join(get_args(Label))}.")
    folder = require_folder(folder, EXPECTED)
    sounds = []
    for path in find_files(folder / "recordings", {".wav"}, deep=False):
        name = NAME.fullmatch(path.stem)
        if name:
            digit, speaker, index = name.groups()
            fold = "test" if int(index) < TESTED else "train"
            wanted = digit if label == "digit" else speaker
            sounds.append(Sound(path.stem, str(path), wanted, fold, speaker))
    return check_sounds(sounds, folder, EXPECTED)
