"""Mouths of a video whose sound begins before its first picture."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from data_prep.faces.results import NO_TRACK, FaceTrack, MouthChunk, MouthSource, Picture
from data_prep.faces.turns import SpeechTimes
from modalities.rates import CROP_SIDE, SAMPLES_PER_PICTURE


class FromFirstPicture:
    """Shows a source of mouths the video from its first picture on; before it there is no mouth.

    Used like the source itself. The frames of chunks and tracks count from time 0 of the media
    clock; what the source sees, a detector or a row of landmarks a frame, counts from the first
    picture.

    Args:
        source: A FaceFinder, or ready mouths, that has seen nothing yet.
        speech: What the source asks for speech, if its clock is that of the media; it is told
            which picture is the first.
    """

    def __init__(self, source: MouthSource, speech: SpeechTimes | None = None):
        self.source = source
        self.speech = speech
        self.missing = 0
        self._begun = False

    def push(self, frames: Sequence[Picture], waveform: np.ndarray | None) -> list[MouthChunk]:
        """Take the next frames and the sound that goes with them, 640 samples each or None."""
        count = 0
        while not self._begun and count < len(frames) and getattr(frames[count], "missing", False):
            count += 1
        self._begun = self._begun or count < len(frames)
        chunks = [_no_mouth(self.missing, count)] if count else []
        self.missing += count
        if self.speech is not None:
            self.speech.first_frame = self.missing
        if count == len(frames):
            return chunks
        sound = None if waveform is None else waveform[count * SAMPLES_PER_PICTURE :]
        return chunks + self._place(self.source.push(frames[count:], sound))

    def flush(self) -> list[MouthChunk]:
        """Return what the end of the video closes."""
        return self._place(self.source.flush())

    def tracks(self) -> list[FaceTrack]:
        """Return the faces found so far."""
        tracks = self.source.tracks()
        return [replace(t, start_frame=t.start_frame + self.missing) for t in tracks]

    def _place(self, chunks: list[MouthChunk]) -> list[MouthChunk]:
        return [replace(c, start_frame=c.start_frame + self.missing) for c in chunks]


def _no_mouth(start: int, frames: int) -> MouthChunk:
    return MouthChunk(
        start,
        np.zeros((frames, CROP_SIDE, CROP_SIDE), np.uint8),
        np.zeros(frames, bool),
        np.full(frames, NO_TRACK, np.int32),
    )
