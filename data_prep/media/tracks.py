"""The tracks of a file, which of the sound tracks is read, and which of them are silent."""

from dataclasses import dataclass
from pathlib import Path

from av.container import InputContainer
from av.stream import Disposition

from data_prep.media.container import COVER, choose_audio, choose_video, open_media

SILENCE = 1e-4  # of full scale: no sample of a silent track is above


@dataclass(frozen=True)
class Track:
    """A track of sound or moving pictures.

    Attributes:
        index: Its number in the file, which `audio_track` takes; FFmpeg's, from 0 on.
        kind: "audio" or "video".
        codec: FFmpeg's name of the decoder, or None where there is none.
        language: As the file states it, mostly three letters, or None.
        title: Its title, or None.
        rate_hz: Samples or, on average, pictures per second, or None.
        channels: How many channels a sound track has, else None.
        default: Whether the file marks it as the one to play.
        taken: Whether it is read where nothing else is asked for.
    """

    index: int
    kind: str
    codec: str | None
    language: str | None
    title: str | None
    rate_hz: float | None
    channels: int | None
    default: bool
    taken: bool

    def __str__(self) -> str:
        """Number, codec, language and title in one short phrase."""
        told = [self.codec or "no decoder", self.language, self.title and repr(self.title)]
        return f"{self.index} ({', '.join(word for word in told if word)})"


def list_tracks(container: InputContainer) -> tuple[Track, ...]:
    """Describe all sound and picture tracks of an open file in its order; covers are none."""
    taken = (choose_audio(container), choose_video(container))
    return tuple(
        _describe(stream, any(stream is other for other in taken))
        for stream in container.streams
        if stream.type in ("audio", "video") and not stream.disposition & COVER
    )


def _describe(stream: object, taken: bool) -> Track:
    context = getattr(stream, "codec_context", None)
    metadata = getattr(stream, "metadata", {})
    is_sound = getattr(stream, "type", "") == "audio"
    rate_hz = getattr(stream, "rate" if is_sound else "average_rate", None) if context else None
    return Track(
        index=getattr(stream, "index", 0),
        kind="audio" if is_sound else "video",
        codec=context.name if context else None,
        language=metadata.get("language"),
        title=metadata.get("title"),
        rate_hz=float(rate_hz) if rate_hz else None,
        channels=context.layout.nb_channels if context and is_sound else None,
        default=bool(getattr(stream, "disposition", 0) & Disposition.default),
        taken=taken,
    )


def describe_choice(
    path: str | Path, audio_track: int | None = None, silent: bool = False
) -> str | None:
    """Say which of several sound tracks is read, and which to take where that one is silent.

    Args:
        path: A media file.
        audio_track: The one asked for; None: the main one.
        silent: Whether no sample of it was above `SILENCE`.

    Returns:
        A clause without a full stop, or None where there is one sound track or none.
    """
    with open_media(path) as container:
        tracks = [track for track in list_tracks(container) if track.kind == "audio"]
    if len(tracks) < 2:
        return None
    taken = next((t for t in tracks if t.index == audio_track), None)
    taken = taken or next((t for t in tracks if t.taken), tracks[0])
    if not silent:
        others = ", ".join(str(track) for track in tracks if track is not taken)
        return f"track {taken} was taken; there is also {others} (--audio-track)"
    from data_prep.media.audio import find_loud_tracks  # numpy, which listing does without

    loud = find_loud_tracks(path, SILENCE)
    named = [track for track in tracks if track.index in loud and track is not taken]
    if not named:
        return f"track {taken} was taken and is silent, as are all others"
    return (
        f"track {taken} was taken and is silent, but {', '.join(map(str, named))} is not: take it "
        f"with --audio-track {named[0].index}"
    )
