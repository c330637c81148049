"""Speech Commands: single words of 1 s, with the authors' lists; version 2 has 35 words."""

from pathlib import Path

from data_prep.datasets.checks import check_sounds, refuse_missing, require_folder
from data_prep.media.files import find_files
from data_prep.sounds.labelled import Sound
from modalities.text_file import read_text

LISTS = {"validation": "validation_list.txt", "test": "testing_list.txt"}
EXPECTED = "a folder for each word, validation_list.txt and testing_list.txt"


def find_speech_commands_sounds(folder: str | Path) -> list[Sound]:
    """Find the words of Speech Commands, without its _background_noise_.

    Args:
        folder: With a folder for each word, and the two lists.

    Returns:
        Sounds with folds "train", "validation" and "test"; a speaker is in one of them.

    Raises:
        FileNotFoundError: There is no such folder, or no list in it.
        ValueError: It has no words, or the lists and the files do not fit.

    Source:
        Speech Commands: A Dataset for Limited-Vocabulary Speech Recognition, arXiv 1804.03209.
    """
    folder = require_folder(folder, EXPECTED)
    sounds = []
    waiting = {part: _read_list(folder / name) for part, name in LISTS.items()}
    for path in find_files(folder, {".wav"}):
        if path.parent.parent != folder or path.parent.name.startswith("_"):
            continue
        name = f"{path.parent.name}/{path.stem}.wav"
        fold = next((part for part, names in waiting.items() if name in names), "train")
        if fold in waiting:
            waiting[fold].remove(name)
        speaker = path.stem.partition("_nohash_")[0]
        label = path.parent.name
        sounds.append(Sound(f"{label}_{path.stem}", str(path), label, fold, speaker))
    for part, names in waiting.items():
        refuse_missing(sorted(names), folder / LISTS[part])
    return check_sounds(sounds, folder, EXPECTED)


def _read_list(path: Path) -> set[str]:
    if not path.is_file():
        raise FileNotFoundError(
            f"There is no {path}; expected the authors' list. It is in the archive of the data set."
        )
    return set(read_text(path).split())
