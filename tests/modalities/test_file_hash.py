"""A file's hash is that of its bytes, and follows them."""

import os
from hashlib import file_digest, sha256

import pytest

from modalities import file_hash
from modalities.file_hash import hash_file


def test_a_file_is_read_once_until_it_changes(tmp_path, monkeypatch):
    read = []
    monkeypatch.setattr(
        file_hash, "file_digest", lambda file, how: read.append(file.name) or file_digest(file, how)
    )
    path = tmp_path / "sound.wav"
    path.write_bytes(b"one")
    assert hash_file(path) == hash_file(str(path)) == sha256(b"one").hexdigest()[:32]
    assert len(read) == 1
    path.write_bytes(b"two")
    os.utime(path, ns=(1, 1))
    assert hash_file(path) == sha256(b"two").hexdigest()[:32]
    assert len(read) == 2


def test_what_is_no_file_is_told(tmp_path):
    with pytest.raises(FileNotFoundError):
        hash_file(tmp_path / "gone")
