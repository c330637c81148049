"""The clip from left to right: stretches, ticks, and where they are drawn."""

import re

import pytest

from tasks.avsr.outputs.transcript import Segment, Transcript
from tasks.serving.page.time_line import MOST_TICKS, Run, find_runs, find_ticks, write_time_line


def transcript(*segments, duration_s=10.0):
    return Transcript("", duration_s, "tiny", False, "", segments, ())


def test_neighbours_that_are_alike_are_one_stretch():
    segments = [
        *(Segment(0, 2, "", scenario="music"), Segment(2.5, 4, "", scenario="music")),
        *(Segment(4, 5, "", scenario="babble"), Segment(5, 6, ""), Segment(6, 7, "")),
        *(Segment(7, 8, "", scenario="music"), Segment(9.5, 10, "", scenario="music")),
    ]
    assert find_runs(segments, lambda one: one.scenario) == [
        *(Run(0, 4, "music"), Run(4, 5, "babble"), Run(7, 8, "music"), Run(9.5, 10, "music")),
    ]


@pytest.mark.parametrize("duration_s", [0.4, 1, 8.7, 59, 61, 900, 7200, 36_000, 360_000])
def test_ticks_are_few_round_and_inside(duration_s):
    ticks = find_ticks(duration_s)
    assert ticks[0] == 0 and ticks[-1] <= duration_s and len(ticks) <= MOST_TICKS + 1
    steps = {after - before for before, after in zip(ticks, ticks[1:], strict=False)}
    assert len(steps) <= 1 and (duration_s < 2 or len(ticks) > 2)


def test_stretches_are_drawn_where_they_are():
    drawn = write_time_line(
        transcript(
            Segment(1, 3, "", adapter_set="music", scenario="music", snr_db=20.0),
            Segment(5, 10, "", scenario="<b>", snr_db=-30.0),
        )
    )
    blocks = re.findall(
        r'class="mcgurk-(\S+?)"[^>]*left:(\S+?)%;width:(\S+?)%[^>]*>([^<]*)<', drawn
    )
    assert blocks == [
        ("colour-0", "10.00", "20.00", "music"),
        ("plain", "50.00", "50.00", "plain Whisper"),
        ("colour-0", "10.00", "20.00", "music"),
        ("colour-1", "50.00", "50.00", "&lt;b&gt;"),
        ("bar", "10.00", "20.00", ""),
        ("bar", "50.00", "50.00", ""),
    ]
    assert re.findall(r"height:(\d+)%", drawn) == ["100", "4"]
    label = re.findall(r'role="img" aria-label="([^"]*)"', drawn)[0]
    assert "0:01 to 0:03 music; 0:05 to 0:10 plain Whisper" in label


def test_what_nobody_heard_has_no_row_and_nothing_has_no_line():
    drawn = write_time_line(transcript(Segment(0, 1, "one")))
    assert "plain Whisper" in drawn and "<b>Noise</b>" not in drawn and "<b>SNR</b>" not in drawn
    assert write_time_line(transcript()) == ""
    assert write_time_line(transcript(Segment(0, 0, "a"), duration_s=0.0)) == ""
