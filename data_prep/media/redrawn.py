"""A video that is drawn anew, with the sound of its source on the source's clock."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path

import av
import numpy as np

from data_prep.media.sound_copier import SoundCopier
from modalities.whole_file import replace_when_whole

QUALITY = "20"  # x264's crf: hardly told from the source


@contextmanager
def redraw(
    source: Path,
    path: Path,
    size: tuple[int, int],
    rate_hz: Fraction | int,
    audio_track: int | None = None,
) -> Iterator[Callable[[np.ndarray, int], None]]:
    """Write an .mp4 picture by picture, H.264 and AAC; memory does not grow with its length.

    Args:
        source: Whose sound is copied; without any it is silent.
        path: To write; it appears whole or not at all.
        size: Width and height of the pictures, both even.
        rate_hz: Pictures per second.
        audio_track: Which of several sound tracks; None: the main one.

    Yields:
        A function that takes a picture, uint8 [height, width, 3] RGB, and the number of its tick
        from time 0 of the media clock; numbers rise.

    Raises:
        OSError: The file cannot be written.
    """
    with replace_when_whole(path) as partial, av.open(str(partial), "w") as container:
        picture = container.add_stream("libx264", rate=rate_hz, options={"crf": QUALITY})
        picture.width, picture.height = size
        picture.pix_fmt = "yuv420p"
        sound = SoundCopier(source, container, audio_track)

        def write(drawn: np.ndarray, index: int) -> None:
            encoded = av.VideoFrame.from_ndarray(drawn, format="rgb24")
            encoded.pts = index
            container.mux(picture.encode(encoded))
            sound.copy_until(float(index / Fraction(rate_hz)))

        yield write
        container.mux(picture.encode(None))
        sound.finish()
