"""The face stage with the real detector on real faces."""

from fractions import Fraction
from itertools import groupby

import av
import cv2
import numpy as np
import pytest

from data_prep.faces import FaceFinder, FinderConfig, build_report
from data_prep.faces.sampling import SamplingConfig


def find(detector, pictures, waveform):
    finder = FaceFinder(detector)
    chunks = finder.push(pictures, waveform) + finder.flush()
    assert sum(chunk.frames for chunk in chunks) == len(pictures)
    return finder, chunks


def beside(show, first, second):
    """Two clips side by side."""
    pairs = zip(first, second, strict=False)
    return show([np.concatenate([a.gray(), b.gray()], axis=1) for a, b in pairs])


def chosen_left(finder, width):
    """Whether the left face was taken; None if not just one was."""
    chosen = [track for track in finder.tracks() if track.chosen.any()]
    if len(chosen) != 1:
        return None
    box = chosen[0].median_box
    return bool(box[0] + box[2] / 2 < width)


def freeze(pictures, turn):
    """The picture at `turn` from there on, and in place of all before it."""
    still, rest = [pictures[turn].gray()], [picture.gray() for picture in pictures]
    return rest[:turn] + still * (len(rest) - turn), still * turn + rest[turn:]


def talkers(finder, chunks, width):
    """Who is shown: runs of "left", "right" and None, with the frame at which each ends."""
    sides = {t.track: "left" if t.median_box[[0, 2]] @ [1, 0.5] < width else "right"
             for t in finder.tracks()}  # fmt: skip
    shown = [sides.get(int(track)) for chunk in chunks for track in chunk.track]
    return [(side, sum(1 for _ in run)) for side, run in groupby(shown)]


def encode(path, pictures, rate_hz):
    height, width = pictures[0].shape
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mpeg4", Fraction(rate_hz))
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        stream.bit_rate = 4_000_000
        for picture in pictures:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, "gray")))
        container.mux(stream.encode(None))
    return path


def test_man_at_the_lectern_talks_and_not_the_silent_one(detector, read_clip, demo_clip):
    finder, chunks = find(detector, *read_clip(demo_clip))
    report = build_report(finder.tracks(), finder.totals)
    centres = {t["chosen"]: t["median_box"][0] + t["median_box"][2] / 2 for t in report["tracks"]}
    assert len(report["tracks"]) == 2 and report["shots"] == 1
    assert 185 <= centres[True] <= 210 and 75 <= centres[False] <= 95
    scores = {t["chosen"]: t["talking_score"] for t in report["tracks"]}
    assert scores[True] > 0.4 and scores[False] < 0.1
    assert np.concatenate([chunk.mask for chunk in chunks]).all()


def test_grid_crops_hold_a_mouth_in_every_frame(detector, read_clip, grid, other_talkers):
    for path in [*grid[:4], *other_talkers]:
        finder, chunks = find(detector, *read_clip(path))
        assert len(finder.tracks()) == len(chunks) == 1 and chunks[0].mask.all()
        # Most of what moves lies between nose and chin, and little at the left and right border.
        crops = chunks[0].crops.astype(float)
        motion = abs(np.diff(crops, axis=0)).mean(axis=0)
        assert motion[40:72, 28:68].mean() > 1.3 * motion[:, [*range(12), *range(84, 96)]].mean()
        assert abs(np.diff(crops.mean(axis=(1, 2)))).max() < 10


def test_of_two_grid_talkers_the_one_that_is_heard_is_taken(
    detector, read_clip, show, grid, other_talkers
):
    pairs = [(grid[i], other) for i in range(2) for other in other_talkers]
    pairs += [(other_talkers[0], other_talkers[1]), (other_talkers[2], other_talkers[1])]
    right = []
    for first, second in pairs:
        (left_pictures, left_sound), (right_pictures, right_sound) = map(read_clip, (first, second))
        pictures = beside(show, left_pictures, right_pictures)
        for sound, is_left in ((left_sound, True), (right_sound, False)):
            finder, _ = find(detector, pictures, sound[: 640 * len(pictures)])
            right.append(chosen_left(finder, left_pictures[0].gray().shape[1]) is is_left)
    assert np.mean(right) >= 0.85


def test_frozen_face_does_not_talk(detector, read_clip, show, grid):
    pictures, sound = read_clip(grid[0])
    noise = np.random.default_rng(0).integers(-1, 2, (len(pictures), *pictures[0].gray().shape))
    frozen = [(pictures[10].gray() + n).clip(0, 255).astype(np.uint8) for n in noise]
    finder, chunks = find(detector, show(frozen), sound)
    assert len(finder.tracks()) == 1 and not chunks[0].mask.any()


def test_moving_face_beside_a_frozen_one_talks(detector, read_clip, show, grid, other_talkers):
    pictures, sound = read_clip(grid[0])
    still = show([read_clip(other_talkers[0])[0][5].gray()] * len(pictures))
    finder, _ = find(detector, beside(show, still, pictures), sound)
    assert chosen_left(finder, still[0].gray().shape[1]) is False


@pytest.mark.parametrize("turn", [100, 150])
def test_two_who_take_turns_are_each_shown_while_they_talk(
    detector, read_clip, show, demo_clip, turn
):
    pictures, sound = read_clip(demo_clip)
    pairs = zip(*freeze(pictures, turn), strict=True)
    repeated = [picture.repeated for picture in pictures]
    both = show([np.concatenate(pair, axis=1) for pair in pairs], repeated)
    finder, chunks = find(detector, both, sound)
    (early, frames), (late, _) = talkers(finder, chunks, 320)
    assert (early, late) == ("left", "right") and abs(frames - turn) <= 5
    crops = np.concatenate([chunk.crops for chunk in chunks]).astype(float)
    motion = abs(crops[3:] - crops[:-3]).mean(axis=(1, 2))
    assert all(np.median(part) > 3 for part in np.array_split(motion, 5))  # the talker, no photo
    report = build_report(finder.tracks(), finder.totals)
    assert sorted(len(track["talks"]) for track in report["tracks"])[-2:] == [1, 1]


def test_face_that_freezes_stops_talking_while_the_voice_goes_on(
    detector, read_clip, show, demo_clip
):
    pictures, sound = read_clip(demo_clip)
    repeated = [picture.repeated for picture in pictures]
    ends, begins = (show(frozen, repeated) for frozen in freeze(pictures, 150))
    assert [side for side, _ in talkers(*find(detector, ends, sound), 320)] == ["left", None]
    assert [side for side, _ in talkers(*find(detector, begins, sound), 320)] == [None, "left"]


@pytest.mark.parametrize("coded", [True, False])
def test_photo_does_not_talk_though_a_voice_is_heard(
    detector, read_clip, show, demo_clip, tmp_path, coded
):
    pictures, sound = read_clip(demo_clip)
    photo = [pictures[60].gray()] * len(pictures)
    shown = show(photo)
    if coded:
        shown = read_clip_without_sound(encode(tmp_path / "photo.mp4", photo, 25))[0]
    finder, chunks = find(detector, shown, sound[: 640 * len(shown)])
    assert len(finder.tracks()) >= 1
    assert not np.concatenate([chunk.mask for chunk in chunks]).any()


@pytest.mark.parametrize("picture", ["black", "noise", "grey"])
def test_no_face_no_video(detector, show, picture):
    random = np.random.default_rng(0)
    pictures = {
        "black": np.zeros((50, 240, 320), np.uint8),
        "noise": random.integers(0, 255, (50, 240, 320), np.uint8),
        "grey": np.full((50, 240, 320), 128, np.uint8),
    }[picture]
    sound = random.normal(0, 0.1, 50 * 640).astype(np.float32)
    finder, chunks = find(detector, show(list(pictures)), sound)
    assert finder.tracks() == []
    assert all(not chunk.mask.any() and not chunk.crops.any() for chunk in chunks)


def test_clips_cut_together_are_followed_apart(detector, read_clip, show, grid, other_talkers):
    (first, first_sound), (second, second_sound) = read_clip(grid[0]), read_clip(other_talkers[1])
    sound = np.concatenate([first_sound[: 53 * 640], second_sound])
    finder, chunks = find(detector, [*first[:53], *second], sound)
    alone = find(detector, second, second_sound)[0].tracks()[0]
    assert [chunk.start_frame for chunk in chunks] == [0, 53]
    assert [track.start_frame for track in finder.tracks()] == [0, 53]
    np.testing.assert_allclose(finder.tracks()[1].landmarks, alone.landmarks, atol=0.1)


@pytest.mark.parametrize("angle", [-25, 15])
def test_tilted_head_gives_upright_crops(detector, read_clip, show, grid, angle):
    pictures, sound = read_clip(grid[0])
    height, width = pictures[0].gray().shape
    turn = cv2.getRotationMatrix2D((width / 2, height / 2), angle, 1.0)
    turned = [cv2.warpAffine(p.gray(), turn, (width, height)) for p in pictures]
    plain = find(detector, pictures, sound)[1][0]
    tilted = find(detector, show(turned), sound)[1][0]
    assert tilted.mask.all()
    pairs = zip(plain.crops[::10], tilted.crops[::10], strict=True)
    likeness = [np.corrcoef(a.ravel(), b.ravel())[0, 1] for a, b in pairs]
    assert min(likeness) > 0.75


@pytest.mark.parametrize("degrees", [0, 20])
def test_followed_mouths_are_where_a_look_at_every_frame_sees_them(
    detector, read_clip, show, grid, degrees
):
    pictures, sound = read_clip(grid[0])
    height, width = pictures[0].gray().shape
    swayed = []
    for index, picture in enumerate(pictures):
        turn = cv2.getRotationMatrix2D((width / 2, height / 2), degrees * np.sin(index / 6), 1.0)
        swayed.append(cv2.warpAffine(picture.gray(), turn, (width, height)))
    every = FinderConfig(sampling=SamplingConfig(every=1))
    often, seldom = (FaceFinder(detector, config) for config in (every, FinderConfig()))
    for finder in (often, seldom):
        finder.push(show(swayed), sound)
        finder.flush()
    (expected,), (found,) = often.tracks(), seldom.tracks()
    assert seldom.totals.frames_looked_at <= len(pictures) / 4
    scale = 72 / np.linalg.norm(expected.landmarks[:, 1] - expected.landmarks[:, 0], axis=1)
    off = np.linalg.norm(found.landmarks[:, 3] - expected.landmarks[:, 3], axis=1) * scale
    assert np.median(off) < 1.5 and off.max() < 4  # pixels of a crop of 96
    assert (found.chosen == expected.chosen).all()


def test_mirrored_picture_gives_mirrored_crops(detector, read_clip, show, grid):
    pictures, sound = read_clip(grid[0])
    mirrored = show([np.ascontiguousarray(p.gray()[:, ::-1]) for p in pictures])
    plain = find(detector, pictures, sound)[1][0]
    turned = find(detector, mirrored, sound)[1][0]
    pairs = zip(plain.crops[::10], turned.crops[::10, :, ::-1], strict=True)
    assert min(np.corrcoef(a.ravel(), b.ravel())[0, 1] for a, b in pairs) > 0.75


@pytest.mark.parametrize("rate_hz", [12, 50, 60])
def test_other_frame_rates_give_the_same_mouths(detector, read_clip, grid, tmp_path, rate_hz):
    pictures, sound = read_clip(grid[1])
    count = len(pictures) * rate_hz // 25
    nearest = [min(len(pictures) - 1, round(i * 25 / rate_hz)) for i in range(count)]
    path = encode(tmp_path / "clip.mp4", [pictures[i].gray() for i in nearest], rate_hz)
    again, _ = read_clip_without_sound(path)
    frames = min(len(again), len(pictures))
    finder, chunks = find(detector, again[:frames], sound[: frames * 640])
    plain = find(detector, pictures, sound)[0].tracks()[0]
    assert len(chunks) == 1 and chunks[0].mask.all()
    difference = abs(finder.tracks()[0].landmarks[:frames] - plain.landmarks[:frames])
    assert np.median(difference) < 2 and finder.tracks()[0].talking_score > 0.4


def read_clip_without_sound(path):
    from data_prep.media import stream_video

    class Kept:
        def __init__(self, frame):
            self.repeated, self._gray = frame.repeated, frame.gray()

        def gray(self):
            return self._gray

    return [Kept(frame) for frame in stream_video(path)], None


def test_face_that_walks_out_of_the_picture_is_masked(detector, read_clip, show, grid):
    pictures, sound = read_clip(grid[0])
    shifted = []
    for index, picture in enumerate(pictures):
        move = np.array([[1.0, 0.0, max(0, index - 45) * 16.0], [0.0, 1.0, 0.0]])
        height, width = picture.gray().shape
        shifted.append(cv2.warpAffine(picture.gray(), move, (width, height)))
    chunks = find(detector, show(shifted), sound)[1]
    mask = np.concatenate([chunk.mask for chunk in chunks])
    assert mask[:50].all() and not mask[68:].any()
