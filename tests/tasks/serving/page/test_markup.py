"""Progress, failures, the player and downloads in HTML."""

import re

import pytest

from tasks.serving.page.markup import (
    describe_pace,
    short_clock,
    write_downloads,
    write_failure,
    write_login,
    write_player,
    write_progress,
)


@pytest.mark.parametrize(
    ("seconds", "told"),
    [(-1, "0:00"), (7.9, "0:07"), (60, "1:00"), (3599.9, "59:59"), (3723, "1:02:03")],
)
def test_times_are_short(seconds, told):
    assert short_clock(seconds) == told


def test_downloads_are_saved_under_the_name_of_what_was_sent():
    files = {"Subtitles": "ab/transcript.srt", "Video": "ab/preview.mp4"}
    told = write_downloads(files, 'my "clip"<b>')
    assert re.findall(r'href="(\S+)" download="([^>]*)">', told) == [
        ("files/ab/transcript.srt", "my &quot;clip&quot;&lt;b&gt;.srt"),
        ("files/ab/preview.mp4", "my &quot;clip&quot;&lt;b&gt;.preview.mp4"),
    ]
    assert write_downloads({}, "clip") == ""


def test_what_is_told_is_text_and_nothing_else():
    for told in (write_failure("<script>"), write_progress("<script>", 0.5, "<script>")):
        assert "<script>" not in told and "&lt;script&gt;" in told
    assert 'role="alert"' in write_failure("No.") and 'role="status"' in write_progress("So far")
    assert 'value="1.000"' in write_progress("", 1.2) and "value=" not in write_progress("")
    assert '<audio id="mcgurk-player" controls' in write_player("ab/upload", "audio")
    assert '<p role="alert">' not in write_login() and 'type="password"' in write_login(wrong=True)


@pytest.mark.parametrize(
    ("state", "told"),
    [
        ((12.0, None, 3.0), (None, "0:12 so far")),
        ((30.0, 90.0, 10.0), (1 / 3, "0:30 of 1:30, about 0:21 left")),
        ((1.0, 90.0, 10.0), (1 / 90, "0:01 of 1:30")),
        ((95.0, 90.0, 10.0), (1.0, "1:35 of 1:30")),
    ],
)
def test_time_left_goes_by_the_pace_so_far(state, told):
    assert describe_pace(*state) == told
