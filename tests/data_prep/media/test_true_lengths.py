"""What was decoded counts as the length of a file, not what its header claims."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from data_prep.media import probe, read_audio


def decoded_s(path: Path) -> float:
    return len(read_audio(path)) / 16_000


@pytest.fixture
def noise_of(sound_of) -> Callable:
    return lambda length_s, *args: sound_of(
        np.random.default_rng(0).normal(0, 0.1, round(length_s * 16_000)).astype(np.float32), *args
    )


@pytest.fixture
def write_vbr(write_media, sound_of, tmp_path) -> Callable[[int, int], Path]:
    """A function that writes 4 s of .mp3 at one bit rate and 4 s at another, without a header."""

    def write(*bit_rates: int) -> Path:
        parts = []
        for number, bit_rate in enumerate(bit_rates):
            noise = np.random.default_rng(0).normal(0, 0.1, 64_000).astype(np.float32)
            options = {"b": str(bit_rate)}
            sound = sound_of(noise, codec="libmp3lame", options=options)
            content = write_media(f"part{number}.mp3", sound).read_bytes()
            tag = content.find(b"Xing") if b"Xing" in content else content.find(b"Info")
            frame = content.find(b"\xff\xf3", tag)  # after the header's own frame
            parts.append(content[frame:])
        (tmp_path / "vbr.mp3").write_bytes(b"".join(parts))
        return tmp_path / "vbr.mp3"

    return write


@pytest.mark.parametrize("bit_rates", [(24_000, 96_000), (96_000, 24_000)])
def test_a_guess_from_the_first_bit_rate_does_not_count(bit_rates, write_vbr):
    path = write_vbr(*bit_rates)
    info = probe(path)
    assert info.audio is not None and info.stated_duration_s is not None
    assert abs(info.stated_duration_s - decoded_s(path)) > 2
    assert info.duration_s == pytest.approx(decoded_s(path), abs=0.1)
    assert info.audio.duration_s == info.duration_s
    assert probe(path, measure=False).duration_s == info.stated_duration_s


@pytest.mark.parametrize(
    ("name", "codec"),
    [
        ("a.mp3", "libmp3lame"),
        ("a.wav", "pcm_s16le"),
        ("a.flac", "flac"),
        ("a.mkv", "aac"),
        ("a.ogg", "libopus"),
    ],
)
def test_a_file_that_was_cut_ends_where_it_was_cut(name, codec, write_media, noise_of, tmp_path):
    rate_hz = 48_000 if codec == "libopus" else 16_000
    whole = write_media(name, noise_of(12.0 * rate_hz / 16_000, rate_hz, codec))
    path = tmp_path / f"cut_{name}"
    path.write_bytes(whole.read_bytes()[: whole.stat().st_size // 2])
    info = probe(path)
    assert info.duration_s == pytest.approx(decoded_s(path), abs=0.12)
    assert 4 < decoded_s(path) < 8
    assert probe(whole).duration_s == pytest.approx(12.0, abs=0.1)


@pytest.mark.parametrize("name", ["a.mp4", "a.mkv", "a.ts"])
def test_the_length_of_a_whole_video_is_the_stated_one(
    name, write_media, noise_of, pictures_of, flat
):
    pictures = pictures_of([flat(90)] * 50, [n / 25 for n in range(50)])
    info = probe(write_media(name, noise_of(2.0, 16_000, "aac"), pictures))
    assert info.duration_s == info.stated_duration_s == pytest.approx(2.0, abs=0.15)
    assert info.video is not None and info.video.duration_s == pytest.approx(2.0, abs=0.1)


def test_joined_recordings_are_as_long_as_both(write_media, noise_of, pictures_of, flat, tmp_path):
    pictures = pictures_of([flat(90)] * 50, [n / 25 for n in range(50)])
    part = write_media("a.ts", noise_of(2.0, 16_000, "aac"), pictures).read_bytes()
    (tmp_path / "joined.ts").write_bytes(part * 3)
    assert probe(tmp_path / "joined.ts").duration_s == pytest.approx(6.0, abs=0.3)
