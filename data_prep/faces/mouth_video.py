"""Mouth crops of a whole video, and the file that they are kept in."""

from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from pathlib import Path

import av
import numpy as np
from av.video.reformatter import ColorRange

from data_prep.faces.results import MouthChunk, MouthSource, Picture
from modalities.rates import CROP_SIDE, SAMPLES_PER_PICTURE, VIDEO_RATE_HZ
from modalities.whole_file import replace_when_whole

FRAMES_AT_ONCE = VIDEO_RATE_HZ  # one second, as a block of sound
COMMENT = "Mouth crops, written by mcgurk"  # in each file, which is known by it


def find_mouths(
    source: MouthSource,
    frames: Iterator[Picture],
    blocks: Iterator[np.ndarray] | None,
    looked_at: Callable[[float], None] | None = None,
) -> Iterator[MouthChunk]:
    """Run a source of mouth crops over a video.

    Args:
        source: A FaceFinder, or ready mouths.
        frames: The pictures, 25 per second.
        blocks: The sound, blocks of one second at 16 kHz; silence follows its end. None where
            there is none.
        looked_at: Called with the seconds that are done.

    Returns:
        Chunks, one after the other.
    """
    done = 0
    while pictures := list(islice(frames, FRAMES_AT_ONCE)):
        sound = None
        if blocks is not None:
            block = next(blocks, np.zeros(0, np.float32))
            sound = np.zeros(len(pictures) * SAMPLES_PER_PICTURE, np.float32)
            length = min(len(block), len(sound))
            sound[:length] = block[:length]
        yield from source.push(pictures, sound)
        done += len(pictures)
        if looked_at:
            looked_at(done / VIDEO_RATE_HZ)
    yield from source.flush()


def write_mouth_video(path: Path, chunks: Iterable[MouthChunk]) -> np.ndarray:
    """Write crops as 96x96 grey at 25 frames per second, lossless H.264.

    Args:
        path: An .mp4 or .mkv; it appears when it is whole.
        chunks: One after the other; black where no mouth is seen.

    Returns:
        True where a mouth is seen, [frames].

    Raises:
        OSError: The file cannot be written.
    """
    mask = [np.zeros(0, bool)]
    with replace_when_whole(path) as partial, av.open(str(partial), "w") as container:
        container.metadata["comment"] = COMMENT
        stream = container.add_stream("libx264", rate=VIDEO_RATE_HZ, options={"qp": "0"})
        stream.width = stream.height = CROP_SIDE
        stream.pix_fmt = "gray"
        # Without the tag a reader takes black for 16 and white for 235.
        stream.codec_context.color_range = ColorRange.JPEG
        for chunk in chunks:
            mask.append(chunk.mask)
            for offset, crop in enumerate(chunk.crops):
                frame = av.VideoFrame.from_ndarray(crop, format="gray")
                frame.pts = chunk.start_frame + offset
                container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return np.concatenate(mask)


def is_mouth_video(path: Path) -> bool:
    """Say whether `write_mouth_video` wrote a file; one that is no media is none of its."""
    try:
        with av.open(str(path)) as container:
            told = {name.lower(): value for name, value in container.metadata.items()}
    except (av.FFmpegError, OSError, ValueError):
        return False
    return told.get("comment") == COMMENT
