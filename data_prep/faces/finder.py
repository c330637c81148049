"""From a stream of pictures and sound to mouth crops of whoever talks, in bounded memory."""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from data_prep.faces.pieces import Piece, Record
from data_prep.faces.results import NO_TRACK, FaceTrack, MouthChunk, Picture, Totals
from data_prep.faces.sampling import Detector, Sampler, SamplingConfig, load_default_detector
from data_prep.faces.shots import CutConfig, CutDetector
from data_prep.faces.talking import TalkConfig, hear
from data_prep.faces.tracks import OpenTrack, TrackConfig, Tracker
from data_prep.faces.turns import SpeechTimes
from modalities.rates import SAMPLES_PER_PICTURE


@dataclass(frozen=True)
class FinderConfig:
    """Settings of the parts, and how much is held.

    Attributes:
        cuts: Where shots end.
        sampling: How often faces are looked for.
        tracks: What one face is.
        talking: Who talks.
        block_frames: Frames taken through the detector together (1.6 s).
        piece_frames: Longest chunk (30 s).
    """

    cuts: CutConfig = field(default_factory=CutConfig)
    sampling: SamplingConfig = field(default_factory=SamplingConfig)
    tracks: TrackConfig = field(default_factory=TrackConfig)
    talking: TalkConfig = field(default_factory=TalkConfig)
    block_frames: int = 40
    piece_frames: int = 750


class FaceFinder:
    """Finds faces, follows them, and hands out the mouth of the talking one.

    Who talks is decided for each stretch of speech, so that two people may take turns. A chunk
    comes out at the end of each shot, or after 30 s of it; a talker goes on talking from one to the
    next unless another does so more clearly. Held meanwhile are grey
    pictures of at most about 3 s, and crops of at most 30 s.

    Args:
        detector: Finds the faces of a picture; by default the full-range BlazeFace on the CPU.
        config: Settings.
        speech: Where speech is, if a detector hears the same sound anyway; by default this has one
            of its own.
    """

    def __init__(
        self,
        detector: Detector | None = None,
        config: FinderConfig | None = None,
        speech: SpeechTimes | None = None,
    ):
        self.config = config or FinderConfig()
        self._sampler = Sampler(
            detector or load_default_detector(), self.config.sampling, self.config.tracks
        )
        self._cuts = CutDetector(self.config.cuts)
        self._tracker = Tracker(self.config.tracks)
        self._grays: list[np.ndarray] = []
        self._first_gray = 0
        self._shot_starts: list[bool] = []  # from frame _looked on
        self._looked = 0
        self._loudness: list[np.ndarray] = []  # from the start of the piece on
        self._speech = speech or SpeechTimes()
        self._repeated: list[bool] = []
        self._has_sound: bool | None = None
        self._records: dict[OpenTrack, Record] = {}
        self._faces: list[Record] = []
        self._numbers = itertools.count()
        self._piece = Piece(0, self.config.talking)
        self._done = 0
        self._shots = 0
        self._dropped = 0

    @property
    def totals(self) -> Totals:
        """Counts so far."""
        return Totals(
            frames=self._first_gray + len(self._grays),
            shots=self._shots,
            frames_looked_at=self._sampler.looks,
            tracks_dropped=self._dropped,
        )

    def push(self, frames: Sequence[Picture], waveform: np.ndarray | None) -> list[MouthChunk]:
        """Take the next frames and the sound that goes with them.

        Args:
            frames: Pictures at 25 Hz, all of one size.
            waveform: float32 [len(frames) * 640], 16 kHz; None where the file has no sound.

        Returns:
            The chunks that are now finished.

        Raises:
            ValueError: The sound is not as long as the pictures, or is there only sometimes.
        """
        self._check_sound(len(frames), waveform)
        if waveform is not None:
            self._loudness.append(hear(waveform))
            self._speech.push(waveform)
        chunks: list[MouthChunk] = []
        for frame in frames:
            gray = frame.gray()
            self._grays.append(gray)
            self._repeated.append(frame.repeated)
            self._shot_starts.extend(self._cuts.push(gray, frame.repeated))
            if len(self._shot_starts) > self.config.block_frames:
                chunks.extend(self._look(self.config.block_frames, ends=False))
        return chunks

    def flush(self) -> list[MouthChunk]:
        """Finish the last shot."""
        self._shot_starts.extend(self._cuts.flush())
        return self._look(len(self._shot_starts), ends=True) if self._shot_starts else []

    def tracks(self) -> list[FaceTrack]:
        """All faces found so far, in shots (or pieces of 30 s) that are finished."""
        return [record.finish() for record in sorted(self._faces, key=lambda r: r.number)]

    def _check_sound(self, frames: int, waveform: np.ndarray | None) -> None:
        if waveform is not None and waveform.shape != (frames * SAMPLES_PER_PICTURE,):
            raise ValueError(
                f"Waveform has shape {waveform.shape} for {frames} frames; expected "
                f"({frames * SAMPLES_PER_PICTURE},). Pad or cut the sound to "
                f"{SAMPLES_PER_PICTURE} samples per frame."
            )
        has_sound = waveform is not None
        if frames and self._has_sound not in (None, has_sound):
            raise ValueError("Sound came with some frames only; push it with all of them or none.")
        if frames:
            self._has_sound = has_sound

    def _look(self, count: int, ends: bool) -> list[MouthChunk]:
        """Take `count` frames through detection and tracking."""
        start, stop = self._looked, self._looked + count
        starts = [start + i for i in range(count) if self._shot_starts[i] or start + i == 0]
        next_starts = ends or self._shot_starts[count]
        edges = sorted({start, stop, *starts})
        chunks: list[MouthChunk] = []
        for first, last in itertools.pairwise(edges):
            if first in starts:
                self._start_shot(first)
            chunks.extend(self._follow(first, last, ends=last < stop or next_starts))
        del self._shot_starts[:count]
        self._looked = stop
        return chunks

    def _start_shot(self, frame: int) -> None:
        self._shots += 1
        self._tracker.start_shot(frame)
        self._sampler.start_shot(frame)

    def _follow(self, start: int, stop: int, ends: bool) -> list[MouthChunk]:
        """Find and track faces in a part of one shot."""
        for frame, found in self._sampler.look(start, stop, ends, self._gray):
            self._tracker.update(frame, found)
        if not ends:
            return self._advance(self._tracker.final(self._sampler.last_frame), ends=False)
        self._tracker.finish(stop)
        return self._advance(stop, ends=True)

    def _advance(self, final: int, ends: bool) -> list[MouthChunk]:
        """Crop all frames before `final`; hand out pieces that are full."""
        chunks: list[MouthChunk] = []
        while self._done < final:
            limit = self._piece.start + self.config.piece_frames
            self._done = min(final, limit)
            for track in [*self._tracker.closed, *self._tracker.open]:
                record = self._records.setdefault(track, Record(track))
                stretch = track.take(self._done)
                self._piece.add(record, stretch, self._gray, bool(self._has_sound))
            if self._done == limit or (ends and self._done == final):
                chunks.append(self._finish_piece())
        if ends:
            self._piece.talker = None
        del self._grays[: max(0, self._done - self._first_gray)]
        self._first_gray = max(self._first_gray, self._done)
        return chunks

    def _finish_piece(self) -> MouthChunk:
        frames = self._done - self._piece.start
        sound = None
        if self._has_sound:
            loudness = np.concatenate(self._loudness)  # [frames and more, bands]
            sound, self._loudness = loudness[:frames], [loudness[frames:]]
        speech = self._speech.between(self._piece.start, self._done) if self._has_sound else []
        repeated = np.array(self._repeated[:frames], bool)
        del self._repeated[:frames]
        chunk, kept = self._piece.finish(self._done, sound, speech, repeated, self._numbers)
        self._faces.extend(kept)
        self._forget_closed()
        self._piece = Piece(self._done, self.config.talking, self._piece.talker)
        return chunk

    def _forget_closed(self) -> None:
        finished = [t for t in self._tracker.closed if (t.end or 0) <= self._done]
        for track in finished:
            record = self._records.pop(track)
            self._dropped += record.number == NO_TRACK
        self._tracker.closed = [t for t in self._tracker.closed if t not in finished]

    def _gray(self, frame: int) -> np.ndarray:
        return self._grays[frame - self._first_gray]
