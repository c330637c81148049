"""A video in, and frame by frame an overlay and areas out; memory does not grow with its length."""

import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass
from fractions import Fraction
from itertools import chain
from pathlib import Path

import numpy as np

from data_prep.media import VideoFrame, probe, stream_video
from data_prep.media.missing_end import describe_missing_end
from data_prep.media.redrawn import redraw
from modalities.rates import VIDEO_RATE_HZ
from modalities.whole_file import replace_when_whole
from tasks.pictures.lettering import Lettering
from tasks.segmentation.areas import Area, measure_areas
from tasks.segmentation.overlay import OverlayPainter
from tasks.segmentation.pictures import Segments
from tasks.segmentation.request import Request

LONGEST_SIDE = 1920  # pixels; larger pictures are shrunk to what every player shows
HIGHEST_RATE_HZ = 60  # no screen shows more, and browsers' .webm states 1000 whatever it has


@dataclass(frozen=True)
class Tally:
    """What was found for one prompt over a video.

    Attributes:
        prompt: As it was given.
        frames: Frames in which something was found.
        mean_share: How much of the picture that is, over all frames, 0 to 1.
        largest_share: How much of the picture that is in one frame, at most.
        largest_at_s: When that was, None where nothing was found.
        cut: Whether the prompt was longer than the model reads, and its end was left out.
    """

    prompt: str
    frames: int
    mean_share: float
    largest_share: float
    largest_at_s: float | None
    cut: bool


@dataclass(frozen=True)
class VideoAreas:
    """What was found in a video.

    Attributes:
        video: Its file.
        width: Columns of the pictures as they were looked at, pixels.
        height: Rows.
        rate_hz: Frames per second.
        frames: How many were looked at; not those before the first picture.
        note: What is wrong with the file, as that its end is missing; "" if nothing.
        prompts: One a prompt, in their order.
    """

    video: str
    width: int
    height: int
    rate_hz: float
    frames: int
    note: str
    prompts: tuple[Tally, ...]


class _Sums:
    """Tallies in the making, of all prompts."""

    def __init__(self, prompts: int):
        self.frames = 0
        self.found = np.zeros(prompts, int)
        self.shares, self.largest = np.zeros(prompts), np.zeros(prompts)
        self.at_s: list[float | None] = [None] * prompts
        self.areas: tuple[Area, ...] = ()

    def add(self, time_s: float, areas: tuple[Area, ...]) -> None:
        self.frames, self.areas = self.frames + 1, areas
        for number, area in enumerate(areas):
            self.found[number] += area.area_px > 0
            self.shares[number] += area.share
            if area.share > self.largest[number]:
                self.largest[number], self.at_s[number] = area.share, time_s

    def tell(self) -> tuple[Tally, ...]:
        means = self.shares / max(1, self.frames)
        return tuple(
            Tally(area.prompt, int(found), float(mean), float(largest), at_s, area.cut)
            for area, found, mean, largest, at_s in zip(
                self.areas, self.found, means, self.largest, self.at_s, strict=True
            )
        )


def segment_video(
    segmenter: Segments,
    source: Path,
    request: Request,
    overlay: Path | None = None,
    lines: Path | None = None,
    progress: Callable[[float, float | None], None] | None = None,
    lettering: Lettering | None = None,
) -> VideoAreas:
    """Find what is asked in every picture of a video.

    Pictures come at the video's own mean rate, on its own clock; one that stands still is looked
    at once. Of a file whose end is missing, what is there is done.

    Args:
        segmenter: Finds it.
        source: A file with video.
        request: Prompts and threshold.
        overlay: An .mp4 to write, with the sound of the source.
        lines: A file to write, a line of JSON a frame: its areas. Both appear whole or not at all.
        progress: Called with the seconds done and the duration.
        lettering: Draws the legend.

    Raises:
        ValueError: There is no video in it, or none of its pictures can be decoded; the model
            cannot take the prompts.
        OSError: A file cannot be written.
    """
    info = probe(source, measure=False)
    rate_hz = choose_rate(info.video.rate_hz if info.video else None)
    frames = stream_video(source, float(rate_hz), LONGEST_SIDE)
    first = next(frames)
    painter = OverlayPainter(first.width, first.height, request.prompts, lettering)
    sums = _Sums(len(request.prompts))
    with ExitStack() as stack:
        show = tell = None
        if overlay is not None:
            show = stack.enter_context(redraw(source, overlay, painter.size, rate_hz))
        if lines is not None:
            tell = stack.enter_context(_json_lines(lines))
        for frame, masks, areas in _look(segmenter, chain([first], frames), request):
            if show:
                show(painter.draw(frame.rgb(), masks), frame.index)
            if areas:
                sums.add(frame.time_s, areas)
            if tell:
                tell(frame, areas)
            if progress:
                progress(frame.time_s, info.duration_s)
    return VideoAreas(
        str(source),
        first.width,
        first.height,
        float(rate_hz),
        sums.frames,
        describe_missing_end(source),
        sums.tell(),
    )


def choose_rate(rate_hz: float | None) -> Fraction:
    """Return at how many frames per second a video is looked at.

    Args:
        rate_hz: The mean rate that its file states, or None.
    """
    if not rate_hz or rate_hz <= 0:
        return Fraction(VIDEO_RATE_HZ)
    return min(Fraction(rate_hz).limit_denominator(1001), Fraction(HIGHEST_RATE_HZ))


def _look(
    segmenter: Segments, frames: Iterator[VideoFrame], request: Request
) -> Iterator[tuple[VideoFrame, list[np.ndarray], tuple[Area, ...]]]:
    """Yield frames with masks and areas; none of these before the first picture."""
    masks: list[np.ndarray] = []
    areas: tuple[Area, ...] = ()
    for frame in frames:
        if frame.missing:
            yield frame, [np.zeros((frame.height, frame.width), bool)] * len(request.prompts), ()
            continue
        if not areas or not frame.repeated:
            values = frame.rgb().astype(np.float32) / np.float32(255)
            found = segmenter.segment(values, request.prompts, request.threshold)
            masks, areas = [one.mask for one in found], measure_areas(found)
        yield frame, masks, areas


@contextmanager
def _json_lines(path: Path) -> Iterator[Callable[[VideoFrame, tuple[Area, ...]], None]]:
    with replace_when_whole(path) as partial, partial.open("w", encoding="utf-8") as file:

        def tell(frame: VideoFrame, areas: tuple[Area, ...]) -> None:
            told = {
                "frame": frame.index,
                "time_s": round(frame.time_s, 6),
                "prompts": [asdict(area) for area in areas],
            }
            file.write(json.dumps(told, ensure_ascii=False) + "\n")

        yield tell
