"""The inputs of the pipeline: a media file, a waveform, or waveforms still arriving."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import av
import numpy as np

from data_prep.faces.plausibility import Size, check_box, check_landmarks
from data_prep.media import (
    MediaInfo,
    MonoBlocks,
    VideoFrame,
    check_waveform,
    describe_choice,
    probe,
    stream_audio,
    stream_video,
)
from data_prep.media.clock import count_missing
from data_prep.media.orientation import Orientation
from data_prep.media.picture import Picture, PictureConverter
from modalities.audio.numpy_resample import ArrayResampler, resample_array
from modalities.rates import RATE_HZ, VIDEO_RATE_HZ

if TYPE_CHECKING:
    from torch import Tensor

    from data_prep.faces import MouthSource

Source: TypeAlias = "str | Path | np.ndarray | Tensor | Iterable[np.ndarray]"
ANALYSIS_SIDE = 1280  # faces in larger pictures are looked for at this size
BLOCK_S = 1.0


@dataclass(frozen=True)
class ReadyMouth:
    """A mouth that needs no detector: one of these, or none.

    Attributes:
        video: A file of mouth crops.
        landmarks: A landmark file, one row per frame at 25 Hz, in pixels of the video. Where sound
            begins before the first picture, rows count from time 0 or, if there are only as many,
            from the first picture.
        box: x, y, width, height around the mouth in pixels of the video.
    """

    video: Path | None = None
    landmarks: Path | None = None
    box: tuple[float, float, float, float] | None = None

    def __post_init__(self):
        given = [name for name in ("video", "landmarks", "box") if getattr(self, name) is not None]
        if len(given) > 1:
            raise ValueError(
                f"Both {' and '.join(given)} say where the mouth is; expected one of them at most."
            )

    def open(
        self, scale: float, size: Size, missing: int = 0, frames: int = 0
    ) -> "MouthSource | None":
        """Return the source of crops, or None where faces have to be looked for.

        Args:
            scale: Source pixels per pixel of the pictures that will be pushed.
            size: Columns and rows of the source's pictures.
            missing: Frames before the first picture, which will not be pushed.
            frames: All frames, with these.

        Raises:
            ValueError: The numbers cannot be a face or a mouth in such a picture.
        """
        if self == ReadyMouth():
            return None
        from data_prep.faces import load_landmarks, use_box, use_landmarks, use_mouth_video

        if self.video is not None:
            return use_mouth_video()
        if self.landmarks is not None:
            points = load_landmarks(self.landmarks)
            check_landmarks(points, size, f"Landmarks of {self.landmarks}")
            # As many rows as frames count from time 0; as many as pictures from the first one.
            from_zero = abs(len(points) - frames) <= abs(len(points) - (frames - missing))
            return use_landmarks(points[missing:] if from_zero else points, scale=scale)
        if self.box is not None:
            check_box(self.box, size)
            return use_box([value / scale for value in self.box])
        return None


@dataclass(frozen=True)
class Input:
    """Sound and pictures on one clock.

    Attributes:
        blocks: Opens the sound: waveforms [samples] at 16 kHz, one after the other.
        frames: Opens the pictures, 25 per second.
        has_video: Whether there are pictures.
        duration_s: What is stated of it, for progress; None where nothing is.
        scale: Source pixels per pixel of the pictures.
        mouth: Where crops come from, or None where faces have to be looked for.
        describe_sound: From whether all was silent to a word on the sound track that was taken, or
            None where there is no other.
    """

    blocks: Callable[[], Iterator[np.ndarray]]
    frames: Callable[[], Iterator[VideoFrame]]
    has_video: bool
    duration_s: float | None
    scale: float = 1.0
    mouth: "MouthSource | None" = None
    describe_sound: Callable[[bool], str | None] = lambda silent: None


def open_input(
    source: Source,
    video: np.ndarray | None = None,
    ready: ReadyMouth | None = None,
    rate_hz: int = RATE_HZ,
    audio_track: int | None = None,
    sound: str | Path | None = None,
) -> Input:
    """Find out what was given, and check it.

    Args:
        source: A path, a waveform [samples] or [samples, channels], or an iterable of such
            waveforms, any of which may be empty.
        video: Pictures of a waveform: [frames, height, width, 3] or [frames, height, width] uint8.
        ready: Mouth crops, landmarks or a box for a file, in place of the detector; None looks for
            faces.
        rate_hz: Samples per second of waveforms, which are resampled; a file says its own.
        audio_track: Which sound track of a file with several, by the index that `probe` lists.
        sound: A file whose sound is heard in place of that of the source, which is a file, on the
            same clock; what was taken out of it, for one.

    Raises:
        FileNotFoundError: No such file.
        ValueError: Without sound, not decodable, or of the wrong shape or type.
    """
    if isinstance(source, str | Path):
        if video is not None:
            raise ValueError(
                f"Pictures were given beside the file {source}; expected them with a waveform. "
                "Leave them out: the file's own video is read."
            )
        return _open_file(source, ready or ReadyMouth(), audio_track, sound)
    if sound is not None:
        raise ValueError(
            f"The sound {sound} was given beside a waveform; expected it with a file alone."
        )
    if audio_track is not None:
        raise ValueError(
            f"audio_track is {audio_track} beside a waveform; expected it with a file alone."
        )
    given = _from_tensor(source)
    if isinstance(given, np.ndarray):
        waveform = resample_array(check_waveform(given, rate_hz), rate_hz, RATE_HZ)
        pictures = None if video is None else _check_pictures(video)
        return Input(
            blocks=lambda: _cut(waveform),
            frames=lambda: iter(()) if pictures is None else _frames_of(pictures),
            has_video=pictures is not None,
            duration_s=len(waveform) / RATE_HZ,
        )
    mono = MonoBlocks(rate_hz)
    blocks = _even(_resample_blocks((mono.push(block) for block in given), rate_hz))
    return Input(lambda: blocks, lambda: iter(()), has_video=False, duration_s=None)


def _open_file(
    path: str | Path, ready: ReadyMouth, audio_track: int | None, sound: str | Path | None = None
) -> Input:
    info = probe(path, measure=False)
    if info.audio is None:
        raise ValueError(
            f"{path} holds video without sound; expected a sound track to transcribe. "
            "Give a file with sound, or the sound as a file of its own."
        )
    if audio_track is not None:
        stream_audio(path, audio_track=audio_track)  # says at once that there is no such track
    heard, track = (path, audio_track) if sound is None else (sound, None)
    return Input(
        blocks=lambda: stream_audio(heard, BLOCK_S, track),
        describe_sound=lambda silent: describe_choice(path, audio_track, silent),
        duration_s=info.duration_s,
        **open_pictures(path, ready, info),
    )


def open_pictures(path: str | Path, ready: ReadyMouth, media: MediaInfo) -> dict[str, Any]:
    """Return the part of an `Input` that concerns its pictures.

    Raises:
        ValueError: A ready mouth was given, but there is no video for it.
    """
    pictures = ready.video or path
    media = probe(pictures, measure=False) if ready.video else media
    info = media.video
    if info is None:
        if ready != ReadyMouth():
            raise ValueError(f"{pictures} has no video; expected pictures to take the mouth from.")
        return {"frames": lambda: iter(()), "has_video": False}
    scale = max(1.0, max(info.width, info.height) / ANALYSIS_SIDE)
    rate_hz = Fraction(VIDEO_RATE_HZ)
    length_s = info.duration_s or (media.duration_s or 0.0) - info.start_s
    frames = round((info.start_s + length_s) * rate_hz)
    return {
        "frames": lambda: stream_video(pictures, rate_hz=VIDEO_RATE_HZ, max_side=ANALYSIS_SIDE),
        "has_video": True,
        "scale": scale,
        "mouth": ready.open(
            scale,
            Size(info.width, info.height),
            count_missing(Fraction(info.start_s), rate_hz),
            frames,
        ),
    }


def _from_tensor(source: Any) -> Any:
    """Return a tensor as an array, and all else as it is, without loading torch to find out."""
    return source.detach().cpu().numpy() if hasattr(source, "detach") else source


def _resample_blocks(blocks: Iterator[np.ndarray], rate_hz: int) -> Iterator[np.ndarray]:
    resampler = ArrayResampler(rate_hz, RATE_HZ)
    for block in blocks:
        yield resampler.push(block)
    yield resampler.flush()


def _even(blocks: Iterator[np.ndarray]) -> Iterator[np.ndarray]:
    """Hand on blocks as long as a file's, so that a stream is read as a file is."""
    step = round(BLOCK_S * RATE_HZ)
    waiting: list[np.ndarray] = []
    for block in blocks:
        waiting.append(block)
        if sum(map(len, waiting)) < step:
            continue
        held = np.concatenate(waiting)
        whole = len(held) // step * step
        yield from _cut(held[:whole])
        waiting = [held[whole:]]
    if any(map(len, waiting)):
        yield np.concatenate(waiting)


def _cut(waveform: np.ndarray) -> Iterator[np.ndarray]:
    step = round(BLOCK_S * RATE_HZ)
    for start in range(0, len(waveform), step):
        yield waveform[start : start + step]


def _frames_of(pictures: np.ndarray) -> Iterator[VideoFrame]:
    height, width = pictures.shape[1:3]
    converter = PictureConverter(width, height, Orientation())
    layout = "gray" if pictures.ndim == 3 else "rgb24"
    for index, picture in enumerate(pictures):
        repeated = index > 0 and np.array_equal(picture, pictures[index - 1])
        decoded = av.VideoFrame.from_ndarray(np.ascontiguousarray(picture), format=layout)
        yield VideoFrame(index, index / VIDEO_RATE_HZ, repeated, Picture(decoded, converter))


def _check_pictures(video: np.ndarray) -> np.ndarray:
    good = video.ndim in (3, 4) and (video.ndim == 3 or video.shape[-1] == 3)
    if video.dtype != np.uint8 or not good:
        raise ValueError(
            f"Pictures are {video.dtype} {tuple(video.shape)}; expected uint8 "
            "[frames, height, width, 3] RGB or [frames, height, width] grey."
        )
    return video
