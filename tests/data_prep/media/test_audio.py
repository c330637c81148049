from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from data_prep.media import read_audio, stream_audio
from data_prep.media.audio import regroup

RATE_HZ = 16_000
BURST_S = 1.3


def burst(rate_hz: int, at_s: float = BURST_S, length_s: float = 3.0) -> np.ndarray:
    """A 1 kHz tone under a narrow bell curve, so that its middle is a point in time."""
    time_s = np.arange(round(length_s * rate_hz)) / rate_hz - at_s
    return (0.8 * np.exp(-((time_s / 0.004) ** 2)) * np.cos(2e3 * np.pi * time_s)).astype(
        np.float32
    )


def middle_s(waveform: np.ndarray) -> float:
    energy = waveform.astype(np.float64) ** 2
    return float((energy * np.arange(len(energy))).sum() / energy.sum() / RATE_HZ)


def still(pictures_of, flat, count: int = 75, first_s: float = 0.0, **options):
    times_s = [Fraction(first_s) + Fraction(n, 25) for n in range(count)]
    return pictures_of([flat(100)] * count, times_s, **options)


@pytest.mark.parametrize(
    ("name", "codec", "rate_hz"),
    [
        ("a.wav", "pcm_s16le", 44_100),
        ("a.wav", "pcm_f32le", 16_000),
        ("a.wav", "pcm_u8", 8_000),
        ("a.flac", "flac", 48_000),
        ("a.mp3", "libmp3lame", 44_100),
        ("a.m4a", "aac", 44_100),
        ("a.ogg", "libopus", 48_000),
        ("a.webm", "libopus", 48_000),
    ],
)
def test_sound_alone_keeps_its_time(name, codec, rate_hz, write_media, sound_of):
    waveform = read_audio(write_media(name, sound_of(burst(rate_hz), rate_hz, codec)))
    assert abs(middle_s(waveform) - BURST_S) < 0.001
    assert abs(len(waveform) / RATE_HZ - 3.0) < 0.06
    assert abs(np.abs(waveform).max() - 0.8) < 0.05


@pytest.mark.parametrize(
    ("name", "audio_codec", "rate_hz", "video_codec"),
    [
        ("a.mp4", "aac", 44_100, "libx264"),
        ("a.mp4", "aac", 24_000, "libx264"),
        ("a.mov", "pcm_s16le", 48_000, "libx264"),
        ("a.mkv", "libopus", 48_000, "libx264"),
        ("a.mkv", "aac", 48_000, "libx264"),
        ("a.webm", "libopus", 48_000, "libvpx-vp9"),
        ("a.mpg", "mp2", 44_100, "mpeg1video"),
        ("a.ts", "aac", 48_000, "libx264"),
        ("a.avi", "libmp3lame", 44_100, "mpeg4"),
        ("a.flv", "aac", 44_100, "libx264"),
    ],
)
def test_sound_keeps_its_time_beside_video(
    name, audio_codec, rate_hz, video_codec, write_media, sound_of, pictures_of, flat
):
    sound = sound_of(burst(rate_hz), rate_hz, audio_codec)
    path = write_media(name, sound, still(pictures_of, flat, codec=video_codec))
    # Formats without edit lists cannot say that the encoder put its own delay in front.
    delay_s = {"a.avi": 0.03, "a.flv": 0.03, "a.mpg": 0.015, "a.ts": 0.022}.get(name, 0.0015)
    assert abs(middle_s(read_audio(path)) - BURST_S) < delay_s


@pytest.mark.parametrize("name", ["late.mp4", "late.mkv"])
def test_late_sound_starts_late(name, write_media, sound_of, pictures_of, flat):
    sound = sound_of(burst(48_000), 48_000, "aac", start_s=0.5)
    waveform = read_audio(write_media(name, sound, still(pictures_of, flat)))
    assert abs(middle_s(waveform) - BURST_S - 0.5) < 0.0015
    assert np.abs(waveform[:7_500]).max() == 0.0


@pytest.mark.parametrize("name", ["early.mp4", "early.mkv"])
def test_sound_before_the_first_picture_is_kept(name, write_media, sound_of, pictures_of, flat):
    sound = sound_of(burst(48_000), 48_000, "aac")
    waveform = read_audio(write_media(name, sound, still(pictures_of, flat, first_s=0.6)))
    assert abs(middle_s(waveform) - BURST_S) < 0.0015
    assert len(waveform) / RATE_HZ == pytest.approx(3.0, abs=0.05)


def test_gap_is_silence_and_what_follows_keeps_its_time(write_media, sound_of, pictures_of, flat):
    tone = burst(16_000) + burst(16_000, 2.5) + np.float32(0.1)
    sound = sound_of(tone, codec="pcm_s16le", gap_s=(1.5, 2.0))
    waveform = read_audio(write_media("gap.mkv", sound, still(pictures_of, flat)))
    assert len(waveform) == 48_000
    assert np.abs(waveform[24_100:31_900]).max() == 0.0
    assert np.allclose(waveform[32_100:], tone[32_100:], atol=1e-3)


@pytest.mark.parametrize("length_s", [1.0, 5.0])
def test_sound_shorter_or_longer_than_video_keeps_its_length(
    length_s, write_media, sound_of, pictures_of, flat
):
    sound = sound_of(burst(16_000, 0.5, length_s), codec="flac")
    waveform = read_audio(write_media("length.mkv", sound, still(pictures_of, flat)))
    assert len(waveform) == length_s * RATE_HZ


def test_channels_are_averaged_without_clipping(write_media, sound_of):
    loud = np.ones(RATE_HZ, np.float32)
    assert read_audio(write_media("both.wav", sound_of(np.stack([loud, loud])))).max() <= 1.0
    opposite = read_audio(write_media("left.wav", sound_of(np.stack([loud * 0.5, loud * 0]))))
    assert opposite == pytest.approx(0.25, abs=1e-3)
    six = sound_of(np.stack([loud] * 6), codec="pcm_f32le")
    assert read_audio(write_media("six.wav", six)) == pytest.approx(1.0, abs=1e-6)


@pytest.mark.parametrize(("codec", "name"), [("pcm_s16le", "8.wav"), ("libopus", "8.mkv")])
def test_eight_channels_are_averaged(codec, name, write_media, sound_of):
    channels = np.stack([burst(48_000)] * 4 + [burst(48_000) * 0] * 4)
    waveform = read_audio(write_media(name, sound_of(channels, 48_000, codec)))
    assert abs(middle_s(waveform) - BURST_S) < 0.001
    assert np.abs(waveform).max() == pytest.approx(0.4, abs=0.05)


def test_16_khz_float_comes_back_bit_for_bit(write_media, sound_of):
    waveform = np.random.default_rng(0).normal(0, 0.1, 20_000).astype(np.float32)
    assert np.array_equal(
        read_audio(write_media("exact.wav", sound_of(waveform, codec="pcm_f32le"))), waveform
    )


@pytest.mark.parametrize("block_s", [0.0001, 0.04, 0.7, 1.0, 100.0])
def test_block_length_changes_nothing(block_s, demo_clip):
    blocks = list(stream_audio(demo_clip, block_s))
    assert {len(block) for block in blocks[:-1]} <= {round(block_s * RATE_HZ)}
    assert np.array_equal(np.concatenate(blocks), read_audio(demo_clip))


def test_regroup_keeps_every_sample():
    pieces = [np.arange(n, dtype=np.float32) for n in (0, 5, 1, 23, 0, 2)]
    blocks = list(regroup(pieces, 4))
    assert [len(block) for block in blocks] == [4] * 7 + [3]
    assert np.array_equal(np.concatenate(blocks), np.concatenate(pieces))


def test_a_tenth_of_a_second_is_enough(write_media, sound_of):
    sound = sound_of(burst(44_100, 0.05, 0.1), 44_100)
    assert len(read_audio(write_media("short.wav", sound))) == 1_600


def test_silence_comes_back_as_silence(write_media, sound_of):
    waveform = read_audio(write_media("silence.wav", sound_of(np.zeros(8_000, np.float32))))
    assert len(waveform) == 8_000 and not waveform.any()


def test_nan_samples_are_an_error(write_media, sound_of):
    waveform = burst(16_000)
    waveform[20_000] = np.nan
    path = write_media("nan.wav", sound_of(waveform, codec="pcm_f32le"))
    with pytest.raises(ValueError, match=r"NaN or infinite samples near 1\.\d\d s"):
        read_audio(path)


def test_video_without_sound_is_an_error(write_media, pictures_of, flat):
    with pytest.raises(ValueError, match="has no audio .*video h264"):
        stream_audio(write_media("mute.mp4", None, still(pictures_of, flat)))


def test_original_grid_clips_end_before_their_video(shared_data: Path):
    for path in sorted((shared_data / "grid/s1").glob("*.mpg")):
        assert 2.9 < len(read_audio(path)) / RATE_HZ < 3.0
