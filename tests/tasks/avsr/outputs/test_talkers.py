import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from data_prep.faces import FaceTrack
from modalities.speech.timed_text import Word
from tasks.avsr.outputs.talkers import find_talker, name_talkers
from tasks.avsr.outputs.transcript import Segment, Transcript


def face(track: int, *talks: tuple[int, int], frames: int = 250) -> FaceTrack:
    """A face on screen for 10 s that talks in some stretches of frames."""
    chosen = np.zeros(frames, bool)
    for start, stop in talks:
        chosen[start:stop] = True
    return FaceTrack(
        track, 0, 0, np.zeros((frames, 4)), np.zeros((frames, 4, 2)), chosen, chosen, chosen, 1, 0.5
    )


def segment(*words: tuple[float, float, str]) -> Segment:
    said = tuple(Word(*word) for word in words)
    text = " ".join(word.text for word in said)
    return Segment(said[0].start_s, said[-1].end_s, text, said)


FACES = [face(0, (75, 250)), face(1, (0, 75))]


def test_segment_has_the_face_that_talks_during_it():
    segments = name_talkers(
        [segment((0.5, 1.0, "one"), (1.0, 2.0, "two")), segment((4.0, 5.0, "three"))], FACES
    )
    assert [part.track for part in segments] == [1, 0]
    assert segments[0].text == "one two"


def test_segment_that_two_say_is_cut_between_their_words():
    whole = segment((1.0, 2.0, "how"), (2.0, 2.9, "are"), (3.1, 4.0, "fine"))
    first, second = name_talkers([whole], FACES)
    assert (first.text, first.track, first.start_s, first.end_s) == ("how are", 1, 1.0, 2.9)
    assert (second.text, second.track, second.start_s, second.end_s) == ("fine", 0, 3.1, 4.0)


def test_segment_while_no_face_talks_has_none():
    assert name_talkers([segment((3.5, 4.0, "off"))], [face(0, (0, 50))])[0].track is None
    assert name_talkers([segment((3.5, 4.0, "off"))], [])[0].track is None
    assert find_talker(FACES, 11.0, 12.0) is None


@given(st.lists(st.tuples(st.integers(0, 230), st.integers(1, 20)), min_size=1, max_size=8))
def test_no_word_is_lost_or_moved(places):
    words = [(a / 25, (a + n) / 25, f"w{i}") for i, (a, n) in enumerate(sorted(places))]
    whole = segment(*words)
    parts = name_talkers([whole], FACES)
    assert tuple(word for part in parts for word in part.words) == whole.words
    assert " ".join(part.text for part in parts) == whole.text
    assert parts[0].start_s == whole.start_s and parts[-1].end_s == whole.end_s


def test_json_names_the_face_of_each_segment():
    segments = name_talkers([segment((0.5, 1.0, "one")), segment((11.0, 12.0, "off"))], FACES)
    told = Transcript("one off", 12.0, "m", False, "", segments, ()).to_dict()
    assert [part["face"] for part in told["segments"]] == [1, None]
