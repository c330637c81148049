"""Subtitles fit a screen, follow one another, and are read by others as they were meant."""

import csv
from datetime import timedelta
from io import StringIO
from itertools import pairwise

import pysubs2
import pytest
import srt
import webvtt
from hypothesis import given, settings
from hypothesis import strategies as st

from modalities.speech.timed_text import Word
from tasks.avsr.outputs.subtitles import clean, cut_subtitles, separate
from tasks.avsr.outputs.transcript import WRITERS, Segment, Transcript, clock
from tasks.pictures.line_breaks import columns_of

SPEECH = (
    "And so, my fellow Americans, ask not what your country can do for you, "
    "ask what you can do for your country. This is a second sentence of some length."
)
times = st.floats(0, 60, allow_nan=False)
texts = st.one_of(
    st.text("ab \n\t\r-><&\"'.,0\u4f60\u597d\u0e2a\u0e31\u05e9", max_size=200),
    st.lists(st.sampled_from("ask not what your country-wide --> & <i> Donau 12".split())).map(
        " ".join
    ),
    st.text(max_size=60),
)


def transcript_of(*segments: Segment, duration_s: float | None = None) -> Transcript:
    ends = [segment.end_s for segment in segments]
    return Transcript(
        " ".join(segment.text for segment in segments),
        max(ends, default=0.0) if duration_s is None else duration_s,
        "whisper-tiny.en",
        False,
        "no video",
        segments,
        (),
    )


def spoken(text: str, start_s: float, end_s: float) -> Segment:
    """A segment whose words take equal times, from the start to the end."""
    said = text.split()
    step = (end_s - start_s) / max(1, len(said))
    words = tuple(
        Word(start_s + i * step, start_s + (i + 1) * step, word) for i, word in enumerate(said)
    )
    return Segment(start_s, end_s, text, words)


@st.composite
def transcripts(draw) -> Transcript:
    spans = sorted(sorted(pair) for pair in draw(st.lists(st.tuples(times, times), max_size=5)))
    make = draw(st.sampled_from([spoken, lambda text, start, end: Segment(start, end, text)]))
    return transcript_of(*(make(draw(texts), *span) for span in spans))


def check_in_order(spans: list[tuple[float, float]]) -> None:
    assert all(start < end for start, end in spans)
    assert all(end <= following for (_, end), (following, _) in pairwise(spans))


@settings(max_examples=300, deadline=None)
@given(transcripts())
def test_cues_fit_follow_one_another_and_lose_no_letter(transcript):
    cues = cut_subtitles(transcript.segments, transcript.duration_s)
    check_in_order([(cue.start_s, cue.end_s) for cue in cues])
    for cue in cues:
        assert 1 <= len(cue.lines) <= 2 and all(cue.lines)
        assert max(map(columns_of, cue.lines)) <= 42
        assert "".join("".join(cue.lines).split()) == "".join(cue.text.split())
    shown = "".join("".join(cue.text.split()) for cue in cues)
    assert shown == "".join("".join(clean(s.text).split()) for s in transcript.segments)


@settings(max_examples=150, deadline=None)
@given(transcripts())
def test_subrip_is_read_back_by_others(transcript):
    cues = cut_subtitles(transcript.segments, transcript.duration_s)
    found = list(srt.parse(WRITERS[".srt"](transcript), ignore_errors=False))
    assert [(s.start, s.end, s.content) for s in found] == [
        (timedelta(seconds=c.start_s), timedelta(seconds=c.end_s), "\n".join(c.lines)) for c in cues
    ]
    lines = pysubs2.SSAFile.from_string(WRITERS[".srt"](transcript), format_="srt") if cues else []
    assert [(line.start, line.end) for line in lines] == [
        (round(cue.start_s * 1000), round(cue.end_s * 1000)) for cue in cues
    ]


@settings(max_examples=150, deadline=None)
@given(transcripts())
def test_webvtt_is_read_back_by_others(transcript):
    cues = cut_subtitles(transcript.segments, transcript.duration_s)
    text = WRITERS[".vtt"](transcript)
    found = webvtt.from_string(text)
    assert [(c.start, c.end) for c in found] == [
        (clock(cue.start_s, "."), clock(cue.end_s, ".")) for cue in cues
    ]
    assert [c.lines for c in found] == [[escaped(line) for line in cue.lines] for cue in cues]
    assert text.count("-->") == len(cues)


def escaped(line: str) -> str:
    return line.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


@settings(max_examples=150, deadline=None)
@given(transcripts())
def test_tab_separated_values_are_read_back_by_others(transcript):
    rows = list(csv.DictReader(StringIO(WRITERS[".tsv"](transcript), newline=""), delimiter="\t"))
    said = [clean(s.text) for s in transcript.segments if clean(s.text)]
    assert [row["text"] for row in rows] == said
    check_in_order([(int(row["start"]), int(row["end"])) for row in rows])


def test_a_long_segment_parts_at_its_sentences_when_they_are_said():
    segment = spoken(SPEECH, 10.0, 24.0)
    first, second = cut_subtitles([segment], 30.0)
    assert first.lines == (
        "And so, my fellow Americans, ask not",
        "what your country can do for you,",
    )
    assert (first.start_s, second.end_s) == (10.0, 24.0)
    assert first.end_s == second.start_s == pytest.approx(segment.words[14].start_s, abs=0.001)
    assert second.lines == (
        "ask what you can do for your country.",
        "This is a second sentence of some length.",
    )


def test_without_word_times_time_goes_by_letters():
    cues = cut_subtitles([Segment(0.0, 10.0, SPEECH)], 10.0)
    for cue in cues[1:]:
        place = SPEECH.index(cue.text) / len(SPEECH) * 10
        assert cue.start_s == pytest.approx(place, abs=0.1)


def test_words_far_apart_stand_in_two_cues_and_the_pause_stays_empty():
    words = (Word(0.0, 0.4, "One."), Word(5.0, 5.5, "Two."))
    one, two = cut_subtitles([Segment(0.0, 5.5, "One. Two.", words)], 6.0)
    assert (one.text, one.end_s, two.start_s) == ("One.", 0.4, 5.0)


def test_no_cue_lasts_far_beyond_its_words():
    words = (Word(3.0, 3.4, "One"), Word(3.4, 4.0, "two."))
    (cue,) = cut_subtitles([Segment(0.0, 20.0, "One two.", words)], 20.0)
    assert (cue.start_s, cue.end_s) == (3.0, 4.0)


def test_chinese_breaks_without_spaces_and_keeps_its_stops():
    text = "\u4eca\u5929\u5929\u6c14\u5f88\u597d\uff0c" * 9
    cues = cut_subtitles([Segment(0.0, 20.0, text)], 20.0)
    lines = [line for cue in cues for line in cue.lines]
    assert "".join(lines) == text and all(len(line) <= 21 for line in lines)
    assert not any(line.startswith("\uff0c") for line in lines)


def test_what_ends_where_it_begins_is_shown_for_a_moment_and_right_times_stay():
    assert separate([(0.0, 0.0), (0.0, 2.0), (3.25, 4.5)], 5.0) == [
        (0.0, 0.1),
        (0.1, 2.0),
        (3.25, 4.5),
    ]
    assert separate([(1.0, 4.0), (3.0, 2.0), (5.0, 5.0)], 5.0) == [
        (1.0, 3.0),
        (3.0, 3.1),
        (4.9, 5.0),
    ]


def test_a_blank_line_in_the_text_breaks_no_file():
    transcript = transcript_of(Segment(0, 1, "one\n\ntwo\t3\r\n4"), Segment(1, 2, " \n "))
    assert WRITERS[".srt"](transcript) == "1\n00:00:00,000 --> 00:00:01,000\none two 3 4\n"
    assert WRITERS[".vtt"](transcript).count("\n\n") == 1
    assert WRITERS[".tsv"](transcript) == "start\tend\ttext\n0\t1000\tone two 3 4\n"
    assert WRITERS[".txt"](transcript).splitlines()[0] == "one two 3 4"
