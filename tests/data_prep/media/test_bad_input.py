import os
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from data_prep.media import (
    MonoBlocks,
    check_waveform,
    probe,
    read_audio,
    stream_audio,
    stream_video,
)

READERS: list[Callable] = [
    probe,
    read_audio,
    lambda path: [None for _ in stream_audio(path)],
    lambda path: [frame.gray() for frame in stream_video(path) if not frame.repeated],
]


@pytest.fixture(params=READERS, ids=["probe", "read_audio", "stream_audio", "stream_video"])
def read(request) -> Callable:
    return request.param


def test_a_missing_file(read, tmp_path):
    with pytest.raises(FileNotFoundError, match="does not exist; expected a media file"):
        read(tmp_path / "nothing.mp4")


def test_a_folder(read, tmp_path):
    with pytest.raises(IsADirectoryError, match="is a folder; expected a media file"):
        read(tmp_path)


def test_an_empty_file(read, tmp_path):
    path = tmp_path / "empty.mp4"
    path.touch()
    with pytest.raises(ValueError, match=r"is empty \(0 bytes\)"):
        read(path)


def test_a_pipe(read, tmp_path):
    os.mkfifo(tmp_path / "pipe.mp4")
    with pytest.raises(ValueError, match="is not a regular file"):
        read(tmp_path / "pipe.mp4")


@pytest.mark.parametrize("text", ["Hello, world.\n" * 50, "#EXTM3U\n#EXTINF:1,\n/dev/zero\n", "x"])
def test_a_text_file(read, text, tmp_path):
    path = tmp_path / "text.mp4"
    path.write_text(text)
    with pytest.raises(ValueError, match="text.mp4") as caught:
        read(path)
    assert type(caught.value) is ValueError and "\n" not in str(caught.value)


def test_subtitles_are_neither_sound_nor_video(read, tmp_path):
    path = tmp_path / "text.srt"
    path.write_text("1\n00:00:00,000 --> 00:00:01,000\nHello\n")
    with pytest.raises(ValueError, match="text.srt"):
        read(path)


def test_a_truncated_mp4_without_index(read, demo_clip, tmp_path):
    content = demo_clip.read_bytes()
    path = tmp_path / "cut.mp4"
    path.write_bytes(content[: content.index(b"moov")])
    with pytest.raises(ValueError, match="cannot be read as media") as caught:
        read(path)
    assert type(caught.value) is ValueError


def noisy(sound_of, pictures_of, **options):
    noise = np.random.default_rng(0)
    pictures = [noise.integers(0, 255, (48, 64, 3), np.uint8) for _ in range(100)]
    sound = sound_of(noise.normal(0, 0.1, 64_000).astype(np.float32), codec="aac")
    return sound, pictures_of(pictures, [n / 25 for n in range(100)], **options)


def test_the_beginning_of_a_cut_file_is_used(write_media, sound_of, pictures_of, tmp_path):
    whole = write_media("whole.mkv", *noisy(sound_of, pictures_of)).read_bytes()
    path = tmp_path / "cut.mkv"
    path.write_bytes(whole[: len(whole) // 2])
    assert 1.0 < len(read_audio(path)) / 16_000 < 3.5
    assert 20 < len(list(stream_video(path))) < 90


def test_joined_recordings_play_one_after_the_other(write_media, sound_of, pictures_of, tmp_path):
    part = write_media("part.ts", *noisy(sound_of, pictures_of)).read_bytes()
    (tmp_path / "joined.ts").write_bytes(part * 2)
    assert len(read_audio(tmp_path / "joined.ts")) / 16_000 == pytest.approx(8.0, abs=0.2)
    assert len(list(stream_video(tmp_path / "joined.ts"))) == pytest.approx(200, abs=2)


def test_sound_stays_where_the_first_pictures_cannot_be_decoded(
    write_media, sound_of, pictures_of, tmp_path
):
    sound, pictures = noisy(
        sound_of, pictures_of, options={"g": "60", "keyint_min": "60", "sc_threshold": "0"}
    )
    whole = write_media("whole.ts", sound, pictures).read_bytes()
    path = tmp_path / "cut.ts"
    path.write_bytes(whole[188 * (len(whole) // 188 // 5) :])  # a fifth is gone, packets are 188
    sound_s, frames = len(read_audio(path)) / 16_000, list(stream_video(path))
    assert 2.9 < sound_s < 3.5 and 2.9 < len(frames) / 25 < 3.5
    assert sum(frame.repeated for frame in frames) > 25  # until the next picture on its own


def test_names_with_colons_percents_and_accents(demo_clip, tmp_path):
    for name in ("http:clip.mp4", "clip%03d.mp4", "clip é ☃.mp4", "-clip.mp4"):
        (tmp_path / name).write_bytes(demo_clip.read_bytes())
        assert probe(tmp_path / name).video is not None


def test_nothing_is_printed_for_damage(demo_clip, tmp_path, capfd):
    path = damage(demo_clip, tmp_path, 3)
    for read in READERS:
        attempt(read, path)
    captured = capfd.readouterr()
    assert captured.out == captured.err == ""


def damage(clip: Path, folder: Path, seed: int) -> Path:
    """A copy with flipped bytes, a stretch cut out or the end cut off, or all of it."""
    random = np.random.default_rng(seed)
    content = bytearray(clip.read_bytes())
    header = len(content) - content.rindex(b"moov") + 4
    kind = seed % 4
    if kind in (0, 3):
        for place in random.integers(0, len(content), random.integers(1, 400)):
            content[place] = random.integers(256)
    if kind in (1, 3):
        for place in random.integers(len(content) - header, len(content), random.integers(1, 12)):
            content[place] ^= 1 << int(random.integers(8))
    if kind in (2, 3):
        start = int(random.integers(len(content)))
        del content[start : start + int(random.integers(1, 20_000))]
    path = folder / f"damaged{seed}.mp4"
    path.write_bytes(content)
    return path


def attempt(read: Callable, path: Path) -> bool:
    try:
        read(path)
    except ValueError as error:
        assert type(error) is ValueError and str(path) in str(error) and "\n" not in str(error)
        return False
    return True


@pytest.mark.timeout(60)
def test_damaged_copies_end_in_a_result_or_one_line(demo_clip, tmp_path):
    worked = 0
    for seed in range(40):
        path = damage(demo_clip, tmp_path, seed)
        begin = time.perf_counter()
        worked += sum([attempt(read, path) for read in READERS])
        assert time.perf_counter() - begin < 10
        path.unlink()
    assert worked > 40  # most damage leaves something to use


def test_good_waveforms_pass():
    assert check_waveform(np.array([0, -32768, 16384], np.int16)).tolist() == [0.0, -1.0, 0.5]
    assert check_waveform([0.0, 0.5]).dtype == np.float32
    assert check_waveform(np.array([2**30], np.int32)).tolist() == [0.5]


def test_channels_come_first_or_last_and_are_mixed():
    sound = np.linspace(-0.5, 0.5, 99).astype(np.float32)
    for given in (sound[:, None], sound[None], np.stack([sound, sound]), np.stack([sound] * 3, 1)):
        np.testing.assert_allclose(check_waveform(given), sound, atol=1e-7)


def test_a_block_with_other_channels_than_before_is_an_error():
    blocks = MonoBlocks(16_000)
    assert len(blocks.push(np.zeros((9, 2), np.float32))) == 9
    with pytest.raises(ValueError, match="3 channels after blocks of 2"):
        blocks.push(np.zeros((9, 3), np.float32))


@pytest.mark.parametrize(
    ("waveform", "message"),
    [
        (np.array([0.0, np.nan, np.inf]), "2 NaN or infinite samples, the first at 1"),
        (np.zeros((64, 100), np.float32), r"shape \[64, 100\]"),
        (np.zeros((2, 2, 100), np.float32), r"shape \[2, 2, 100\]"),
        (np.zeros(0, np.float32), r"shape \[0\]; expected one sample"),
        (np.float32(1.0), r"shape \[\]"),
        (np.zeros(5, bool), "type bool"),
        (np.zeros(5, np.complex64), "type complex64"),
        (np.array(["a", "b"]), "expected float32"),
    ],
)
def test_bad_waveforms_are_an_error(waveform, message):
    with pytest.raises(ValueError, match=message):
        check_waveform(waveform)
