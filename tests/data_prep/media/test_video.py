import itertools
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from av.video.reformatter import ColorRange, VideoReformatter

from data_prep.media import letterbox_area, probe, read_audio, stream_video
from data_prep.media.orientation import Orientation
from data_prep.media.picture import Picture, PictureConverter

ONE = 1 << 16
QUARTER_TURNS = {  # display matrix a b c d, and how numpy makes the same turn
    "upright": ((ONE, 0, 0, ONE), lambda p: p),
    "90": ((0, -ONE, ONE, 0), lambda p: np.rot90(p, 1)),
    "180": ((-ONE, 0, 0, -ONE), lambda p: np.rot90(p, 2)),
    "270": ((0, ONE, -ONE, 0), lambda p: np.rot90(p, 3)),
    "mirrored": ((-ONE, 0, 0, ONE), lambda p: p[:, ::-1]),
    "turned over": ((ONE, 0, 0, -ONE), lambda p: p[::-1]),
    "transposed": ((0, ONE, ONE, 0), lambda p: p.swapaxes(0, 1)),
    "transposed back": ((0, -ONE, -ONE, 0), lambda p: np.rot90(p, 2).swapaxes(0, 1)),
}


def levels(frames) -> list[int]:
    """Numbers of the source pictures that were drawn with the gray 20 + 4 n."""
    return [round((float(frame.gray().mean()) - 20) / 4) for frame in frames]


def numbered(pictures_of, flat, times_s, **options):
    pictures = [flat(20 + 4 * (n % 55)) for n in range(len(times_s))]
    return pictures_of(pictures, times_s, **options)


def quadrants() -> np.ndarray:
    picture = np.zeros((48, 64, 3), np.uint8)
    picture[:24, :32], picture[:24, 32:], picture[24:, :32] = 230, 160, 90
    return picture


@pytest.mark.parametrize("name", ["a.mp4", "a.mkv"])
@pytest.mark.parametrize(
    "rate_hz", [Fraction(1194, 100), 25, Fraction(30_000, 1001), 30, 50, 60, Fraction(7)]
)
def test_any_rate_becomes_25_by_nearest_timestamp(rate_hz, name, write_media, pictures_of, flat):
    times_s = [Fraction(n) / rate_hz for n in range(50)]
    path = write_media(name, None, numbered(pictures_of, flat, times_s, rate_hz=rate_hz))
    frames = list(stream_video(path))
    expected = [
        min(range(50), key=lambda n: (round(abs(times_s[n] - Fraction(tick, 25)), 3), n))
        for tick in itertools.takewhile(
            lambda tick: Fraction(tick, 25) < 50 / Fraction(rate_hz) - Fraction(1, 250),
            itertools.count(),
        )
    ]
    assert levels(frames) == expected
    assert [frame.index for frame in frames] == list(range(len(expected)))
    assert all(frame.time_s == frame.index / 25 for frame in frames)


@pytest.mark.parametrize("name", ["vfr.mp4", "vfr.mkv"])
def test_variable_rate_follows_the_timestamps(name, write_media, pictures_of, flat):
    times_s = [0, 0.04, 0.05, 0.10, 0.50, 0.51, 0.90, 0.96, 1.0]
    path = write_media(name, None, numbered(pictures_of, flat, times_s))
    picked = levels(stream_video(path))[:26]
    assert picked == [
        min(range(9), key=lambda n: (round(abs(times_s[n] - tick / 25), 6), n))
        for tick in range(26)
    ]


def test_repeated_frames_share_their_conversions(write_media, pictures_of, flat):
    path = write_media("slow.mp4", None, numbered(pictures_of, flat, [0, 0.2, 0.4], rate_hz=5))
    frames = list(stream_video(path))
    assert [frame.repeated for frame in frames[:4]] == [False, True, True, False]
    assert frames[0].gray() is frames[1].gray() and frames[0].rgb() is frames[2].rgb()
    assert frames[3].rgb_letterbox(32) is frames[4].rgb_letterbox(32)
    assert frames[2].gray() is not frames[3].gray()
    with pytest.raises(ValueError, match="read-only"):
        frames[0].gray()[:] = 0


@pytest.mark.parametrize("name", ["r.mp4", "r.mkv"])
@pytest.mark.parametrize("turn", QUARTER_TURNS)
def test_pictures_are_upright(turn, name, write_media, pictures_of):
    (a, b, c, d), turned = QUARTER_TURNS[turn]
    matrix = [a, b, 0, c, d, 0, 0, 0, 1 << 30]
    pictures = pictures_of([quadrants()] * 3, [0, 0.04, 0.08], display_matrix=matrix)
    path = write_media(name, None, pictures)
    expected = turned(quadrants())
    frame = list(stream_video(path))[-1]
    assert frame.gray().shape == expected.shape[:2] == (frame.height, frame.width)
    assert np.median(np.abs(frame.gray().astype(int) - expected[..., 0])) <= 2
    assert np.median(np.abs(frame.rgb().astype(int) - expected)) <= 2
    left, top, width, height = letterbox_area(frame.width, frame.height, 32)
    small = frame.rgb_letterbox(32)[top : top + height, left : left + width]
    step = expected.shape[0] // height
    assert np.median(np.abs(small.astype(int) - expected[::step, ::step])) <= 4
    video = probe(path).video
    assert video is not None and (video.width, video.height) == expected.shape[1::-1]
    again = np.rot90(quadrants(), video.rotation_degrees // 90)
    assert np.array_equal(again[:, ::-1] if video.mirrored else again, expected)


@pytest.mark.parametrize(
    ("aspect", "width"), [(Fraction(4, 3), 85), (Fraction(8, 9), 57), (Fraction(9999, 1), 64)]
)
def test_pixels_become_square(aspect, width, write_media, pictures_of, flat):
    path = write_media(
        "sar.mkv", None, pictures_of([flat(90)] * 3, [0, 0.04, 0.08], pixel_aspect=aspect)
    )
    assert next(stream_video(path)).rgb().shape == (48, width, 3)
    video = probe(path).video
    assert video is not None and (video.width, video.coded_width) == (width, 64)


def test_square_pixels_and_quarter_turn_together(write_media, pictures_of, flat):
    pictures = pictures_of(
        [flat(90)] * 3,
        [0, 0.04, 0.08],
        pixel_aspect=Fraction(4, 3),
        display_matrix=[0, -ONE, 0, ONE, 0, 0, 0, 0, 1 << 30],
    )
    assert next(stream_video(write_media("both.mp4", None, pictures))).gray().shape == (85, 48)


def test_max_side_shrinks_but_never_enlarges(demo_clip):
    assert next(stream_video(demo_clip, max_side=160)).gray().shape == (120, 160)
    assert next(stream_video(demo_clip, max_side=999)).gray().shape == (240, 320)


def test_gray_is_full_range(write_media, pictures_of, flat):
    for level in (0, 255):
        pictures = pictures_of([flat(level)] * 2, [0, 0.04])
        frame = next(stream_video(write_media(f"{level}.mp4", None, pictures)))
        assert abs(float(frame.gray().mean()) - level) <= 1
    jpeg = pictures_of([flat(200)] * 2, [0, 0.04], codec="mjpeg")
    assert abs(float(next(stream_video(write_media("j.avi", None, jpeg))).gray().mean()) - 200) <= 2


def test_letterbox_is_centred_on_black(demo_clip):
    assert letterbox_area(320, 240, 128) == (0, 16, 128, 96)
    assert letterbox_area(10, 1000, 128) == (63, 0, 1, 128)
    square = next(stream_video(demo_clip)).rgb_letterbox(128)
    assert square.shape == (128, 128, 3)
    assert not square[:16].any() and not square[112:].any() and square[16:112].mean() > 20


def test_demo_clip_at_12_frames_per_second_fills_25(demo_clip):
    frames = list(stream_video(demo_clip))
    assert len(frames) == 218  # 8.713 s
    assert sum(not frame.repeated for frame in frames) == 105


def test_another_rate_can_be_asked_for(demo_clip):
    assert len(list(stream_video(demo_clip, rate_hz=10))) == 88
    with pytest.raises(ValueError, match="rate_hz is 0"):
        stream_video(demo_clip, rate_hz=0)
    with pytest.raises(ValueError, match="max_side is 0"):
        stream_video(demo_clip, max_side=0)


def test_pictures_that_change_their_size_come_in_one(write_media, pictures_of, flat, tmp_path):
    both = b""
    for width in (64, 96):
        pictures = pictures_of([np.full((48, width, 3), 90, np.uint8)] * 5, range(5))
        both += write_media(f"{width}.h264", None, pictures).read_bytes()
    (tmp_path / "both.h264").write_bytes(both)
    shapes = {frame.gray().shape for frame in stream_video(tmp_path / "both.h264")}
    assert shapes == {(48, 64)}


def test_a_cover_picture_is_not_video(write_media, sound_of, tmp_path):
    song = write_media("song.mp3", sound_of(np.zeros(44_100, np.float32), 44_100, "libmp3lame"))
    cover = av.CodecContext.create("png", "w")
    cover.width, cover.height, cover.pix_fmt, cover.time_base = 8, 8, "rgb24", Fraction(1)
    frame = av.VideoFrame.from_ndarray(np.zeros((8, 8, 3), np.uint8))
    png = b"".join(bytes(packet) for packet in [*cover.encode(frame), *cover.encode(None)])
    body = b"\0image/png\0\x03\0" + png
    tag = b"APIC" + len(body).to_bytes(4, "big") + b"\0\0" + body
    size = bytes((len(tag) >> shift) & 0x7F for shift in (21, 14, 7, 0))
    path = tmp_path / "cover.mp3"
    path.write_bytes(b"ID3\x03\0\0" + size + tag + song.read_bytes())
    with av.open(str(path)) as container:
        assert container.streams.video  # FFmpeg does show it as a stream
    assert probe(path).video is None
    assert len(read_audio(path)) == pytest.approx(16_000, abs=800)
    with pytest.raises(ValueError, match="has no video"):
        stream_video(path)


def test_original_grid_clips_have_75_frames(shared_data: Path):
    paths = sorted((shared_data / "grid/s1").glob("*.mpg"))
    assert len(paths) == 24
    for path in paths:
        info = probe(path)
        assert info.duration_s == pytest.approx(2.98) and info.video and info.audio
        assert (info.video.width, info.video.height, info.audio.channels) == (360, 288, 2)
        frames = list(stream_video(path))
        assert len(frames) == 75 and not any(frame.repeated for frame in frames)


@pytest.mark.parametrize("pixel_format", ["yuv420p", "yuvj420p"])
@pytest.mark.parametrize("told", [ColorRange.UNSPECIFIED, ColorRange.MPEG, ColorRange.JPEG])
def test_brightness_is_what_swscale_makes_of_it(pixel_format, told):
    picture = av.VideoFrame(270, 30, pixel_format)
    picture.color_range = told
    plane = picture.planes[0]
    rows = np.arange(plane.height * plane.line_size).reshape(plane.height, -1) % 256
    plane.update(rows.astype(np.uint8).tobytes())
    expected = VideoReformatter().reformat(picture, format="gray", dst_color_range="JPEG")
    gray = Picture(picture, PictureConverter(270, 30, Orientation())).gray()
    np.testing.assert_array_equal(gray, expected.to_ndarray())
