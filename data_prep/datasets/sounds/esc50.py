"""ESC-50: 2000 sounds of 5 s in 50 classes and five folds."""

import re
from pathlib import Path

from data_prep.datasets.checks import check_files, check_sounds, require_folder
from data_prep.datasets.tables import read_table
from data_prep.media.files import find_files
from data_prep.sounds.labelled import Sound

LABELS = (
    "dog rooster pig cow frog cat hen insects sheep crow rain sea_waves crackling_fire crickets "
    "chirping_birds water_drops wind pouring_water toilet_flush thunderstorm crying_baby sneezing "
    "clapping breathing coughing footsteps laughing brushing_teeth snoring drinking_sipping "
    "door_wood_knock mouse_click keyboard_typing door_wood_creaks can_opening washing_machine "
    "vacuum_cleaner clock_alarm clock_tick glass_breaking helicopter chainsaw siren car_horn "
    "engine train church_bells airplane fireworks hand_saw"
).split()
NAME = re.compile(r"([1-5])-\d+-[A-Z]-([0-4]?\d)")  # fold, recording, take, class
EXPECTED = "meta/esc50.csv and audio/, or files such as 1-100032-A-0.wav"


def find_esc50_sounds(folder: str | Path) -> list[Sound]:
    """Find the sounds of ESC-50.

    Args:
        folder: With meta/esc50.csv and audio/; without the table, with .wav files whose names tell
            fold and class, in audio/ or in the folder itself.

    Returns:
        Sounds with folds "1" to "5"; those of one recording are in one fold.

    Raises:
        FileNotFoundError: There is no such folder.
        ValueError: It has no sounds, or the table and the files do not fit.

    Source:
        Piczak 2015, ESC: Dataset for Environmental Sound Classification; karolpiczak/ESC-50.
    """
    folder = require_folder(folder, EXPECTED)
    table = folder / "meta/esc50.csv"
    sounds = _read_table(table, folder / "audio") if table.is_file() else _read_names(folder)
    return check_sounds(sounds, folder, EXPECTED)


def _read_table(table: Path, audio: Path) -> list[Sound]:
    sounds = []
    for row in read_table(table, ("filename", "fold", "category")):
        path = audio / row["filename"]
        sounds.append(Sound(path.stem, str(path), row["category"], row["fold"]))
    return check_files(sounds, table)


def _read_names(folder: Path) -> list[Sound]:
    audio = folder / "audio"
    paths = find_files(audio if audio.is_dir() else folder, {".wav"}, deep=False)
    named = [(path, NAME.fullmatch(path.stem)) for path in paths]
    return [Sound(p.stem, str(p), LABELS[int(name[2])], name[1]) for p, name in named if name]
