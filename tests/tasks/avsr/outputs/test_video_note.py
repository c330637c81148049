"""What became of the video is told as it was."""

import numpy as np
import pytest

from data_prep.faces import FaceTrack
from tasks.avsr.outputs.transcript import Segment
from tasks.avsr.outputs.video_note import describe_use

READ = Segment(0.0, 1.0, "a", adapter_set="all", video_used=True, agreement=0.9)
HEARD = Segment(1.0, 2.0, "b", adapter_set="audio", agreement=0.1)
BLIND = Segment(1.0, 2.0, "b", adapter_set="audio")
PLAIN = Segment(2.0, 3.0, "c")


def track(number: int, *, talks: bool) -> FaceTrack:
    every, points = np.ones(25, bool), np.zeros((25, 4, 2), np.float32)
    boxes = np.zeros((25, 4), np.float32)
    return FaceTrack(number, 0, 0, boxes, points, every, every, np.full(25, talks), 0.9, 0.5)


@pytest.mark.parametrize(
    ("segments", "loaded", "said"),
    [
        ([READ], True, "mouth crops were used"),
        ([READ, HEARD], True, "mouth crops were used in 1 of 2 segments"),
        ([HEARD, PLAIN], True, "lips and sound do not belong together"),
        ([BLIND], True, "the sets know no face that was seen, or its lips could not be read"),
        ([PLAIN], True, "no adapter set knows the sound or the face"),
        ([PLAIN], False, "no adapter set is loaded"),
        ([], True, "no speech was heard, and lips alone are not read"),
    ],
)
def test_each_reason_is_told(segments, loaded, said):
    note = describe_use([], segments, given=True, sets_loaded=loaded)
    assert note.endswith(said)


def test_faces_are_counted():
    faces = [track(0, talks=True), track(1, talks=False)]
    note = describe_use(faces, [PLAIN], given=False, sets_loaded=False)
    assert note.startswith("2 faces followed, 1 talking; ")
    note = describe_use(faces[1:], [PLAIN], given=False, sets_loaded=False)
    assert note.startswith("1 face followed, 0 talking; ")


def test_a_video_without_a_face_says_so():
    note = describe_use([], [PLAIN], given=False, sets_loaded=True)
    assert note == "no face was found in the video"
