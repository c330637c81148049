"""Noise recordings on disk, by category."""

from collections import OrderedDict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from threading import Lock

import numpy as np

from data_prep.media import read_audio
from data_prep.media.files import MEDIA, find_files

CATEGORIES = ("babble", "sidespeaker", "music", "natural")
VOICES = ("babble", "sidespeaker")  # made of speech recordings
# What folders of known collections are called, MUSAN's among them.
FOLDERS = {
    "music": "music",
    "natural": "natural",
    "noise": "natural",
    "speech": "voices",
    "voices": "voices",
    "babble": "voices",
}
KEPT_BYTES = 512 * 2**20  # 2.3 hours; a count would not do for voices of 3 s and music of 10 min


@dataclass(frozen=True)
class Recordings:
    """Noise by category; voices serve babble (several at once) and sidespeaker (one).

    Attributes:
        by_category: Files of music and natural noise.
        voices: Files of speech.
    """

    by_category: Mapping[str, tuple[Path, ...]]
    voices: tuple[Path, ...] = ()

    @property
    def categories(self) -> tuple[str, ...]:
        """Those that there are recordings for."""
        return tuple(category for category in CATEGORIES if self.files(category))

    def files(self, category: str) -> tuple[Path, ...]:
        """Return the files of a category.

        Raises:
            ValueError: No such category.
        """
        if category not in CATEGORIES:
            raise ValueError(f"No noise category {category!r}; known: {', '.join(CATEGORIES)}.")
        return self.voices if category in VOICES else self.by_category.get(category, ())

    def without(self, names: Iterable[str]) -> "Recordings":
        """Return the same without files of some names (stems), as those of other splits."""
        left_out = set(names)

        def keep(files: Sequence[Path]) -> tuple[Path, ...]:
            return tuple(path for path in files if path.stem not in left_out)

        return Recordings({c: keep(f) for c, f in self.by_category.items()}, keep(self.voices))

    def with_voices(self, files: Iterable[Path]) -> "Recordings":
        """Return the same with these voices besides."""
        return Recordings(self.by_category, (*self.voices, *files))


def find_recordings(folder: str | Path) -> Recordings:
    """Find the noise recordings below a folder.

    Args:
        folder: With folders "music", "natural" or "noise", and "speech", "voices" or "babble" in
            it, as MUSAN has them; files may lie deeper.

    Raises:
        FileNotFoundError: There is no such folder.
        ValueError: It has none of these folders, or no recording in them.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise FileNotFoundError(f"{folder} is no folder; expected one with noise recordings.")
    found: dict[str, list[Path]] = {}
    for part in sorted(path for path in folder.iterdir() if path.name in FOLDERS):
        files = find_files(part, MEDIA)
        found.setdefault(FOLDERS[part.name], []).extend(files)
    if not any(found.values()):
        raise ValueError(
            f"{folder} holds no recordings in folders named {', '.join(FOLDERS)}; put each "
            "category into a folder of its name."
        )
    voices = tuple(found.pop("voices", ()))
    return Recordings({category: tuple(files) for category, files in found.items()}, voices)


_kept: OrderedDict[Path, np.ndarray] = OrderedDict()  # the last used at the end
_lock = Lock()


def load_recording(path: Path) -> np.ndarray:
    """Read a recording, float32 [samples] at 16 kHz; those used last are kept in memory.

    Args:
        path: A file with sound.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: It has no sound that can be decoded.
    """
    with _lock:
        if path in _kept:
            _kept.move_to_end(path)
            return _kept[path]
    waveform = read_audio(path)
    with _lock:
        _kept[path] = waveform
        size = sum(kept.nbytes for kept in _kept.values())
        while size > KEPT_BYTES and len(_kept) > 1:
            size -= _kept.popitem(last=False)[1].nbytes
    return waveform
