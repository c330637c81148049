"""What is in a file, as a hash that is made once."""

from functools import lru_cache
from hashlib import file_digest
from pathlib import Path

KEPT = 65_536  # files whose hashes are remembered, some hundred bytes each


def hash_file(path: str | Path) -> str:
    """Return 32 hexadecimal digits that tell what is in a file.

    A file is read again where its size or its time of change is another than when it was read.

    Raises:
        FileNotFoundError: There is no such file.
        OSError: It cannot be read.
    """
    state = Path(path).stat()
    return _read(str(path), state.st_size, state.st_mtime_ns)


@lru_cache(KEPT)
def _read(path: str, size: int, changed_ns: int) -> str:
    with open(path, "rb") as file:
        return file_digest(file, "sha256").hexdigest()[:32]
