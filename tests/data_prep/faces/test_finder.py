import json

import cv2
import numpy as np
import pytest

from data_prep.faces import FaceFinder, FinderConfig, build_report, crop_mouth, replay
from data_prep.faces.talking import TalkConfig
from modalities.rates import SAMPLES_PER_PICTURE

ANYONE = FinderConfig(talking=TalkConfig(least_score=0.0))


def find(detector, pictures, waveform=None, step=25, config=ANYONE):
    finder = FaceFinder(detector, config)
    chunks = []
    for start in range(0, len(pictures), step):
        part = pictures[start : start + step]
        sound = None
        if waveform is not None:
            stop = (start + len(part)) * SAMPLES_PER_PICTURE
            sound = waveform[start * SAMPLES_PER_PICTURE : stop]
        chunks += finder.push(part, sound)
    return finder, chunks + finder.flush()


def join(chunks):
    expected = 0
    for chunk in chunks:
        assert chunk.start_frame == expected
        assert len(chunk.crops) == len(chunk.mask) == len(chunk.track) == chunk.frames <= 750
        expected = chunk.stop_frame
    return (
        np.concatenate([chunk.crops for chunk in chunks]),
        np.concatenate([chunk.mask for chunk in chunks]),
        np.concatenate([chunk.track for chunk in chunks]),
    )


def test_still_face_gives_a_crop_in_every_frame(square_detector, draw, show):
    finder, chunks = find(square_detector, show([draw((100, 80, 60))] * 60))
    crops, mask, track = join(chunks)
    assert crops.shape == (60, 96, 96) and crops.dtype == np.uint8
    assert mask.all() and (track == 0).all()
    assert square_detector.pictures <= 14
    (face,) = finder.tracks()
    np.testing.assert_allclose(face.median_box, [100, 80, 60, 60], atol=1.5)
    assert face.detected.sum() == square_detector.pictures


@pytest.mark.parametrize("step", [1, 7, 40, 1000])
def test_result_does_not_depend_on_the_pieces_pushed(square_detector, draw, show, step):
    pictures = show(
        [draw((40 + 2 * i, 60, 60), scene=1) for i in range(50)]
        + [draw((200 - i, 90, 50), scene=2) for i in range(47)]
    )
    whole = join(find(square_detector, pictures, step=97)[1])
    parts = join(find(square_detector, pictures, step=step)[1])
    for expected, actual in zip(whole, parts, strict=True):
        np.testing.assert_array_equal(expected, actual)


def test_nothing_is_interpolated_across_a_cut(square_detector, draw, show):
    pictures = [draw((40, 60, 60), scene=1)] * 33 + [draw((200, 120, 50), scene=2)] * 31
    finder, chunks = find(square_detector, show(pictures))
    first, second = finder.tracks()
    assert (first.start_frame, first.stop_frame, first.shot) == (0, 33, 0)
    assert (second.start_frame, second.stop_frame, second.shot) == (33, 64, 1)
    assert np.ptp(first.landmarks, axis=0).max() < 1.5
    assert np.ptp(second.landmarks, axis=0).max() < 1.5
    assert [chunk.start_frame for chunk in chunks] == [0, 33]
    assert join(chunks)[1].all()


def test_no_face_means_no_video(square_detector, show):
    random = np.random.default_rng(0)
    for pictures in (
        [np.zeros((240, 320), np.uint8)] * 50,
        list(random.integers(0, 200, (50, 240, 320), np.uint8)),
    ):
        finder, chunks = find(square_detector, show(pictures))
        crops, mask, track = join(chunks)
        assert len(mask) == 50 and not mask.any() and not crops.any() and (track == -1).all()
        report = build_report(finder.tracks(), finder.totals)
        assert report["summary"] == "no face found" and report["frames_with_video"] == 0


def test_face_that_leaves_the_picture_is_masked_from_there_on(square_detector, draw, show):
    pictures = [draw((200 + 4 * i, 80, 60)) for i in range(60)]  # gone at frame 30
    mask = join(find(square_detector, show(pictures))[1])[1]
    assert mask[:20].all() and not mask[36:].any()


def test_face_that_comes_later_is_found_soon(square_detector, draw, show):
    pictures = [draw()] * 42 + [draw((100, 80, 60))] * 40
    mask = join(find(square_detector, show(pictures))[1])[1]
    # At most the frames that a first sight is held backwards.
    assert not mask[:38].any() and mask[43:].all()


def test_gap_of_half_a_second_is_bridged(square_detector, draw, show):
    here, hidden = draw((100, 80, 26)), draw()
    finder, chunks = find(square_detector, show([here] * 30 + [hidden] * 12 + [here] * 30))
    assert len(finder.tracks()) == 1
    assert join(chunks)[1].all()
    assert not finder.tracks()[0].detected[31:41].any()


def test_two_stays_of_one_face_in_a_shot_are_both_used(square_detector, draw, show):
    here, away = draw((100, 80, 26)), draw()
    finder, chunks = find(square_detector, show([here] * 40 + [away] * 60 + [here] * 40))
    mask = join(chunks)[1]
    assert len(finder.tracks()) == 2
    assert mask[:40].all() and not mask[46:94].any() and mask[101:].all()


def test_fast_motion_is_looked_at_more_often(square_detector, draw, show):
    pictures = [draw((40 + 8 * min(i, 20), 80, 60)) for i in range(60)]
    finder, _ = find(square_detector, show(pictures))
    boxes = finder.tracks()[0].boxes
    expected = [40 + 8 * min(i, 20) for i in range(60)]
    np.testing.assert_allclose(boxes[:, 0], expected, atol=2)
    assert finder.totals.frames_looked_at > 14


def test_long_shot_comes_in_pieces_of_30_s_and_little_is_held(square_detector, draw, show):
    finder = FaceFinder(square_detector, ANYONE)
    picture = draw((100, 80, 60))
    chunks, held = [], 0
    for _ in range(64):
        chunks += finder.push(show([picture] * 25), np.zeros(25 * 640, np.float32))
        held = max(held, len(finder._grays))
    chunks += finder.flush()
    assert [chunk.frames for chunk in chunks] == [750, 750, 100]
    assert join(chunks)[1].all() and held <= 90
    assert len(finder.tracks()) == 1 and finder.tracks()[0].frames == 1600


def test_tracks_asked_for_on_the_way_have_equal_lengths(square_detector, draw, show):
    finder = FaceFinder(square_detector, ANYONE)
    for _ in range(33):
        finder.push(show([draw((100, 80, 60))] * 25), None)
    (track,) = finder.tracks()
    lengths = (track.boxes, track.landmarks, track.detected, track.valid, track.chosen)
    assert {len(values) for values in lengths} == {750}


@pytest.mark.parametrize("sound, crops", [(None, 1), (np.zeros(30 * 640, np.float32), 2)])
def test_eyes_are_cut_out_only_where_who_talks_is_asked(
    square_detector, draw, show, monkeypatch, sound, crops
):
    cut = []
    monkeypatch.setattr(
        "data_prep.faces.crops.warp",
        lambda gray, transform, side: cut.append(side) or np.zeros((side, side), np.uint8),
    )
    finder = FaceFinder(square_detector, ANYONE)
    finder.push(show([draw((100, 80, 60))] * 30), sound)
    finder.flush()
    assert len(cut) == 30 * crops and len(set(cut)) == crops


def test_without_sound_the_largest_face_is_taken(square_detector, draw, show):
    pictures = show([draw((30, 80, 40), (150, 60, 90))] * 30)
    finder, chunks = find(square_detector, pictures, config=FinderConfig())
    assert join(chunks)[1].all()
    assert [bool(t.chosen.any()) for t in finder.tracks()] == [
        t.median_box[2] > 60 for t in finder.tracks()
    ]
    assert all(track.talking_score is None for track in finder.tracks())


def test_face_that_never_moves_is_not_chosen_where_there_is_sound(square_detector, draw, show):
    sound = np.random.default_rng(0).normal(0, 0.1, 50 * 640).astype(np.float32)
    pictures = show([draw((100, 80, 60))] * 50)
    finder, chunks = find(square_detector, pictures, sound, config=FinderConfig())
    assert not join(chunks)[1].any()
    report = build_report(finder.tracks(), finder.totals)
    assert report["summary"] == "faces found, but none that talks"
    assert "below" in report["tracks"][0]["reason"]


def test_tracks_are_numbered_by_appearance(square_detector, draw, show):
    pictures = [draw((20, 80, 50))] * 30 + [draw((20, 80, 50), (200, 80, 26))] * 30
    finder, _ = find(square_detector, show(pictures))
    assert [(t.track, t.start_frame < 5) for t in finder.tracks()] == [(0, True), (1, False)]


@pytest.fixture
def grain(draw):
    """Draw squares that have something to follow in them, as faces have."""
    coarse = np.random.default_rng(5).integers(225, 256, (10, 10), np.uint8)
    pattern = cv2.resize(coarse, (60, 60), interpolation=cv2.INTER_NEAREST)

    def draw_grain(*squares):
        picture = draw(*squares)
        for x, y, side in squares:
            picture[y : y + side, x : x + side] = pattern[:side, :side]
        return picture

    return draw_grain


def test_swaying_face_is_followed_with_few_looks(square_detector, grain, show):
    places = [100 + round(14 * np.sin(i / 4)) for i in range(101)]
    finder, chunks = find(square_detector, show([grain((x, 80, 60)) for x in places]))
    (face,) = finder.tracks()
    assert join(chunks)[1].all() and square_detector.pictures == face.detected.sum() == 11
    np.testing.assert_allclose(face.boxes[:, 0], places, atol=3.5)
    assert np.median(abs(face.boxes[:, 0] - places)) < 1


def test_face_that_shows_itself_between_two_looks_is_found(square_detector, grain, show):
    one, two = grain((40, 80, 60)), grain((40, 80, 60), (220, 60, 50))
    finder, _ = find(square_detector, show([one] * 13 + [two] * 5 + [one] * 33))
    guest = finder.tracks()[1]
    assert 9 <= guest.start_frame <= 13 and 18 <= guest.stop_frame <= 22
    assert finder.totals.frames_looked_at < 20


def test_one_who_leaves_ends_while_the_other_is_followed(square_detector, grain, show):
    both, left = grain((40, 80, 60), (220, 60, 50)), grain((40, 80, 60))
    finder, _ = find(square_detector, show([both] * 33 + [left] * 38))
    stays, leaves = finder.tracks()
    assert (stays.start_frame, stays.stop_frame) == (0, 71)
    assert leaves.start_frame == 0 and 33 <= leaves.stop_frame <= 37


def test_replay_gives_the_landmarks_of_the_crops(square_detector, draw, show):
    pictures = show([draw((40 + 2 * i, 60, 60), scene=1) for i in range(50)])
    finder, chunks = find(square_detector, pictures)
    crops = join(chunks)[0]
    for index, (frame, views) in enumerate(replay(finder.tracks(), pictures)):
        (view,) = views
        assert view.chosen and view.valid
        np.testing.assert_array_equal(crop_mouth(frame.gray(), view.landmarks), crops[index])


def test_report_is_json_and_adds_up(square_detector, draw, show):
    pictures = show([draw((30, 80, 40), (150, 60, 90))] * 30)
    finder, _ = find(square_detector, pictures)
    report = json.loads(json.dumps(build_report(finder.tracks(), finder.totals)))
    assert report["frames"] == 30 and report["shots"] == 1 and report["frames_with_video"] == 30
    for track in report["tracks"]:
        assert track["frames"] == track["frames_detected"] + track["frames_interpolated"] == 30
        assert track["chosen"] == (track["reason"] is None)


def test_sound_of_another_length_is_refused(square_detector, draw, show):
    finder = FaceFinder(square_detector)
    with pytest.raises(ValueError, match="640 samples per frame"):
        finder.push(show([draw()] * 3), np.zeros(1000, np.float32))


def test_sound_that_is_there_only_sometimes_is_refused(square_detector, draw, show):
    finder = FaceFinder(square_detector)
    finder.push(show([draw()]), np.zeros(640, np.float32))
    with pytest.raises(ValueError, match="all of them or none"):
        finder.push(show([draw()]), None)


def test_nothing_pushed_gives_nothing(square_detector):
    finder = FaceFinder(square_detector)
    assert finder.push([], np.zeros(0, np.float32)) == [] and finder.flush() == []
    assert build_report(finder.tracks(), finder.totals)["frames"] == 0
