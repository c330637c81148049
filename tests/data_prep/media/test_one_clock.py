"""Sound and pictures lie on one clock, the container's as players show it, whatever begins first.

Each file has a flash and a burst of sound at the same moment.
"""

from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from data_prep.media import probe, read_audio, stream_audio, stream_video

FLASH_S = Fraction(8, 5)  # after the beginning of the clock that the file was written on
CONTAINERS = {
    "mp4": ("aac", 44_100, "libx264"),
    "mov": ("pcm_s16le", 48_000, "libx264"),
    "mkv": ("aac", 48_000, "libx264"),
    "webm": ("libopus", 48_000, "libvpx-vp9"),
    "ts": ("aac", 48_000, "libx264"),
    "mpg": ("mp2", 44_100, "mpeg1video"),
    "flv": ("aac", 44_100, "libx264"),
}
FIXTURE = HealthCheck.function_scoped_fixture
STARTS = [
    (0, 0),
    (0, Fraction(3, 5)),
    (Fraction(3, 5), 0),
    (Fraction(2, 5), 1),
    (1, Fraction(2, 5)),
]


def burst_s(waveform: np.ndarray) -> float:
    """The middle of the burst."""
    energy = waveform.astype(np.float64) ** 2
    return float((energy * np.arange(len(energy))).sum() / energy.sum() / 16_000)


def flash_s(path: Path) -> float:
    """The first tick that shows the flash."""
    return next(frame.time_s for frame in stream_video(path) if frame.gray().mean() > 150)


@pytest.fixture
def write_flash(write_media, sound_of, pictures_of, flat) -> Callable[..., Path]:
    """A function that writes a file whose sound and pictures begin and end at given times."""

    def write(name: str, sound_s=0, pictures_s=0, sound_end_s=3.0, pictures_end_s=3) -> Path:
        audio_codec, rate_hz, video_codec = CONTAINERS[name.split(".")[-1]]
        at_s = np.arange(round((sound_end_s - float(sound_s)) * rate_hz)) / rate_hz
        bell = np.exp(-(((at_s + float(sound_s - FLASH_S)) / 0.004) ** 2))
        sound = (0.8 * bell * np.cos(2e3 * np.pi * at_s)).astype(np.float32)
        times_s = [
            pictures_s + Fraction(n, 25) for n in range(round((pictures_end_s - pictures_s) * 25))
        ]
        pictures = pictures_of(
            [flat(220 if 0 <= time_s - FLASH_S < Fraction(1, 5) else 60) for time_s in times_s],
            times_s,
            codec=video_codec,
        )
        return write_media(name, sound_of(sound, rate_hz, audio_codec, float(sound_s)), pictures)

    return write


def copy_packets(source: Path, target: Path, later_s: dict[str, float]) -> Path:
    """Copy packets into another file, each kind of stream as much later."""
    with av.open(str(source)) as media, av.open(str(target), "w") as container:
        streams = {s.index: container.add_stream_from_template(s) for s in media.streams}
        packets: list[Any] = [packet for packet in media.demux() if packet.dts is not None]
        for packet in packets:
            shift = round(later_s[packet.stream.type] / packet.time_base)
            packet.pts, packet.dts = packet.pts + shift, packet.dts + shift
        for packet in sorted(packets, key=lambda p: p.dts * p.time_base):
            packet.stream = streams[packet.stream.index]
            container.mux(packet)
    return target


@pytest.mark.parametrize(("sound_s", "pictures_s"), STARTS)
@pytest.mark.parametrize("kind", CONTAINERS)
def test_flash_and_burst_stay_together(kind, sound_s, pictures_s, write_flash):
    path = write_flash(f"a.{kind}", sound_s, pictures_s)
    expected_s = float(FLASH_S - min(sound_s, pictures_s))
    # Formats without edit lists cannot say that the encoder put its own delay in front of the
    # sound, and MPEG-1 counts pictures in GOPs of its own rate.
    assert burst_s(read_audio(path)) == pytest.approx(expected_s, abs=0.03)
    assert flash_s(path) == pytest.approx(expected_s, abs=0.045)


@pytest.mark.parametrize("kind", CONTAINERS)
def test_ticks_before_the_first_picture_are_black_and_missing(kind, write_flash):
    frames = list(stream_video(write_flash(f"late.{kind}", 0, Fraction(3, 5))))
    missing = sum(frame.missing for frame in frames)
    assert abs(missing - 15) <= 1  # 0.6 s
    assert all(frame.missing for frame in frames[:missing])
    assert not any(frame.rgb().any() for frame in frames[:missing])
    assert frames[missing].gray().any() and not frames[missing].repeated
    assert [frame.index for frame in frames] == list(range(len(frames)))
    assert len(frames) == pytest.approx(75, abs=1)
    assert {(frame.height, frame.width) for frame in frames} == {(48, 64)}


@settings(
    max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.integers(0, 38), st.integers(0, 38))
def test_any_two_starts_keep_sound_and_pictures_together(write_flash, sound, pictures):
    sound_s, pictures_s = Fraction(sound, 25), Fraction(pictures, 25)
    path = write_flash("any.mkv", sound_s, pictures_s)
    expected_s = float(FLASH_S - min(sound_s, pictures_s))
    assert burst_s(read_audio(path)) == pytest.approx(expected_s, abs=0.003)
    assert flash_s(path) == pytest.approx(expected_s, abs=0.041)
    info = probe(path)
    assert info.audio is not None and info.video is not None
    assert min(info.audio.start_s, info.video.start_s) == pytest.approx(0, abs=0.003)
    assert info.video.start_s - info.audio.start_s == pytest.approx(
        float(pictures_s - sound_s), abs=0.003
    )


@pytest.mark.parametrize("before_s", [0.02, 1.0, 1.5, 100.0])
@pytest.mark.parametrize("starts", [(0, 0), (0, Fraction(3, 5)), (Fraction(3, 5), 0)])
def test_a_clock_of_33_bits_that_wraps_goes_on(before_s, starts, write_flash, tmp_path):
    whole = write_flash("whole.ts", *starts)
    at_s = 2**33 / 90_000 - before_s
    path = copy_packets(whole, tmp_path / "wraps.ts", {"audio": at_s, "video": at_s})
    assert len(read_audio(path)) == pytest.approx(len(read_audio(whole)), abs=16)
    assert burst_s(read_audio(path)) == pytest.approx(burst_s(read_audio(whole)), abs=0.001)
    assert flash_s(path) == flash_s(whole)


@pytest.mark.parametrize("kind", ["mp4", "mov", "mkv", "ts", "flv"])
def test_a_clock_that_starts_anywhere_counts_from_its_start(kind, write_flash, tmp_path):
    # Matroska has no decoding times, which copying needs.
    whole = write_flash(f"whole.{kind.replace('mkv', 'mp4')}", 0, Fraction(3, 5))
    path = copy_packets(whole, tmp_path / f"hour.{kind}", {"audio": 3600.0, "video": 3600.0})
    assert burst_s(read_audio(path)) == pytest.approx(burst_s(read_audio(whole)), abs=0.03)
    assert flash_s(path) == pytest.approx(flash_s(whole), abs=0.041)


def test_what_an_edit_list_cuts_off_does_not_count(write_flash, tmp_path):
    whole = write_flash("whole.mp4")
    path = copy_packets(whole, tmp_path / "cut.mp4", {"audio": -0.8, "video": -0.8})
    assert burst_s(read_audio(path)) == pytest.approx(float(FLASH_S) - 0.8, abs=0.003)
    assert flash_s(path) == pytest.approx(float(FLASH_S) - 0.8, abs=0.001)
    assert len(read_audio(path)) / 16_000 == pytest.approx(2.2, abs=0.05)


@pytest.mark.parametrize("ends", [(3.0, 3), (1.8, 3), (3.0, Fraction(11, 5))])
def test_joined_recordings_keep_sound_and_pictures_together(ends, write_flash, tmp_path):
    """The second part begins where the longer stream of the first one ends, for both."""
    first = write_flash("first.ts", 0, 0, *ends)
    second = write_flash("second.ts", 0, Fraction(2, 5))
    path = tmp_path / "joined.ts"
    path.write_bytes(first.read_bytes() + second.read_bytes())
    later_s = burst_s(read_audio(path)[40_000:]) + 2.5
    flashes = [frame.time_s for frame in stream_video(path) if frame.gray().mean() > 150]
    assert next(time_s for time_s in flashes if time_s > 2.5) == pytest.approx(later_s, abs=0.09)
    assert later_s == pytest.approx(3 + float(FLASH_S), abs=0.2)


def test_sound_with_a_gap_stays_in_place_before_late_pictures(
    write_media, sound_of, pictures_of, flat
):
    tone = np.full(48_000, 0.25, np.float32)
    sound = sound_of(tone, codec="pcm_s16le", gap_s=(1.5, 2.0))
    pictures = pictures_of([flat(100)] * 50, [1 + Fraction(n, 25) for n in range(50)])
    waveform = read_audio(write_media("gap.mkv", sound, pictures))
    assert len(waveform) == 48_000 and not waveform[24_100:31_900].any()
    assert waveform[100:23_900] == pytest.approx(0.25, abs=1e-3)
    assert waveform[32_100:] == pytest.approx(0.25, abs=1e-3)


@pytest.mark.parametrize("starts", STARTS)
def test_blocks_of_any_length_give_the_same_sound(starts, write_flash):
    path = write_flash("blocks.mkv", *starts)
    for block_s in (0.01, 0.37, 2.0):
        assert np.array_equal(np.concatenate(list(stream_audio(path, block_s))), read_audio(path))
