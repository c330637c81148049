"""Uploads lie in a folder of one server's own, which goes with it."""

import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from tasks.serving.private_folder import PREFIX, private_folder

ROOT = Path(__file__).parents[3]
KILLED = """
import os, signal
from tasks.serving.private_folder import private_folder
with private_folder() as folder:
    (folder / "upload-0").write_text("secret")
    os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.fixture(autouse=True)
def own_place(tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setenv("TMPDIR", str(tmp_path))


def test_it_is_the_user_s_alone_and_goes_with_the_block(tmp_path):
    with pytest.raises(KeyError), private_folder() as folder:
        assert folder.parent == tmp_path and folder.stat().st_mode & 0o777 == 0o700
        (folder / "upload-0").write_text("secret")
        raise KeyError
    assert not list(tmp_path.iterdir())


def test_what_a_killed_server_left_goes_and_others_folders_stay(tmp_path):
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    with private_folder() as living:
        done = subprocess.run([sys.executable, "-c", KILLED], env=environment)
        assert done.returncode == -signal.SIGKILL and len(list(tmp_path.iterdir())) == 2
        with private_folder() as folder:
            assert sorted(tmp_path.iterdir()) == sorted([living, folder])
    assert not list(tmp_path.iterdir())


def test_a_link_is_not_followed(tmp_path):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine/file").write_text("mine")
    (tmp_path / f"{PREFIX}x").symlink_to(tmp_path / "mine")
    with private_folder():
        pass
    assert (tmp_path / "mine/file").read_text() == "mine"
