import errno
import os
import shutil
import signal
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from modalities.network_file import save_network
from modalities.vision.lips import LipNetwork, LipOptions
from modalities.whole_file import folder_when_whole, replace_when_whole

ROOT = Path(__file__).parents[2]
ENVIRONMENT = os.environ | {"PYTHONPATH": os.pathsep.join([str(ROOT), *sys.path])}


@pytest.fixture(params=[0o022, 0o077, 0o002])
def umask(request: pytest.FixtureRequest) -> Iterator[int]:
    before = os.umask(request.param)
    yield request.param
    os.umask(before)


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_nothing_is_there_before_the_end_and_the_whole_file_after_it(tmp_path):
    path = tmp_path / "new folder" / "words.json"
    with replace_when_whole(path) as partial:
        assert (partial.parent, partial.suffix) == (path.parent, path.suffix)
        partial.write_text("all of it")
        assert not path.exists()
    assert path.read_text() == "all of it"
    assert list(path.parent.iterdir()) == [path]


@pytest.mark.parametrize("error", [KeyboardInterrupt, SystemExit, ValueError])
def test_what_ends_it_halfway_leaves_the_old_file_and_no_partial_one(tmp_path, error):
    path = tmp_path / "words.json"
    path.write_text("old")
    with pytest.raises(error), replace_when_whole(path) as partial:
        partial.write_text("ne")
        raise error
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_an_interrupt_before_the_first_byte_leaves_no_file(tmp_path):
    with pytest.raises(KeyboardInterrupt), replace_when_whole(tmp_path / "words.json"):
        raise KeyboardInterrupt
    assert not list(tmp_path.iterdir())


def test_a_file_may_be_read_by_whom_the_umask_lets(tmp_path, umask):
    (tmp_path / "plain").write_text("by open()")
    with replace_when_whole(tmp_path / "whole") as partial:
        partial.write_text("by us")
    assert mode(tmp_path / "whole") == mode(tmp_path / "plain") == 0o666 & ~umask


def test_weights_that_safetensors_makes_private_may_be_read_too(tmp_path, umask):
    with replace_when_whole(tmp_path / "weights.safetensors") as partial:
        save_file({"weight": torch.zeros(2)}, partial)
    save_network(LipNetwork(LipOptions(words=("one",))), tmp_path / "lips.safetensors")
    assert {mode(path) for path in tmp_path.iterdir()} == {0o666 & ~umask}


def test_a_folder_in_its_place_is_refused_by_name(tmp_path):
    with pytest.raises(IsADirectoryError, match="it is a folder"), replace_when_whole(tmp_path):
        pass


def test_a_folder_that_cannot_be_made_is_named(tmp_path):
    (tmp_path / "file").touch()
    path = tmp_path / "file" / "words.json"
    with pytest.raises(OSError, match="cannot be written") as raised, replace_when_whole(path):
        pass
    assert raised.value.filename == str(path)


def test_a_folder_appears_whole_or_not_at_all(tmp_path):
    with folder_when_whole(tmp_path / "new/set") as partial:
        (partial / "a").write_text("a")
        assert not (tmp_path / "new/set").exists()
    assert (tmp_path / "new/set/a").read_text() == "a"
    with pytest.raises(KeyboardInterrupt), folder_when_whole(tmp_path / "other") as partial:
        (partial / "a").write_text("a")
        raise KeyboardInterrupt
    assert [path.name for path in tmp_path.iterdir()] == ["new"]
    with pytest.raises(ValueError, match="is there already; expected a new or empty folder"):
        with folder_when_whole(tmp_path / "new"):
            pass


class FullAfter:
    """A file on a disk that has room for some bytes only."""

    def __init__(self, file, room: int):
        self.file, self.room = file, room

    def write(self, content) -> int:
        self.room -= len(content)
        if self.room < 0:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return self.file.write(content)

    def flush(self) -> None:
        self.file.flush()


def test_a_full_disk_is_told_in_a_sentence_by_whatever_library_wrote(tmp_path):
    told = "Error while serializing: I/O error: No space left on device (os error 28)"
    with pytest.raises(OSError, match="cannot be written: No space left on device") as caught:
        with replace_when_whole(tmp_path / "a.safetensors"):
            raise RuntimeError(told)
    assert caught.value.filename == str(tmp_path / "a.safetensors")
    with pytest.raises(OSError, match="cannot be written: No space left on device"):
        with replace_when_whole(tmp_path / "a.pt") as partial, partial.open("wb") as file:
            torch.save({"a": torch.zeros(100_000)}, FullAfter(file, 50_000))
    copied = shutil.Error([("from", "to", "[Errno 28] No space left on device: 'to'")])
    with pytest.raises(OSError, match="^cannot be written: No space left on device$|No space"):
        with folder_when_whole(tmp_path / "set"):
            raise copied
    assert list(tmp_path.iterdir()) == []


KILLED = """
import os, signal, sys
from pathlib import Path
from modalities.whole_file import folder_when_whole, replace_when_whole
with folder_when_whole(sys.argv[1]) if sys.argv[2] else replace_when_whole(sys.argv[1]) as partial:
    (partial / "half" if sys.argv[2] else partial).write_text("half of what is longer")
    os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.mark.parametrize("folder", ["", "folder"], ids=["file", "folder"])
def test_what_a_killed_writer_left_is_gone_when_the_file_is_written_again(tmp_path, folder):
    path = tmp_path / "clip.mp4"
    command = [sys.executable, "-c", KILLED, str(path), folder]
    assert subprocess.run(command, env=ENVIRONMENT).returncode == -signal.SIGKILL
    (left,) = tmp_path.iterdir()
    assert left.name != path.name
    with folder_when_whole(path) if folder else replace_when_whole(path) as partial:
        (partial / "whole" if folder else partial).write_text("whole")
    assert list(tmp_path.rglob("*")) == ([path, path / "whole"] if folder else [path])
    assert (path / "whole" if folder else path).read_text() == "whole"


def test_two_writers_of_one_file_at_once_leave_each_other_alone(tmp_path):
    path = tmp_path / "clip.mp4"
    with replace_when_whole(path) as first:
        first.write_text("first")
        with replace_when_whole(path) as second:
            assert second != first
            second.write_text("second")
        with replace_when_whole(path) as third:
            third.write_text("third")
        assert first.read_text() == "first"
    assert path.read_text() == "first"
    assert list(tmp_path.iterdir()) == [path]


def test_a_dead_writer_beside_a_living_one_is_cleared_too(tmp_path):
    path = tmp_path / "clip.mp4"
    with replace_when_whole(path):  # the first place is taken, so that the killed one has the next
        subprocess.run([sys.executable, "-c", KILLED, str(path), ""], env=ENVIRONMENT)
        assert len(list(tmp_path.iterdir())) == 2
    with replace_when_whole(path) as partial:
        partial.write_text("whole")
        (alone,) = tmp_path.glob(".*")
        assert alone == partial
    assert list(tmp_path.iterdir()) == [path]


def test_the_longest_name_that_a_file_can_have_can_be_written(tmp_path):
    path = tmp_path / f"{'é' * 125}.json"
    with replace_when_whole(path) as partial:
        partial.write_text("all of it")
    assert list(tmp_path.iterdir()) == [path]


def test_without_locks_files_are_written_as_well(tmp_path, monkeypatch):
    import fcntl

    def refuse(*_args: object) -> None:
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

    monkeypatch.setattr(fcntl, "flock", refuse)
    with replace_when_whole(tmp_path / "a.json") as partial:
        partial.write_text("all of it")
    with folder_when_whole(tmp_path / "set") as partial:
        (partial / "a").write_text("a")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.json", "set"]


def test_of_two_that_write_one_folder_the_first_is_kept_and_the_other_told(tmp_path):
    path = tmp_path / "out"
    with pytest.raises(ValueError, match="out is there already"), folder_when_whole(path) as ours:
        (ours / "a").write_text("ours")
        with folder_when_whole(path) as theirs:
            (theirs / "a").write_text("theirs")
    assert (path / "a").read_text() == "theirs"
    assert list(tmp_path.iterdir()) == [path]
