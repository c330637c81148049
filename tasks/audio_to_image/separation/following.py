"""A media file that is listened to block by block, and what can be told of it afterwards."""

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

from data_prep.media import describe_choice, probe, stream_audio
from data_prep.media.tracks import SILENCE
from modalities.rates import RATE_HZ

Report = Callable[[float, float | None], None]


class Followed:
    """The sound of a media file, in blocks of a second, float32 [samples] of 16 kHz.

    Args:
        source: Any media file with sound.
        audio_track: Index of one of several sound tracks; None for the main one.
        progress: Called with the seconds done, and all of them, None where that is not known.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: It is no media.
    """

    def __init__(
        self,
        source: str | Path,
        audio_track: int | None = None,
        progress: Report | None = None,
    ):
        self.source, self.audio_track, self.progress = source, audio_track, progress
        self.total_s = probe(source, measure=False).duration_s
        self.loudest = 0.0

    def __iter__(self) -> Iterator[np.ndarray]:
        """Yield the blocks; a block is done when the next one is asked for.

        Raises:
            ValueError: It has no sound, or none that can be decoded, or no such track.
        """
        done = 0
        for block in stream_audio(self.source, 1.0, self.audio_track):
            self.loudest = max(self.loudest, float(np.abs(block).max(initial=0)))
            yield block
            done += len(block)
            if self.progress:
                self.progress(done / RATE_HZ, self.total_s)

    @property
    def silent(self) -> bool:
        """Whether there was nothing to hear in what came."""
        return self.loudest <= SILENCE

    @property
    def choice(self) -> str:
        """Which track was heard, a clause, where there was a choice; "" where there was none."""
        chosen = describe_choice(self.source, self.audio_track, self.silent)
        return f"sound {chosen}" if chosen else ""
