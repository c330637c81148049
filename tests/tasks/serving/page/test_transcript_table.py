"""The table of what was said, and the sentences on by what."""

from html.parser import HTMLParser

import pytest

from tasks.avsr.outputs.transcript import Face, Segment, Transcript
from tasks.serving.page.transcript_table import explain, name_noise, name_set, write_table

FACE = Face(0, 0.0, 9.0, (0.0, 0.0, 9.0, 9.0), 0.9, True)
SAID = (
    Segment(0.5, 2.0, "bin <blue>", track=0, adapter_set="babble", scenario="babble", snr_db=-3.4),
    Segment(2.0, 65.25, "at & t", scenario="music", snr_db=7.6),
)


def transcript(*segments, note="mouth crops were used", faces=(FACE,), sound_note=None):
    text = " ".join(segment.text for segment in segments)
    used = any(segment.video_used for segment in segments)
    return Transcript(text, 70.0, "tiny", used, note, segments, faces, sound_note=sound_note)


class Cells(HTMLParser):
    """Reads rows of a table: texts of cells, and attributes of rows and buttons."""

    def __init__(self, text):
        super().__init__()
        self.rows, self.attributes, self.buttons, self.small = [], [], [], False
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        if tag == "tr":
            self.rows.append([])
            self.attributes.append(dict(attrs))
        elif tag in ("td", "th"):
            self.rows[-1].append("")
        elif tag == "button":
            self.buttons.append(dict(attrs))
        self.small = tag == "small"

    def handle_data(self, data):
        if self.rows and self.rows[-1] and not self.small:
            self.rows[-1][-1] += data


def test_a_row_says_when_what_who_by_what_and_in_which_noise():
    read = Cells(write_table(transcript(*SAID)))
    assert read.rows[0] == ["Time", "Text", "Face", "Recognised by", "Noise heard"]
    assert read.rows[1] == ["0:00", "bin <blue>", "0", "set babble", "babble, −3\xa0dB\xa0SNR"]
    assert read.rows[2] == ["0:02", "at & t", "", "plain Whisper", "music, 8\xa0dB\xa0SNR"]
    assert read.attributes[1:] == [
        {"data-start": "0.500", "data-end": "2.000"},
        {"data-start": "2.000", "data-end": "65.250"},
    ]
    assert [button["aria-label"] for button in read.buttons] == ["Play from 0:00", "Play from 0:02"]


def test_columns_of_which_nothing_is_known_are_left_out():
    read = Cells(write_table(transcript(Segment(0, 1, "one"), Segment(3700, 3701, "two"))))
    assert read.rows[0] == ["Time", "Text", "Recognised by"]
    assert [row[0] for row in read.rows[1:]] == ["0:00", "1:01:40"]
    assert write_table(transcript()) == ""


def test_sets_and_noises_are_named():
    seen = Segment(0, 1, "one", adapter_set="music", video_used=True, scenario="music")
    assert name_set(seen) == "set music, with lips" and name_noise(seen) == "music"
    assert name_set(Segment(0, 1, "one")) == "plain Whisper" and not name_noise(Segment(0, 1, "a"))


PLAIN = Segment(0, 1, "one")
HEARD = Segment(0, 1, "one", scenario="music", snr_db=3.0)
WHY = {
    "no sets": ((PLAIN,), False, "no video", (), "This model has no adapter sets."),
    "sound": ((PLAIN,), True, "no video", (), "this is sound alone."),
    "no face": ((PLAIN,), True, "no face was found in the video", (), "no face was found."),
    "unknown": ((HEARD,), True, "1 face followed", (FACE,), "The selector heard music, but sound"),
    "unseen": ((PLAIN,), True, "1 face followed", (FACE,), "No mouth was seen"),
}


@pytest.mark.parametrize(("segments", "sets", "note", "faces", "why"), WHY.values(), ids=WHY)
def test_it_is_said_plainly_why_all_was_left_to_plain_whisper(segments, sets, note, faces, why):
    told = explain(transcript(*segments, note=note, faces=faces), sets)
    assert told[0] == "Everything was left to plain Whisper." and why in told[1]


def test_sets_that_were_used_are_named_and_counted():
    one = Segment(0, 1, "a", adapter_set="music")
    two = Segment(1, 2, "b", adapter_set="babble")
    assert explain(transcript(one, one), True)[0] == "Recognised with the adapter set music."
    both = explain(transcript(one, two), True)[0]
    assert both == "Recognised with the adapter sets babble and music."
    part, why, *_ = explain(transcript(one, HEARD), True)
    assert part == (
        "1 of 2 segments were recognised with the adapter set music, 1 by plain Whisper."
    )
    assert "heard music there" in why


def test_silence_and_several_tracks_are_told():
    told = explain(transcript(note="no video", sound_note="track 2 of 3"), True)
    assert told == ["No speech was found.", "Sound: track 2 of 3."]
