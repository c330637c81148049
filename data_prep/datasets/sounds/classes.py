"""Any folder with a folder for each class, in parts or not."""

from pathlib import Path

from data_prep.datasets.checks import SHOWN, check_sounds, require_folder
from data_prep.media.files import MEDIA, find_files, without_sound_of_videos
from data_prep.sounds.labelled import Sound

NAMES = {
    "train": "train",
    "validation": "validation",
    "valid": "validation",
    "val": "validation",
    "test": "test",
}
EXPECTED = "a folder for each class, as dog/1.wav, or with parts, as train/dog/1.wav"


def find_class_sounds(folder: str | Path) -> list[Sound]:
    """Find the sounds in folders of classes.

    Args:
        folder: With a folder for each class, files anywhere below; or with folders train,
            validation (or val) and test, and the classes' folders in each.

    Returns:
        Sounds by their place; the fold is the part, or "".

    Raises:
        FileNotFoundError: There is no such folder.
        ValueError: It has no sounds, or some in no class.
    """
    folder = require_folder(folder, EXPECTED)
    kept, _ = without_sound_of_videos(find_files(folder, MEDIA))
    places = [path.relative_to(folder) for path in kept]
    depth = 1 if _has_parts(places, folder) else 0
    _check_depth(places, depth, folder)
    sounds = []
    for place in places:
        name = "_".join(place.with_suffix("").parts)
        fold = NAMES[place.parts[0]] if depth else ""
        sounds.append(Sound(name, str(folder / place), place.parts[depth], fold))
    return check_sounds(sounds, folder, EXPECTED)


def _has_parts(places: list[Path], folder: Path) -> bool:
    tops = {place.parts[0] for place in places if len(place.parts) > 1}
    parts = sorted(tops & NAMES.keys())
    others = sorted(tops - NAMES.keys())
    if others and len(parts) > 1:  # one alone may be a class: a train is a sound, too
        raise ValueError(
            f"{folder} has the parts {', '.join(parts)} and beside them {', '.join(others[:SHOWN])}"
            "; expected parts or classes. Move one of them elsewhere."
        )
    return bool(parts) and not others


def _check_depth(places: list[Path], depth: int, folder: Path) -> None:
    loose = [str(place) for place in places if len(place.parts) < depth + 2]
    if loose:
        raise ValueError(
            f"{folder} has {len(loose)} sounds in no class: {', '.join(loose[:SHOWN])}; expected "
            f"{EXPECTED}. Move them into their class's folder."
        )
