"""Files of the page: found by who knows their place alone, and gone in time."""

import os
import time

import pytest

from tasks.serving.page.shelf import Shelf, media_type
from tasks.serving.refusals import Refusal


@pytest.fixture
def shelf(tmp_path):
    return Shelf(tmp_path / "page", most_bytes=100, keep_s=60.0)


def put(shelf, content=b"x", name="upload"):
    path = shelf.add() / name
    path.write_bytes(content)
    return path


def age(path, seconds):
    then = time.time() - seconds
    os.utime(path.parent, (then, then))


def test_places_differ_and_lead_to_their_files(shelf):
    first, second = put(shelf), put(shelf)
    assert first.parent != second.parent and len(first.parent.name) == 32
    assert shelf.find(shelf.place(first)) == first
    assert first.parent.stat().st_mode & 0o077 == 0


BESIDE = [
    *("", "upload", "/etc/passwd", "../secret", "{}/../../secret"),
    *("{}/", "{}", "{}/none.srt", "{}/.hidden", "{}//etc/passwd"),
]


@pytest.mark.parametrize("place", BESIDE)
def test_nothing_else_is_found(shelf, tmp_path, place):
    (tmp_path / "secret").write_text("secret")
    assert shelf.find(place.format(put(shelf).parent.name)) is None


def test_what_is_not_used_goes_and_what_is_used_stays(shelf):
    old, used = put(shelf), put(shelf)
    age(old, 61), age(used, 61)
    assert shelf.find(shelf.place(used)) == used
    shelf.sweep()
    assert used.exists() and not old.exists()
    shelf.clear()
    assert not shelf.folder.exists()


def test_no_more_is_taken_than_there_is_room_for(shelf):
    full = put(shelf, bytes(100))
    with pytest.raises(Refusal) as refused:
        shelf.add()
    assert refused.value.status == 429
    age(full, 61)
    assert put(shelf).exists() and not full.exists()


@pytest.mark.parametrize(
    ("start", "kind"),
    [
        (b"RIFF....WAVE", "audio/wav"),
        (b"\0\0\0\x20ftypisom", "video/mp4"),
        (b"\x1a\x45\xdf\xa3", "video/webm"),
        (b"<html><script>", "application/octet-stream"),
        (b"", "application/octet-stream"),
    ],
)
def test_an_upload_is_nothing_that_a_browser_runs(shelf, start, kind):
    assert media_type(put(shelf, start)) == kind
