import numpy as np
import pytest

from data_prep.faces.landmarks import interpolate, smooth
from data_prep.faces.tracks import Detection, TrackConfig, Tracker, overlap

SHAPE = np.array([[0.3, 0.3], [0.7, 0.3], [0.5, 0.5], [0.5, 0.75]], np.float32)


def face(x, y=50.0, side=40.0, score=0.9):
    box = np.array([x, y, side, side], np.float32)
    return Detection(box, box[:2] + SHAPE * side, score)


def follow(samples, stop, start=0):
    tracker = Tracker()
    tracker.start_shot(start)
    for frame, found in samples:
        tracker.update(frame, found)
    tracker.finish(stop)
    return tracker.closed


def test_overlap_of_boxes():
    assert overlap(face(0).box, face(0).box) == 1
    assert overlap(face(0).box, face(20).box) == pytest.approx(1 / 3)
    assert overlap(face(0).box, face(50).box) == 0


def test_two_faces_that_pass_each_other_keep_their_tracks():
    samples = [
        (t, [face(10 + t, 20), face(110 - t, 70)][:: 1 if t % 2 else -1]) for t in range(100)
    ]
    tracks = follow(samples, 100)
    assert len(tracks) == 2
    for track in tracks:
        heights = track.take(100).boxes[:, 1]
        assert len(set(heights.tolist())) == 1


def test_fast_face_without_overlap_is_followed():
    tracks = follow([(5 * i, [face(31.0 * i)]) for i in range(6)], 26)
    assert len(tracks) == 1


def test_other_face_elsewhere_is_another_track():
    assert len(follow([(0, [face(0)]), (5, [face(200)])], 6)) == 2


def test_gap_of_a_second_is_bridged_and_a_longer_one_is_not():
    assert len(follow([(0, [face(0)]), (25, [face(3)])], 30)) == 1
    assert len(follow([(0, [face(0)]), (26, [face(3)])], 30)) == 2


def test_head_and_tail_are_held_only_a_little_and_within_the_shot():
    track = follow([(20, [face(0)]), (30, [face(0)])], 100)[0]
    assert (track.start, track.end) == (16, 35)
    track = follow([(20, [face(0)]), (30, [face(0)])], 32, start=19)[0]
    assert (track.start, track.end) == (19, 32)


def test_short_rare_and_unsure_tracks_are_not_kept():
    assert follow([(0, [face(0)]), (10, [face(0)])], 20)[0].is_kept
    assert not follow([(0, [face(0)])], 20)[0].is_kept
    assert not follow([(0, [face(0)]), (5, [face(0)])], 6)[0].is_kept
    assert not follow([(0, [face(0, score=0.5)]), (10, [face(0, score=0.5)])], 20)[0].is_kept


def test_new_shot_ends_all_tracks():
    tracker = Tracker()
    for start in (0, 10):
        tracker.start_shot(start)
        for frame in (start, start + 9):
            tracker.update(frame, [face(0)])
    tracker.finish(20)
    assert [(t.start, t.end, t.shot) for t in tracker.closed] == [(0, 10, 0), (10, 20, 1)]


@pytest.mark.parametrize("step", [1, 3, 7, 100])
def test_taking_bit_by_bit_equals_taking_at_once(step):
    random = np.random.default_rng(step)
    samples = [(5 * i, [face(50 + random.normal(0, 2), 50 + i)]) for i in range(20)]
    tracker = Tracker()
    tracker.start_shot(0)
    parts = []
    for frame, found in samples:
        tracker.update(frame, found)
        if frame % step == 0:
            parts.append(tracker.open[0].take(tracker.final(frame)))
    tracker.finish(96)
    parts.append(tracker.closed[0].take(96))
    rows = [samples[0][1][0].row[None]]
    for (_, (first,)), (_, (second,)) in zip(samples, samples[1:], strict=False):
        rows.append(interpolate(first.row, second.row, 5))
    expected = smooth(np.concatenate(rows)[:, 4:].reshape(-1, 4, 2))
    joined = np.concatenate([part.landmarks for part in parts])
    np.testing.assert_allclose(joined, expected, atol=1e-3)
    detected = np.concatenate([part.detected for part in parts])
    assert np.flatnonzero(detected).tolist() == list(range(0, 96, 5))


def test_track_keeps_only_recent_rows():
    tracker = Tracker(TrackConfig())
    tracker.start_shot(0)
    for frame in range(0, 5000, 5):
        tracker.update(frame, [face(50)])
        tracker.open[0].take(tracker.final(frame))
    assert len(tracker.open[0]._rows) < 40
