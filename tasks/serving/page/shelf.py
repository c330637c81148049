"""Files of the page: each in a folder whose name nobody can guess, for as long as it is used."""

import re
import secrets
import shutil
from pathlib import Path
from time import time

from tasks.serving.refusals import AGAIN_S, Refusal

KEEP_S = 1800.0
UPLOAD = "upload"
PLACE = re.compile(r"([0-9a-f]{32})/([a-z]+(?:\.[a-z0-9]{2,4})?)")
# What a browser may take a file for, by its first bytes; nothing that it would run.
SNIFFED = {
    b"RIFF": "audio/wav",
    b"OggS": "audio/ogg",
    b"fLaC": "audio/flac",
    b"ID3": "audio/mpeg",
    b"\xff\xfb": "audio/mpeg",
    b"\x1a\x45\xdf\xa3": "video/webm",
}
WRITTEN = {
    ".srt": "application/x-subrip; charset=utf-8",
    ".vtt": "text/vtt; charset=utf-8",
    ".txt": "text/plain; charset=utf-8",
    ".json": "application/json",
}


class Shelf:
    """Uploads of the page and what was made of them.

    Args:
        folder: Where they lie; it is made when the first one comes.
        most_bytes: How much may lie there; then none is taken.
        keep_s: Seconds after its last use that a file is kept.
    """

    def __init__(self, folder: Path, most_bytes: int, keep_s: float = KEEP_S):
        self.folder, self.most_bytes, self.keep_s = folder, most_bytes, keep_s

    def add(self) -> Path:
        """Make a folder for an upload, or for what is made of one.

        Raises:
            Refusal: There is no room.
        """
        self.sweep()
        if self.size(self.folder) >= self.most_bytes:
            raise Refusal(
                429,
                "The server holds as many files as it may. Try again in some minutes.",
                code="rate_limit_exceeded",
                headers={"retry-after": AGAIN_S},
            )
        folder = self.folder / secrets.token_hex(16)
        folder.mkdir(parents=True, mode=0o700)
        return folder

    def place(self, path: Path) -> str:
        """Return by what a browser asks for a file: its folder's name and its own."""
        return path.relative_to(self.folder).as_posix()

    def find(self, place: str) -> Path | None:
        """Return the file at a place, which counts as a use; None where there is none."""
        if not PLACE.fullmatch(place):
            return None
        path = self.folder / place
        if not path.is_file():
            return None
        self.use(path)
        return path

    def use(self, path: Path) -> None:
        """Keep a file for some time from now on."""
        try:
            path.parent.touch()
        except OSError:  # it has gone
            pass

    def remove(self, folder: Path) -> None:
        """Remove what `add` made."""
        shutil.rmtree(folder, ignore_errors=True)

    def sweep(self) -> None:
        """Remove what was not used for too long."""
        for folder in _list(self.folder):
            try:
                unused_s = time() - folder.stat().st_mtime
            except OSError:
                continue
            if unused_s > self.keep_s:
                self.remove(folder)

    def size(self, folder: Path) -> int:
        """Return the bytes of all files in a folder and below."""
        total = 0
        for path in _list(folder):
            try:
                total += self.size(path) if path.is_dir() else path.stat().st_size
            except OSError:  # it went in between
                continue
        return total

    def clear(self) -> None:
        """Remove everything."""
        shutil.rmtree(self.folder, ignore_errors=True)


def media_type(path: Path) -> str:
    """Return the type that a browser is told: by the suffix, or of an upload by its bytes."""
    if path.suffix in WRITTEN:
        return WRITTEN[path.suffix]
    with path.open("rb") as file:
        start = file.read(12)
    if start[4:8] == b"ftyp":
        return "video/mp4"
    known = (kind for sign, kind in SNIFFED.items() if start.startswith(sign))
    return next(known, "application/octet-stream")


def _list(folder: Path) -> list[Path]:
    try:
        return list(folder.iterdir())
    except OSError:
        return []
