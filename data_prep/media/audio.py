"""The sound of a file as 16 kHz mono, each sample at its time on the media clock."""

from collections.abc import Iterable, Iterator
from fractions import Fraction
from pathlib import Path

import numpy as np
from av.audio.frame import AudioFrame
from av.audio.resampler import AudioResampler
from av.audio.stream import AudioStream
from av.container import InputContainer

from data_prep.media.channels import ChannelMixer
from data_prep.media.container import (
    choose_video,
    clock_start_s,
    open_media,
    plausible_end_s,
    require_audio,
)
from data_prep.media.packets import decode_frames, timestamp
from data_prep.media.placement import JITTER_S, AudioPlacer, SoundBlock
from modalities.rates import RATE_HZ

MIN_RATE_HZ, MAX_RATE_HZ = 1_000, 1_000_000
# Damaged packets of lossy codecs can decode to huge numbers; whole ones stay far below this.
LOUDEST = 4.0
MAX_DATA_POINTERS = 8  # AV_NUM_DATA_POINTERS of FFmpeg


def stream_audio(
    path: str | Path, block_s: float = 1.0, audio_track: int | None = None
) -> Iterator[np.ndarray]:
    """Decode the sound of a file block by block.

    Args:
        path: A media file with audio.
        block_s: Length of a block in seconds.
        audio_track: Which of several sound tracks, by the index that `probe` lists; None: the
            main one.

    Returns:
        float32 [samples] blocks, 16 kHz mono (mean of the channels, or the loudest where they
        cancel each other, see `ChannelMixer`), all of the same length but the last. Sample n is at
        n / 16000 s on the media clock, which starts where a player starts, with the sound or with
        the first picture, whichever comes first: a late start and gaps are filled with zeros.

    Raises:
        FileNotFoundError: There is no such file.
        IsADirectoryError: It is a folder.
        ValueError: It is not media, has no audio, none that can be decoded, no such track, or NaN
            samples.
    """
    block_samples = round(block_s * RATE_HZ)
    if block_samples < 1:
        raise ValueError(f"block_s is {block_s}; expected seconds, at least one sample (1/16000).")
    container = open_media(path)
    stream = require_audio(container, path, audio_track)
    return _blocks(container, stream, path, block_samples)


def read_audio(path: str | Path, audio_track: int | None = None) -> np.ndarray:
    """Decode the whole sound of a file; its size grows with the length of the file.

    Args:
        path: A media file with audio.
        audio_track: Index of one of several sound tracks, see `stream_audio`.

    Returns:
        float32 [samples], 16 kHz mono, on the media clock like `stream_audio`.

    Raises:
        FileNotFoundError: There is no such file.
        IsADirectoryError: It is a folder.
        ValueError: It is not media, has no audio, none that can be decoded, no such track, or NaN
            samples.
    """
    return np.concatenate(list(stream_audio(path, 10.0, audio_track)))


def _blocks(
    container: InputContainer,
    stream: AudioStream,
    path: str | Path,
    block_samples: int,
) -> Iterator[np.ndarray]:
    with container:
        decoded = decode_blocks(container, stream, path)
        placed = place_blocks(decoded, plausible_end_s(container))
        empty = True
        for block in regroup(placed, block_samples):
            empty = False
            yield block
        if empty:
            raise ValueError(
                f"{path}: its audio ({stream.codec_context.name}, {stream.rate} Hz) gives no "
                f"samples; expected sound. Check that it plays and is complete."
            )


def decode_blocks(
    container: InputContainer, stream: AudioStream, path: str | Path
) -> Iterator[SoundBlock]:
    """Decode a stream to mono blocks on the media clock.

    Args:
        container: An open container, not read yet.
        stream: Its audio stream.
        path: Its name, for messages.

    Yields:
        Blocks at the stream's own rate.

    Raises:
        ValueError: An uncompressed file holds NaN or infinite samples.
    """
    exact = stream.codec_context.name.startswith("pcm_f")
    origin_s = clock_start_s(container)
    alone = choose_video(container) is None
    mixer = ChannelMixer(1, 0)
    for frame in decode_frames(container, stream):
        if not MIN_RATE_HZ <= frame.sample_rate <= MAX_RATE_HZ or frame.samples < 1:
            continue
        stamp = timestamp(frame)
        time_s = None if stamp is None else stamp * Fraction(stream.time_base or 0)
        if time_s is not None and (origin_s is None or alone and 0 < time_s - origin_s < JITTER_S):
            origin_s = time_s  # some decoders swallow the first samples; nothing is beside them
        alone = alone and time_s is None  # the first time has been seen
        start_s = None if time_s is None or origin_s is None else float(time_s - origin_s)
        channels, waveform = read_channels(frame)
        if exact and not np.isfinite(waveform).all():
            raise ValueError(
                f"{path} holds NaN or infinite samples near {start_s or 0.0:.2f} s; expected "
                f"numbers in [-1, 1]. Write the file anew without them."
            )
        if not exact:
            waveform = np.nan_to_num(waveform, nan=0.0).clip(-LOUDEST, LOUDEST)
            channels = np.nan_to_num(channels, nan=0.0).clip(-LOUDEST, LOUDEST)
        if (len(channels), frame.sample_rate) != (mixer.channels, mixer.rate_hz):
            mixer = ChannelMixer(len(channels), frame.sample_rate)
        waveform = mixer.push(channels, waveform)
        yield SoundBlock(start_s, frame.sample_rate, waveform)


def read_channels(frame: AudioFrame) -> tuple[np.ndarray, np.ndarray]:
    """Read the samples of a decoded frame, and their mean: cannot clip, whatever the layout.

    Args:
        frame: Any sample format, planar or packed.

    Returns:
        The channels, [channels, samples], and their mean, float32 [samples]; full scale at 1.
    """
    if _is_unsafe(frame):
        frame = AudioResampler(format="flt").resample(frame)[0]
    samples = frame.to_ndarray()  # [channels, samples], packed: [1, samples * channels]
    if not frame.format.is_planar:
        samples = samples.reshape(-1, frame.layout.nb_channels).T
    offset, scale = 0.0, 1.0
    if samples.dtype.kind in "iu":
        scale = 2.0 ** (8 * samples.dtype.itemsize - 1)
        offset = scale if samples.dtype.kind == "u" else 0.0
    if len(samples) == 1:
        mean = ((samples[0] - offset) / scale).astype(np.float32)
        return mean[None], mean
    mean = samples.mean(axis=0, dtype=np.float64)
    return (samples - offset) / scale, ((mean - offset) / scale).astype(np.float32)


def _is_unsafe(frame: AudioFrame) -> bool:
    # PyAV 18 runs past the end of the planes from eight on and crashes; it cannot read s64.
    many = frame.format.is_planar and frame.layout.nb_channels >= MAX_DATA_POINTERS
    return many or frame.format.name.startswith("s64")


def place_blocks(blocks: Iterable[SoundBlock], limit_s: float) -> Iterator[np.ndarray]:
    """Resample blocks and put them on the media clock.

    Args:
        blocks: Decoded blocks in the order of the file.
        limit_s: Time from which on a leap of the timestamps counts as damage.

    Yields:
        float32 [samples] pieces, 16 kHz, without a gap from time 0.
    """
    placer = AudioPlacer(limit_s)
    for block in blocks:
        yield from placer.push(block)
    yield from placer.flush()


def regroup(pieces: Iterable[np.ndarray], block_samples: int) -> Iterator[np.ndarray]:
    """Cut a stream of pieces into blocks of one length; only the last may be shorter.

    Args:
        pieces: [samples] arrays of any length.
        block_samples: Length of a block.

    Yields:
        [block_samples] arrays, then the rest if there is one.
    """
    waiting: list[np.ndarray] = []
    count = 0
    for piece in pieces:
        waiting.append(piece)
        count += len(piece)
        if count >= block_samples:
            joined = np.concatenate(waiting)
            whole = count - count % block_samples
            yield from np.split(joined[:whole], whole // block_samples)
            waiting, count = [joined[whole:]], count - whole
    if count:
        yield np.concatenate(waiting)


def find_loud_tracks(path: str | Path, silence: float) -> list[int]:
    """Find the sound tracks of a file that are not silent, decoding each as far as needed.

    Args:
        path: A media file.
        silence: Samples that are no louder are silent, part of full scale.

    Returns:
        Their indices; a track that cannot be decoded is silent.
    """
    with open_media(path) as container:
        indices = [s.index for s in container.streams.audio if s.codec_context is not None]
    return [index for index in indices if _is_loud(path, index, silence)]


def _is_loud(path: str | Path, index: int, silence: float) -> bool:
    try:
        blocks = stream_audio(path, audio_track=index)
        return any(np.abs(block).max(initial=0) > silence for block in blocks)
    except ValueError:
        return False
