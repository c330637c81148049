"""The sound of one file into another video, at its own rate and on the video's clock."""

from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import av
from av.container import OutputContainer
from av.error import FFmpegError

from data_prep.media import probe


class SoundCopier:
    """Encodes the source's sound as AAC beside a video that is being written.

    Args:
        source: A media file; without sound nothing is copied.
        container: Open for writing, its header not yet written.
    """

    def __init__(self, source: Path, container: OutputContainer):
        self.container = container
        info = probe(source)
        self.frames: Iterator[av.AudioFrame] = iter(())
        self.stream: av.AudioStream | None = None
        if info.audio is None or info.video is None:
            return
        rate_hz = 48_000 if info.audio.rate_hz > 48_000 else max(8_000, info.audio.rate_hz)
        layout = "stereo" if info.audio.channels > 1 else "mono"
        self.stream = container.add_stream("aac", rate=rate_hz, layout=layout)
        self.resampler = av.AudioResampler(format="fltp", layout=layout, rate=rate_hz)
        self.frames = self._decode(source, info.video.start_s)
        self.done_s = 0.0

    def copy_until(self, time_s: float) -> None:
        """Encode the sound up to a time on the video's clock."""
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

    def _decode(self, source: Path, zero_s: float) -> Iterator[av.AudioFrame]:
        next_pts = 0
        with av.open(str(source), metadata_errors="ignore") as container:
            for packet in container.demux(container.streams.audio[0]):
                try:
                    decoded = packet.decode()
                except FFmpegError:
                    continue
                for frame in (out for each in decoded for out in self.resampler.resample(each)):
                    # Timestamps only ever rise, or the encoder refuses the file.
                    pts = round(((frame.time or 0.0) - zero_s) * frame.sample_rate)
                    if pts + frame.samples <= 0:
                        continue
                    next_pts = max(pts, next_pts)
                    # In samples: Matroska's own unit, a millisecond, would stretch the sound.
                    frame.pts, frame.time_base = next_pts, Fraction(1, frame.sample_rate)
                    next_pts += frame.samples
                    yield frame
