from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

VIDEO_CLOCK = 90_000
LAYOUTS = {1: "mono", 2: "stereo", 6: "5.1", 8: "7.1"}


@dataclass
class Sound:
    """Waveform to write: float32 [samples] or [channels, samples]; `gap_s` is left out."""

    waveform: np.ndarray
    rate_hz: int = 16_000
    codec: str = "pcm_s16le"
    start_s: float = 0.0
    gap_s: tuple[float, float] = (0.0, 0.0)
    options: dict[str, str] | None = None


@dataclass
class Pictures:
    """Pictures to write: uint8 [height, width, 3] at their times."""

    pictures: Sequence[np.ndarray]
    times_s: Sequence[float | Fraction]
    codec: str = "libx264"
    rate_hz: Fraction | int = 25
    pixel_aspect: Fraction | None = None
    display_matrix: Sequence[int] | None = None
    options: dict[str, str] | None = None


def write_sound(container: Any, stream: Any, sound: Sound) -> Iterable[Any]:
    waveform = np.atleast_2d(sound.waveform).astype(np.float32)
    layout = LAYOUTS[len(waveform)]
    resampler = av.AudioResampler(stream.format, stream.layout, stream.rate)
    step = stream.codec_context.frame_size or 800
    for start in range(0, waveform.shape[1], step):
        if sound.gap_s[0] * sound.rate_hz <= start < sound.gap_s[1] * sound.rate_hz:
            continue
        block = waveform[:, start : start + step].T.reshape(1, -1)
        frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(block), "flt", layout)
        frame.sample_rate = sound.rate_hz
        for ready in resampler.resample(frame):
            ready.pts = start + round(sound.start_s * sound.rate_hz)
            ready.time_base = Fraction(1, sound.rate_hz)
            yield from stream.encode(ready)
    yield from stream.encode(None)


def write_pictures(container: Any, stream: Any, video: Pictures) -> Iterable[Any]:
    for picture, time_s in zip(video.pictures, video.times_s, strict=True):
        frame = av.VideoFrame.from_ndarray(picture).reformat(format=stream.pix_fmt)
        frame.pts = round(time_s / stream.codec_context.time_base)
        frame.time_base = stream.codec_context.time_base
        yield from stream.encode(frame)
    yield from stream.encode(None)


def open_video_stream(container: Any, video: Pictures) -> Any:
    stream = container.add_stream(video.codec, rate=video.rate_hz, options=video.options or {})
    stream.height, stream.width = video.pictures[0].shape[:2]
    stream.pix_fmt = "yuvj420p" if video.codec == "mjpeg" else "yuv420p"
    variable = video.codec in ("libx264", "libvpx-vp9")  # the old ones know a few rates only
    stream.codec_context.time_base = (
        Fraction(1, VIDEO_CLOCK) if variable else 1 / Fraction(video.rate_hz)
    )
    if video.pixel_aspect is not None:
        stream.codec_context.sample_aspect_ratio = video.pixel_aspect
    if video.display_matrix is not None:
        stream.set_display_matrix(video.display_matrix)
    return stream


@pytest.fixture
def write_media(tmp_path: Path) -> Callable[..., Path]:
    """A function (name, sound, pictures) -> Path that writes a small media file."""

    def write(name: str, sound: Sound | None = None, pictures: Pictures | None = None) -> Path:
        path = tmp_path / name
        with av.open(str(path), "w") as container:
            packets = []
            video_stream = open_video_stream(container, pictures) if pictures else None
            if sound:
                layout = LAYOUTS[len(np.atleast_2d(sound.waveform))]
                audio_stream = container.add_stream(
                    sound.codec, rate=sound.rate_hz, layout=layout, options=sound.options or {}
                )
                audio_stream.codec_context.open(strict=False)
                packets += write_sound(container, audio_stream, sound)
            if pictures:
                packets += write_pictures(container, video_stream, pictures)
            packets.sort(key=lambda packet: (packet.dts or 0) * packet.time_base)
            for packet in packets:
                container.mux(packet)
        return path

    return write


@pytest.fixture
def sound_of() -> type[Sound]:
    return Sound


@pytest.fixture
def pictures_of() -> type[Pictures]:
    return Pictures


@pytest.fixture
def flat() -> Callable[[int], np.ndarray]:
    """A function level -> uint8 [48, 64, 3] of that gray."""
    return lambda level: np.full((48, 64, 3), level, np.uint8)
