"""What is kept of faces until the end of a video: numbers, and few arrays of many frames."""

import numpy as np

from data_prep.faces.pieces import Record
from data_prep.faces.tracks import Detection, OpenTrack, Stretch, TrackConfig


def found(frame: int) -> Detection:
    box = np.array([10 + frame, 20, 30, 40], np.float32)
    return Detection(box, np.full((4, 2), 25 + frame, np.float32), 0.9)


def stretches(frames: int) -> list[Stretch]:
    """One-frame stretches that follow each other, all different."""
    random = np.random.default_rng(0)
    return [
        Stretch(
            frame,
            random.random((1, 4), np.float32),
            random.random((1, 4, 2), np.float32),
            random.random(1) < 0.5,
        )
        for frame in range(frames)
    ]


def record_of(some: list[Stretch], every: int) -> Record:
    """A record that joins what came after each so many stretches."""
    record = Record(OpenTrack(TrackConfig(), 0, 0, 0, found(0)))
    for number, stretch in enumerate(some, 1):
        record.stretches.append(stretch)
        record.valid.append(stretch.detected)
        if number % every == 0:
            record.join()
            record.chosen.append(np.ones(every, bool))
    return record


def test_joining_changes_nothing_that_is_told_and_leaves_an_array_a_piece():
    some = stretches(120)
    often, once = record_of(some, 30), record_of(some, 120)
    assert len(often.stretches) == len(often.valid) == 4 and len(once.stretches) == 1
    one, other = often.finish(), once.finish()
    for name in ("boxes", "landmarks", "detected", "valid", "chosen"):
        assert np.array_equal(getattr(one, name), getattr(other, name))
    assert np.array_equal(one.boxes, np.concatenate([stretch.boxes for stretch in some]))
    assert one.start_frame == other.start_frame == 0


def test_frames_that_are_handed_out_keep_no_others_alive():
    track = OpenTrack(TrackConfig(), 0, 0, 0, found(0))
    for frame in range(1, 60):
        track.add(frame, found(frame))
    stretch = track.take(40)
    assert len(stretch.boxes) == 40 and stretch.boxes[7, 0] == 17
    assert all(array.base is None for array in (stretch.boxes, stretch.landmarks))
