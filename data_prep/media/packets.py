"""Decoding that survives damage, with times that go on where those of the container start anew."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from fractions import Fraction
from itertools import islice
from typing import Any

import av
from av.audio.stream import AudioStream
from av.container import InputContainer
from av.format import Flags
from av.packet import Packet
from av.video.frame import VideoFrame as DecodedPicture
from av.video.stream import VideoStream

from data_prep.media.clock import is_plausible

# Reading goes on after a damaged place, but not for ever where nothing but errors follows.
MAX_READ_FAILURES = 64
MAX_PACKETS_BEFORE_PICTURE = 500
# Players take a leap of so much for a break of the clock, and no stream steps back by itself.
BREAK_S = Fraction(10)
STEP_BACK_S = STEP_S = Fraction(1, 2)
NEAR_S = Fraction(1, 10)


def decode_frames(container: InputContainer, stream: AudioStream | VideoStream) -> Iterator[Any]:
    """Decode a stream from its beginning, in the order of presentation.

    Packets that cannot be decoded or read are left out: a damaged file gives what is whole.

    Args:
        container: An open container, not read yet.
        stream: One of its streams.

    Yields:
        Audio frames or pictures of PyAV; where the container's clock breaks (joined recordings),
        their times go on, for sound and pictures alike.
    """
    for packet in _read_packets(container, stream):
        yield from _decode_packet(packet)


def decode_first_picture(container: InputContainer, stream: VideoStream) -> DecodedPicture | None:
    """Decode the first picture of a stream, or None where there is none near its beginning."""
    for packet in islice(_read_packets(container, stream), MAX_PACKETS_BEFORE_PICTURE):
        for picture in _decode_packet(packet):
            return picture
    return None


def timestamp(frame: Any) -> int | None:
    """Presentation time in units of the stream's time base; AVI has decoding times only."""
    return frame.pts if frame.pts is not None else frame.dts


def _decode_packet(packet: Packet) -> list[Any]:
    try:
        return packet.decode()
    except (av.FFmpegError, ValueError, RuntimeError):
        return []


def find_ends_s(container: InputContainer, limit_s: float) -> dict[int, Fraction]:
    """Find where the sound and pictures of a file end, by reading all of it without decoding.

    Args:
        container: An open container, not read yet.
        limit_s: Seconds on its clock from which on a leap of the timestamps counts as damage.

    Returns:
        Seconds on the container's clock by the index of the stream; none of a stream without times.
    """
    ends: dict[int, Fraction] = {}
    for packet in _demux(container, [*container.streams.audio, *container.streams.video]):
        stamp, base, index = timestamp(packet), packet.time_base, packet.stream.index
        if stamp is None or not base:
            continue
        start_s, reached_s = Fraction(stamp * base), ends.get(index)
        rate_hz = getattr(packet.stream, "average_rate", None)
        # MPEG-TS states no durations of pictures.
        length_s = packet.duration * base if packet.duration else 1 / rate_hz if rate_hz else 0
        if reached_s is None or is_plausible(start_s, reached_s, limit_s):
            ends[index] = max(reached_s or start_s, start_s + length_s)
    return ends


def _read_packets(container: InputContainer, stream: AudioStream | VideoStream) -> Iterator[Packet]:
    """Read the packets of a stream; where clocks can break, along with those of all others."""
    streams: list[Any] = [stream]
    if _can_break(container):
        streams = [*container.streams.audio, *container.streams.video]
    for packet in _demux(container, streams):
        if packet.stream.index == stream.index:  # a flush has no index of its own
            yield packet


def _demux(container: InputContainer, streams: list[Any]) -> Iterator[Packet]:
    clock = UnbrokenClock() if _can_break(container) else None
    failures = 0
    while failures < MAX_READ_FAILURES:
        try:
            for packet in container.demux(*streams):
                failures = 0
                if clock is not None:
                    clock.correct(packet)
                yield packet
            return
        except (av.FFmpegError, IndexError):  # IndexError: a stream that came up on the way
            failures += 1
    for stream in streams:
        flush = Packet()
        flush.stream = stream
        yield flush


def _can_break(container: InputContainer) -> bool:
    return int(container.format.flags) & Flags.ts_discont.value != 0


@dataclass
class UnbrokenClock:
    """Moves the times of packets so that a clock that starts anew, or leaps, goes on.

    One shift holds for all streams, so that sound and pictures stay together: what is first to
    arrive from behind a break follows its own stream, or the furthest one where its own ended long
    before. All packets of a file have to pass in their order; who reads them again gets the same
    times.

    Source:
        ts_discontinuity_detect of FFmpeg's ffmpeg_demux.c, and max_frame_duration of ffplay.c,
        for the leap of 10 s. Unlike there a stream that pauses while others go on is no break.
    """

    shifts_s: tuple[Fraction, ...] = (Fraction(0),)  # of the last break, and used before it
    reached_s: Fraction | None = None
    started: dict[int, Fraction] = field(default_factory=dict)  # start of each stream's last one
    reached_by: dict[int, Fraction] = field(default_factory=dict)  # and its end

    def correct(self, packet: Packet) -> None:
        """Shift the times of the packet that follows in the file."""
        stamp = packet.dts if packet.dts is not None else packet.pts
        base = packet.time_base
        if stamp is None or not base:
            return
        start_s = stamp * base
        shift_s = self._find_shift_s(start_s, self.reached_by.get(packet.stream_index))
        if shift_s:
            shift = round(shift_s / base)
            packet.pts = None if packet.pts is None else packet.pts + shift
            packet.dts = None if packet.dts is None else packet.dts + shift
        start_s += shift_s
        step_s = start_s - self.started.get(packet.stream_index, start_s)
        # MPEG-TS states no durations of pictures: each is as long as the one before.
        end_s = start_s + ((packet.duration or 0) * base or min(max(step_s, Fraction(0)), STEP_S))
        self.started[packet.stream_index], self.reached_by[packet.stream_index] = start_s, end_s
        self.reached_s = end_s if self.reached_s is None else max(self.reached_s, end_s)

    def _find_shift_s(self, start_s: Fraction, expected_s: Fraction | None) -> Fraction:
        # A stream that still comes from before the break, or one damaged time, needs the old one.
        for shift_s in self.shifts_s:
            if expected_s is not None and abs(start_s + shift_s - expected_s) < NEAR_S:
                return shift_s
        for shift_s in self.shifts_s:
            if not self._breaks(start_s + shift_s, expected_s):
                return shift_s
        assert self.reached_s is not None
        joint_s = self.reached_s
        if expected_s is not None and joint_s - expected_s < STEP_BACK_S:
            joint_s = expected_s
        self.shifts_s = (joint_s - start_s, self.shifts_s[0])
        return self.shifts_s[0]

    def _breaks(self, start_s: Fraction, expected_s: Fraction | None) -> bool:
        if self.reached_s is None:
            return False
        if expected_s is None:
            return abs(start_s - self.reached_s) > BREAK_S
        return start_s < expected_s - STEP_BACK_S or start_s > self.reached_s + BREAK_S
