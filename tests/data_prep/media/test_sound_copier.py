"""The sound of any container keeps its length and place beside a new video."""

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from data_prep.media.sound_copier import SoundCopier

RATE_HZ, SECONDS = 44_100, 3
CONTAINERS = {"mkv": ("mpeg4", "aac"), "webm": ("libvpx", "libopus"), "mp4": ("mpeg4", "aac")}


def write_clip(path: Path, video_codec: str, audio_codec: str) -> None:
    """Write grey pictures and a tone of three seconds."""
    rate_hz = 48_000 if audio_codec == "libopus" else RATE_HZ
    with av.open(str(path), "w") as container:
        video = container.add_stream(video_codec, rate=25)
        video.width, video.height, video.pix_fmt = 64, 64, "yuv420p"
        audio = container.add_stream(audio_codec, rate=rate_hz, layout="mono")
        for _ in range(25 * SECONDS):
            picture = np.full((64, 64, 3), 128, np.uint8)
            container.mux(video.encode(av.VideoFrame.from_ndarray(picture)))
        container.mux(video.encode(None))
        tone = 0.3 * np.sin(np.arange(rate_hz * SECONDS) * 0.05).astype(np.float32)
        for start in range(0, len(tone), 960):
            block = np.ascontiguousarray(tone[None, start : start + 960])
            frame = av.AudioFrame.from_ndarray(block, "fltp", "mono")
            frame.sample_rate, frame.pts = rate_hz, start
            frame.time_base = Fraction(1, rate_hz)
            container.mux(audio.encode(frame))
        container.mux(audio.encode(None))


@pytest.mark.parametrize("kind", CONTAINERS)
def test_sound_of_any_container_is_as_long_as_it_was(kind, tmp_path):
    source, copy = tmp_path / f"clip.{kind}", tmp_path / "copy.mp4"
    write_clip(source, *CONTAINERS[kind])
    with av.open(str(copy), "w") as container:
        video = container.add_stream("mpeg4", rate=25)
        video.width, video.height, video.pix_fmt = 64, 64, "yuv420p"
        copier = SoundCopier(source, container)
        for number in range(25 * SECONDS):
            picture = av.VideoFrame.from_ndarray(np.zeros((64, 64, 3), np.uint8))
            container.mux(video.encode(picture))
            copier.copy_until(number / 25)
        container.mux(video.encode(None))
        copier.finish()
    with av.open(str(copy)) as container:
        times = [
            (frame.time, frame.samples / frame.sample_rate)
            for frame in container.decode(audio=0)
            if frame.time is not None
        ]
    assert abs(times[0][0]) < 0.1
    assert abs(times[-1][0] + times[-1][1] - SECONDS) < 0.15
    steps = np.diff([time for time, _ in times])
    assert steps.max() < 0.05
