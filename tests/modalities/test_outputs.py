"""No output takes the place of an input, of another output, or of what cannot be written."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from modalities.outputs import check_output_folder, check_outputs

# Ways to name one file, given the file; each makes what it needs.
SPELLINGS: dict[str, Callable[[Path], Path]] = {
    "the same": lambda path: path,
    "relative": lambda path: Path(os.path.relpath(path)),
    "through a folder and back": lambda path: path.parent / "other" / ".." / path.name,
    "a symbolic link": lambda path: _made(path.with_name("symbolic.mp4"), "symlink_to", path),
    "a hard link": lambda path: _made(path.with_name("hard.mp4"), "hardlink_to", path),
    "a linked folder": lambda path: (
        _made(path.parent / "linked", "symlink_to", path.parent) / path.name
    ),
}


def _made(link: Path, how: str, target: Path) -> Path:
    if not os.path.lexists(link):
        getattr(link, how)(target)
    return link


@pytest.fixture
def clip(tmp_path) -> Path:
    (tmp_path / "other").mkdir()
    path = tmp_path / "clip.mp4"
    path.write_text("pictures")
    return path


@pytest.mark.parametrize("spelled", SPELLINGS.values(), ids=SPELLINGS)
def test_an_input_is_known_by_any_of_its_names(clip, spelled):
    with pytest.raises(ValueError, match="is the input itself.*Give it another name"):
        check_outputs([clip.with_name("free.json"), spelled(clip)], [clip])
    with pytest.raises(ValueError, match="is the input itself"):
        check_outputs([clip], [None, spelled(clip)])
    assert clip.read_text() == "pictures"


@pytest.mark.parametrize("there", [False, True], ids=["new", "there"])
@pytest.mark.parametrize("spelled", list(SPELLINGS.values())[:3], ids=list(SPELLINGS)[:3])
def test_two_outputs_are_told_apart_whether_they_are_there_or_not(clip, spelled, there):
    if not there:
        clip.unlink()
    with pytest.raises(ValueError, match="Two outputs are one file"):
        check_outputs([clip, spelled(clip)])
    check_outputs([clip, clip.with_name("clip2.mp4"), None])


def test_an_output_within_another_one_is_refused(tmp_path):
    with pytest.raises(ValueError, match="would lie in"):
        check_outputs([tmp_path / "a.srt", tmp_path / "a.srt" / "b.mp4"])


def test_a_folder_is_not_replaced_with_an_input_in_it(clip):
    for folder in (clip.parent, clip.parent / "other" / ".."):
        with pytest.raises(ValueError, match="holds the input"):
            check_outputs([], [clip], [folder])
    check_outputs([], [clip], [clip.parent / "other"])


def test_no_file_of_what_has_to_stay_whole_is_replaced(clip):
    with pytest.raises(ValueError, match="is a file of the input"):
        check_outputs([clip], kept=[clip.parent, None, "whisper-tiny.en"])
    check_outputs([clip.with_name("new.srt")], kept=[clip.parent])


def test_a_file_and_a_folder_in_each_others_place_are_told(clip):
    with pytest.raises(IsADirectoryError, match="it is a folder; expected a file"):
        check_outputs([clip.parent / "other"])
    with pytest.raises(NotADirectoryError, match="it is a file; expected a folder"):
        check_output_folder(clip)
    with pytest.raises(NotADirectoryError, match="clip.mp4 is no folder"):
        check_outputs([clip / "deep" / "out.srt"])
    with pytest.raises(NotADirectoryError, match="clip.mp4 is no folder"):
        check_output_folder(clip / "deep" / "out")


def test_a_folder_that_cannot_be_written_is_told(tmp_path, monkeypatch):
    def refuse(*_args: object, **_options: object) -> None:
        raise PermissionError(13, "Permission denied", "another name")

    monkeypatch.setattr("tempfile.TemporaryFile", refuse)  # tests may run as one who may do all
    for path in (tmp_path / "out.srt", tmp_path / "new" / "out.srt"):
        with pytest.raises(PermissionError, match="cannot be written: Permission denied") as told:
            check_outputs([path])
        assert told.value.filename == str(path)


NAMES = st.lists(st.sampled_from("abcde"), min_size=1, max_size=3).map("/".join)


@settings(max_examples=60, deadline=None)
@given(st.sets(NAMES, max_size=4), st.sets(NAMES, max_size=4), st.sets(NAMES, max_size=4))
def test_what_is_let_through_shares_no_file_and_leaves_nothing_behind(
    tmp_path_factory, there, written, read
):
    root = tmp_path_factory.mktemp("outputs")
    for name in there:
        if not any((root / name).parents[i].is_file() for i in range(name.count("/"))):
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            (root / name).is_dir() or (root / name).touch()
    before = sorted(root.rglob("*"))
    try:
        check_outputs([root / name for name in sorted(written)], [root / name for name in read])
    except (ValueError, OSError):
        clash = written & read or any(
            a != b and f"{a}/".startswith(f"{b}/") for a in written for b in written
        )
        blocked = any(
            (root / name).is_dir() or any(p.is_file() for p in (root / name).parents)
            for name in written
        )
        assert clash or blocked
    else:
        assert not written & read
        for name in written:
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            (root / name).write_text("can be written")
    if written & read:
        assert sorted(root.rglob("*")) == before
