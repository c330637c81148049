"""Files of a mixture, which are whole or not there."""

import errno
from pathlib import Path

import numpy as np
import pytest

from data_prep.mixtures.known import KnownMixture, write_known

MIXTURE = KnownMixture(np.zeros(100, np.float32), (np.zeros(100, np.float32),), ("bell",), (0.0,))


def test_a_full_disk_leaves_the_files_of_a_former_run_whole_and_names_the_file(
    tmp_path, monkeypatch
):
    """The manifest of that run is there still, and its files were cut."""
    write_known(tmp_path, "a", "train", MIXTURE)
    before = {path: path.read_bytes() for path in tmp_path.rglob("*.wav")}

    def fill(path: Path, data: bytes) -> int:
        with path.open("wb") as file:
            file.write(data[:10])
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", fill)
    with pytest.raises(OSError, match="No space left.*a.wav"):
        write_known(tmp_path, "a", "train", MIXTURE)
    left = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    assert left == before and len(before) == 2
