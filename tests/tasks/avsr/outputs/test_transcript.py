"""Transcripts on disk say what the result says."""

import json
from dataclasses import replace

import pytest

from modalities.speech.timed_text import Word
from tasks.avsr.outputs.transcript import WRITERS, Face, Segment, Transcript, clock

TRANSCRIPT = Transcript(
    text="Hello <there> you & me",
    duration_s=3725.5,
    model="whisper-tiny.en",
    video_used=False,
    video_note="no video",
    segments=(
        Segment(0.0, 1.2344, "Hello <there>", (Word(0.0, 0.5, "Hello"), Word(0.5, 1.2, "<there>"))),
        Segment(3723.0, 3725.5, "you & me"),
    ),
    faces=(Face(0, 0.0, 1.0, (1.0, 2.0, 3.0, 4.0), None, False),),
)


def test_srt():
    text = WRITERS[".srt"](TRANSCRIPT)
    assert text == (
        "1\n00:00:00,000 --> 00:00:01,234\nHello <there>\n\n"
        "2\n01:02:03,000 --> 01:02:05,500\nyou & me\n"
    )


def test_vtt_escapes_markup():
    text = WRITERS[".vtt"](TRANSCRIPT)
    assert text.startswith("WEBVTT\n\n00:00:00.000 --> 00:00:01.234\nHello &lt;there&gt;\n")
    assert "you &amp; me" in text


def test_tsv_counts_milliseconds():
    lines = WRITERS[".tsv"](TRANSCRIPT).splitlines()
    assert lines == ["start\tend\ttext", "0\t1234\tHello <there>", "3723000\t3725500\tyou & me"]


def test_json_has_the_documented_keys_and_null_for_what_is_not_known():
    found = json.loads(WRITERS[".json"](TRANSCRIPT))
    assert list(found) == ["text", "duration_s", "model", "video_used", "segments", "faces"]
    assert set(found["segments"][0]) == {
        *("start_s", "end_s", "text", "adapter_set", "scenario", "snr_db", "video_used", "words"),
        *("agreement", "face"),
    }
    assert found["segments"][0]["words"][0] == {"start_s": 0.0, "end_s": 0.5, "text": "Hello"}
    assert found["segments"][0]["snr_db"] is None
    assert found["faces"][0] == {
        "track": 0,
        "start_s": 0.0,
        "end_s": 1.0,
        "box": [1.0, 2.0, 3.0, 4.0],
        "talking_score": None,
        "chosen": False,
        "talks": [],
    }


def test_json_names_the_talker_whose_sets_were_used():
    (segment,) = TRANSCRIPT.segments[:1]
    mine = replace(TRANSCRIPT, segments=(replace(segment, adapter_set="all", enrolled="me"),))
    assert json.loads(WRITERS[".json"](mine))["segments"][0]["enrolled"] == "me"
    assert mine.segments[0].set_and_whose == "me's set all"
    assert replace(mine.segments[0], enrolled=None).set_and_whose == "set all"


@pytest.mark.parametrize("suffix", WRITERS)
def test_every_format_is_written_by_suffix(tmp_path, suffix):
    path = tmp_path / "new folder" / f"out{suffix.upper()}"
    TRANSCRIPT.save(path)
    assert path.read_text(encoding="utf-8") == WRITERS[suffix](TRANSCRIPT)
    assert [p.name for p in path.parent.iterdir()] == [path.name]


def test_another_suffix_lists_what_there_is(tmp_path):
    with pytest.raises(ValueError, match=r"\.docx.*\.srt, \.vtt"):
        TRANSCRIPT.save(tmp_path / "out.docx")


def test_a_failed_write_leaves_the_old_file_and_nothing_else(tmp_path, monkeypatch):
    path = tmp_path / "out.txt"
    path.write_text("old")

    def fail(*_args, **_kwargs):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("pathlib.Path.write_text", fail)
    with pytest.raises(OSError, match="No space"):
        TRANSCRIPT.save(path)
    assert [p.name for p in tmp_path.iterdir()] == ["out.txt"]
    assert path.read_bytes() == b"old"


def test_clock_carries_rounded_milliseconds():
    assert clock(59.9996, ".") == "00:01:00.000"
    assert clock(-0.1, ",") == "00:00:00,000"
