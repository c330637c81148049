"""One training at a time in a folder."""

import subprocess
import sys

import pytest

from tasks.training.folder_lock import LOCK, alone_in

HOLD = """
import sys
from pathlib import Path
from tasks.training.folder_lock import alone_in
with alone_in(Path(sys.argv[1])):
    print("in", flush=True)
    sys.stdin.read()
"""


def test_another_training_in_the_folder_is_kept_out_and_then_let_in(tmp_path):
    command = [sys.executable, "-c", HOLD, str(tmp_path)]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True) as other:
        assert other.stdout is not None and other.stdout.readline() == "in\n"
        with pytest.raises(ValueError, match="Another training is at work in"), alone_in(tmp_path):
            pass
        other.communicate("")
    with alone_in(tmp_path):
        assert (tmp_path / LOCK).exists()
    assert list(tmp_path.iterdir()) == []


def test_a_lock_that_was_taken_away_while_it_was_opened_is_asked_for_anew(tmp_path, monkeypatch):
    """Two could be in otherwise: one holds the file that was there, one that which is there."""
    import fcntl

    taken, plain = [], fcntl.flock

    def end_just_before(file, how):
        if not taken:
            taken.append(file)
            (tmp_path / LOCK).unlink()
        plain(file, how)

    monkeypatch.setattr(fcntl, "flock", end_just_before)
    with alone_in(tmp_path):
        assert (tmp_path / LOCK).exists()
        with pytest.raises(ValueError, match="Another training is at work in"), alone_in(tmp_path):
            pass


def test_a_killed_training_leaves_the_folder_free(tmp_path):
    command = [sys.executable, "-c", HOLD, str(tmp_path)]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True) as other:
        assert other.stdout is not None and other.stdout.readline() == "in\n"
        other.kill()
        other.wait()
    with alone_in(tmp_path):
        pass
