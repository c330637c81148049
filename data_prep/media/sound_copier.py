"""The sound of one file into another video, at its own rate and on the media clock."""

from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import av
from av.container import OutputContainer

from data_prep.media.clock import is_plausible
from data_prep.media.container import choose_audio, clock_start_s, open_media, plausible_end_s
from data_prep.media.packets import decode_frames


class SoundCopier:
    """Encodes the source's sound as AAC beside a video that is being written.

    Args:
        source: A media file; without sound nothing is copied.
        container: Open for writing, its header not yet written.
        audio_track: Which of several sound tracks; None: the main one.
    """

    def __init__(self, source: Path, container: OutputContainer, audio_track: int | None = None):
        self.container = container
        self.frames: Iterator[av.AudioFrame] = iter(())
        self.stream: av.AudioStream | None = None
        with open_media(source) as media:
            sound = choose_audio(media, audio_track)
            if sound is None:
                return
            rate_hz = min(max(8_000, sound.codec_context.sample_rate), 48_000)
            layout = "stereo" if sound.codec_context.layout.nb_channels > 1 else "mono"
        self.stream = container.add_stream("aac", rate=rate_hz, layout=layout)
        self.resampler = av.AudioResampler(format="fltp", layout=layout, rate=rate_hz)
        self.frames = self._decode(source, audio_track)
        self.done_s = 0.0

    def copy_until(self, time_s: float) -> None:
        """Encode the sound up to a time on the media clock."""
        while self.stream is not None and self.done_s <= time_s:
            frame = next(self.frames, None)
            if frame is None:
                return
            self._encode(frame)

    def finish(self) -> None:
        """Encode what is left."""
        if self.stream is None:
            return
        for frame in self.frames:
            self._encode(frame)
        self.container.mux(self.stream.encode(None))

    def _encode(self, frame: av.AudioFrame) -> None:
        assert self.stream is not None
        self.done_s = float(frame.time or 0.0) + frame.samples / frame.sample_rate
        self.container.mux(self.stream.encode(frame))

    def _decode(self, source: Path, audio_track: int | None) -> Iterator[av.AudioFrame]:
        next_pts = 0
        with open_media(source) as media:
            sound = choose_audio(media, audio_track)
            assert sound is not None
            zero_s, limit_s = float(clock_start_s(media) or 0), plausible_end_s(media)
            decoded = decode_frames(media, sound)
            for frame in (out for each in decoded for out in self.resampler.resample(each)):
                # Timestamps only ever rise, or the encoder refuses the file.
                reached_s = next_pts / frame.sample_rate
                start_s = reached_s if frame.time is None else frame.time - zero_s
                if is_plausible(start_s, reached_s, limit_s):
                    next_pts = max(round(start_s * frame.sample_rate), next_pts)
                # In samples: Matroska's own unit, a millisecond, would stretch the sound.
                frame.pts, frame.time_base = next_pts, Fraction(1, frame.sample_rate)
                next_pts += frame.samples
                yield frame
