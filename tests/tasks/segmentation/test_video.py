"""Videos: every picture is looked at once, on its own clock, beside its own sound."""

import json
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from data_prep.media import probe, stream_video
from tasks.segmentation.predictor import Segmented
from tasks.segmentation.request import Request
from tasks.segmentation.video import choose_rate, segment_video

RATE_HZ, FRAMES, SIDE = 10, 20, 64
START_S = 0.5  # of the pictures; the sound begins at 0


class Bright:
    """Finds what is bright, and counts how often it looked."""

    def __init__(self):
        self.looked = 0

    def segment(self, image, prompts, threshold=0.5):
        self.looked += 1
        shown = image.mean(-1)
        return [Segmented(prompt, shown, shown > threshold) for prompt in prompts]


@pytest.fixture
def clip(tmp_path) -> Path:
    """Two seconds of a bright square that is seen in the second one; a tone begins before it."""
    path = tmp_path / "clip.mkv"
    with av.open(str(path), "w") as container:
        video = container.add_stream("libx264", rate=RATE_HZ, options={"crf": "10"})
        video.width, video.height, video.pix_fmt = SIDE, SIDE, "yuv420p"
        audio = container.add_stream("aac", rate=16_000, layout="mono")
        for number in range(FRAMES):
            picture = np.zeros((SIDE, SIDE, 3), np.uint8)
            if number >= FRAMES // 2:
                picture[16:48, 16:48] = 255
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
            frame.pts = number + round(START_S * RATE_HZ)
            container.mux(video.encode(frame))
        container.mux(video.encode(None))
        tone = 0.3 * np.sin(np.arange(40_000) * 0.05).astype(np.float32)
        for start in range(0, len(tone), 1000):
            block = av.AudioFrame.from_ndarray(tone[None, start : start + 1000], "fltp", "mono")
            block.sample_rate, block.pts = 16_000, start
            block.time_base = Fraction(1, 16_000)
            container.mux(audio.encode(block))
        container.mux(audio.encode(None))
    return path


def test_areas_are_told_frame_by_frame_and_in_sum(clip, tmp_path):
    lines = tmp_path / "areas.jsonl"
    found = segment_video(Bright(), clip, Request(("a square", "a box")), lines=lines)
    assert found.frames == FRAMES and found.rate_hz == RATE_HZ
    assert (found.width, found.height) == (SIDE, SIDE)
    for tally in found.prompts:
        assert tally.frames == FRAMES // 2
        assert tally.largest_share == pytest.approx(0.25, abs=0.02)
        assert tally.mean_share == pytest.approx(0.125, abs=0.02)
        assert tally.largest_at_s is not None and tally.largest_at_s >= START_S + 1
    rows = [json.loads(line) for line in lines.read_text().splitlines()]
    before = round(START_S * RATE_HZ)
    assert [row["frame"] for row in rows] == list(range(before + FRAMES))
    assert [row["time_s"] for row in rows] == [n / RATE_HZ for n in range(before + FRAMES)]
    assert all(row["prompts"] == [] for row in rows[:before])  # no picture yet
    shown = [row["prompts"][1]["area_px"] > 0 for row in rows[before:]]
    assert shown == [False] * (FRAMES // 2) + [True] * (FRAMES // 2)


def test_the_overlay_keeps_pictures_and_sound_on_their_clock(clip, tmp_path):
    overlay = tmp_path / "seen.mp4"
    done = []
    segment_video(
        Bright(), clip, Request(("a square",)), overlay, progress=lambda s, all_s: done.append(s)
    )
    info = probe(overlay)
    assert info.video is not None and info.audio is not None and info.duration_s is not None
    assert info.video.rate_hz == pytest.approx(RATE_HZ)
    assert info.audio.start_s < 0.05 and info.audio.duration_s == pytest.approx(2.5, abs=0.15)
    assert done == sorted(done) and done[-1] == pytest.approx(2.4)
    scale = info.video.width // SIDE
    middles = [frame.rgb()[SIDE * scale // 2, info.video.width // 2] for frame in _all(overlay)]
    bright = [bool(middle.mean() > 128) for middle in middles]
    assert bright == [False] * 15 + [True] * 10


def _all(path: Path):
    return list(stream_video(path, RATE_HZ))


def test_a_picture_that_stands_still_is_looked_at_once(tmp_path, clip):
    """At 1 Hz of pictures whose file says 10, nine of ten are the one before."""
    slow = tmp_path / "slow.mkv"
    with av.open(str(slow), "w") as container:
        video = container.add_stream("libx264", rate=RATE_HZ)
        video.width, video.height, video.pix_fmt = SIDE, SIDE, "yuv420p"
        for number in range(3):
            frame = av.VideoFrame.from_ndarray(np.full((SIDE, SIDE, 3), 90, np.uint8))
            frame.pts = 10 * number
            container.mux(video.encode(frame))
        container.mux(video.encode(None))
    bright = Bright()
    found = segment_video(bright, slow, Request(("a",)))
    assert bright.looked == 3 and found.frames == 21


def test_what_fails_in_the_middle_leaves_no_file(clip, tmp_path):
    class Tired(Bright):
        def segment(self, image, prompts, threshold=0.5):
            if self.looked == 5:
                raise ValueError("tired")
            return super().segment(image, prompts, threshold)

    with pytest.raises(ValueError, match="tired"):
        segment_video(
            Tired(), clip, Request(("a",)), tmp_path / "a.mp4", lines=tmp_path / "a.jsonl"
        )
    assert list(tmp_path.iterdir()) == [clip]


@pytest.mark.parametrize(
    ("stated", "taken"),
    [
        (None, 25),
        (0.0, 25),
        (1000.0, 60),
        (30000 / 1001, Fraction(30000, 1001)),
        (0.5, Fraction(1, 2)),
    ],
)
def test_a_video_is_looked_at_at_its_own_rate_where_that_can_be(stated, taken):
    assert choose_rate(stated) == taken
