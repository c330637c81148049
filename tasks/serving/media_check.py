"""Whether an upload is media that may be opened, and short enough."""

from pathlib import Path

from tasks.serving.refusals import Refusal, refuse_file

# Containers that hold what they play. FFmpeg also knows lists of other files (concat, HLS, DASH),
# by which an upload would have other files of this machine read.
CONTAINERS = (
    *("aac", "ac3", "aiff", "amr", "ape", "asf", "au", "avi", "caf", "eac3", "flac", "flv"),
    *("matroska", "mov", "mp3", "mpeg", "mpegts", "ogg", "tta", "w64", "wav", "wv"),
)
GUESSED = 4  # times the true length, up to which a header may guess too much (a VBR .mp3)
UNSUPPORTED = "The audio file might be corrupted or unsupported. Check that it plays."


def check_media(path: Path, longest_s: float) -> float:
    """Look at an upload, without decoding it; what it states of its length may be wrong.

    Args:
        path: Where it lies.
        longest_s: Seconds that it may last.

    Returns:
        Seconds that it states to last; 0 where it states none.

    Raises:
        Refusal: It is no media, without sound, or too long.
    """
    from data_prep.media import probe

    _check_container(path)
    try:
        info = probe(path, measure=False)
        stated_s = info.duration_s or 0.0
        if longest_s < stated_s <= GUESSED * longest_s:
            info = probe(path)
    except ValueError:
        raise refuse_file(UNSUPPORTED) from None
    if info.audio is None:
        raise refuse_file("The file holds video without sound. Send one with sound.")
    seconds = info.duration_s or 0.0
    if seconds > longest_s:
        raise refuse_length(longest_s, seconds)
    return seconds


def refuse_length(longest_s: float, seconds: float | None = None) -> Refusal:
    """Refuse an upload that lasts too long.

    Args:
        longest_s: Seconds that it may last.
        seconds: Those that it lasts; None where they are not known.
    """
    length = "The audio is" if seconds is None else f"The audio duration {seconds:.1f} seconds is"
    return refuse_file(f"{length} longer than {longest_s:g} seconds, which is the maximum here.")


def _check_container(path: Path) -> None:
    import av

    allowed = {"format_whitelist": ",".join(CONTAINERS), "protocol_whitelist": "file"}
    try:
        with av.open(f"file:{path}", metadata_errors="replace", options=allowed):
            pass
    except (av.FFmpegError, ValueError, RuntimeError, MemoryError):
        raise refuse_file(UNSUPPORTED) from None
