"""Files below a folder that a user means: not hidden ones, and not those that we made there."""

import os
from collections.abc import Container, Iterable, Iterator
from itertools import islice
from pathlib import Path

from modalities.printable import printable

VIDEOS = frozenset(
    ".mp4 .mkv .webm .mov .avi .mpg .mpeg .m4v .ts .mts .m2ts .flv .wmv .3gp".split()
)
SOUNDS = frozenset(".wav .flac .ogg .opus .mp3 .m4a .aac .mka .aif .aiff .wma".split())
MEDIA = VIDEOS | SOUNDS
MARK = ".mcgurk"  # in a folder that a command filled by itself
# What `prepare` and `mix` write beside a manifest: files that mark the folder, and what is in it.
MADE = ({"manifest.jsonl"}, "mouths"), ({"manifest.jsonl", "settings.json"}, "audio")


def find_files(folder: str | Path, suffixes: Container[str], deep: bool = True) -> list[Path]:
    """Find files of some kinds, in folders of any depth.

    Left out are hidden files and folders, whose names begin with a dot (as "._clip.mp4", which
    Macs write), the mouth videos and mixtures that `prepare` and `mix` wrote below the folder, and
    folders below it that other commands filled and marked. Links to folders are not followed.

    Args:
        folder: Where to look; its own name may begin with a dot, and it may be a marked one.
        suffixes: In small letters, as ".wav"; files may have them in capitals.
        deep: Look into folders in it, too.

    Returns:
        Paths that begin with the folder, in the order of their parts; none where it is no folder.
    """
    return sorted(
        Path(place, name)
        for place, names in (_walk(folder) if deep else islice(_walk(folder), 1))
        for name in names
        if os.path.splitext(name)[1].lower() in suffixes
    )


def check_name(path: Path) -> None:
    """Check that the name of a file can stand in a manifest, with the folders that it lies in.

    Raises:
        ValueError: It is in an older encoding, as names in archives from elsewhere may be.
    """
    whole = str(path.resolve())
    if printable(whole) != whole:
        raise ValueError(
            f"{printable(whole)} is no name in UTF-8; expected one. Rename it; convmv converts "
            "many names at once."
        )


def without_sound_of_videos(media: Iterable[Path]) -> tuple[list[Path], list[Path]]:
    """Part sound files that lie beside a video of the same name, which is where they were taken.

    Args:
        media: Files whose suffixes are some of `MEDIA`.

    Returns:
        The others, and these, each in the order given.
    """
    paths = list(media)
    videos = {path.with_suffix("") for path in paths if path.suffix.lower() in VIDEOS}
    kept, beside = [], []
    for path in paths:
        is_beside = path.suffix.lower() in SOUNDS and path.with_suffix("") in videos
        (beside if is_beside else kept).append(path)
    return kept, beside


def sound_beside(video: str | Path) -> Path | None:
    """Return a sound file of a video's name in its folder, if there is one."""
    video = Path(video)
    same = (path for path in find_files(video.parent, SOUNDS, deep=False))
    return next((path for path in same if path.stem == video.stem), None)


def _walk(folder: str | Path) -> Iterator[tuple[str, list[str]]]:
    """Yield folders with the names of their files, without what nobody means."""
    for place, folders, names in os.walk(folder):
        if MARK in names and place != os.fspath(folder):
            folders.clear()
            continue
        made = {made for marks, made in MADE if marks.issubset(names)}
        folders[:] = [name for name in folders if not name.startswith(".") and name not in made]
        yield place, [name for name in names if not name.startswith(".")]
