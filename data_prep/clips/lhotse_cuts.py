"""Clips from and to cuts of lhotse, the library that much of the field keeps its data in.

Noise is mixed by `data_prep.noise` and not by lhotse, which gives each noise of a mixture the ratio
by itself (six voices at 0 dB come to -7.8 dB), knows the mean square alone as a measure, passes
over silent noise, and does not keep the sum within [-1, 1].
"""

import zlib
from collections.abc import Iterable, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from data_prep.clips.manifest import MANIFEST, Clip
from data_prep.media import probe
from modalities.extras import import_extra
from modalities.outputs import check_outputs
from modalities.speech.timed_text import Word
from modalities.text_file import read_text
from modalities.whole_file import replace_when_whole

if TYPE_CHECKING:
    from lhotse import CutSet, Recording, SupervisionSegment
    from lhotse.cut import Cut

SUFFIXES = (".jsonl", ".jsonl.gz")
WORDS = "word"  # lhotse's name of the alignments that its own recipes read
ROUNDED = 8  # digits of times in lhotse
FRAME_S = 0.04  # of the mouth video
SLACK_S = 0.1  # that aligners reach beyond the end
# Of the custom fields of a cut: the mouth video, its frames, and which of them show a mouth.
MOUTH, FRAMES, SEEN = "mouth", "mouth_frames", "mouth_seen"


def to_cuts(clips: Iterable[Clip], folder: str | Path) -> "CutSet":
    """Describe prepared clips as cuts, each a whole recording with all its channels.

    Args:
        clips: Prepared clips, as `read_manifest` reads them; each needs its duration.
        folder: Where the manifest is; relative paths of the clips start there.

    Returns:
        Cuts with the ids of the clips. Text, speaker and words are a supervision, words in its
        alignment "word"; the mouth video is the custom field "mouth", an absolute path, with
        "mouth_frames" and "mouth_seen".

    Raises:
        FileNotFoundError: A recording is not where it was.
        ValueError: A clip is not prepared, has no sound, or sound that begins after the first
            picture; lhotse cannot be imported.
    """
    lhotse = _load_lhotse()
    return lhotse.CutSet.from_cuts([_to_cut(clip, Path(folder).resolve()) for clip in clips])


def write_cuts(clips: Iterable[Clip], folder: str | Path, path: str | Path) -> None:
    """Write what `to_cuts` returns, as a whole.

    Raises:
        OSError: It cannot be written.
        ValueError: The name has another suffix than .jsonl or .jsonl.gz, lhotse cannot be imported,
            or a clip cannot be a cut, see `to_cuts`.
    """
    check_cuts_file(path)
    clips = list(clips)
    check_outputs([path], [Path(folder) / MANIFEST, *(Path(folder) / c.media for c in clips)])
    cuts = to_cuts(clips, folder)
    with replace_when_whole(path) as partial:
        small = partial.with_name(partial.name.lower())  # lhotse knows no suffixes in capitals
        try:
            cuts.to_file(small)
            small.replace(partial)
        finally:
            if small != partial:
                small.unlink(missing_ok=True)


def check_cuts_file(path: str | Path) -> None:
    """Tell before any work that cuts could not be written.

    Raises:
        ValueError: The name is not one of cuts, or lhotse cannot be imported.
    """
    if not str(path).lower().endswith(SUFFIXES):
        raise ValueError(f"{path} has another suffix; expected {' or '.join(SUFFIXES)} for cuts.")
    _load_lhotse()


def from_cuts(cuts: "Iterable[Cut]") -> list[Clip]:
    """Read clips from cuts: of `to_cuts`, or of whole recordings with text and words.

    Args:
        cuts: Each a whole file with all its channels, and one speaker; the texts and words of
            several supervisions are joined in the order of time.

    Returns:
        Clips, their recordings by absolute path; times are those of the cuts to 10 ns.

    Raises:
        ValueError: A cut is a part of a recording, one of its channels, a mixture or changed in
            speed or level; it is no file; it has several speakers; a word is outside of it.
    """
    return [_from_cut(cut) for cut in cuts]


def find_cut_clips(path: str | Path) -> list[Clip]:
    """Read clips from a file of cuts.

    Args:
        path: As lhotse wrote it: .jsonl, .jsonl.gz, .json or .yaml.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: It holds no cuts, or such as `from_cuts` cannot take; lhotse cannot be imported.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"There is no file {path}; expected cuts that lhotse wrote.")
    lhotse = _load_lhotse()
    try:
        with TemporaryDirectory() as folder:
            cuts = lhotse.CutSet.from_file(_copy_for_lhotse(path, Path(folder)))
            listed = list(cuts) if isinstance(cuts, lhotse.CutSet) else []
    except (
        ValueError,
        KeyError,
        TypeError,
        AssertionError,
        OSError,
        EOFError,
        zlib.error,
    ) as error:
        raise ValueError(f"{path} cannot be read as cuts of lhotse ({error}).") from error
    if not listed:
        raise ValueError(f"{path} holds no cuts; expected a CutSet, see CutSet.from_manifests.")
    return from_cuts(listed)


def _copy_for_lhotse(path: Path, folder: Path) -> Path:
    """Return a file as lhotse reads it: UTF-8 without a mark, its suffix in small letters."""
    copy = folder / path.name.lower()
    if copy.suffix == ".gz":
        copy.symlink_to(path.resolve())
    else:
        copy.write_text(read_text(path), encoding="utf-8")
    return copy


def _load_lhotse() -> Any:
    return import_extra("lhotse", "lhotse", "cuts")


def _to_cut(clip: Clip, folder: Path) -> "Cut":
    cut = _describe_recording(clip, folder / clip.media).to_cut()
    if clip.text is not None or clip.speaker is not None or clip.words:
        cut.supervisions = [_describe_speech(clip, cut.channel)]
    custom = {
        MOUTH: None if clip.mouth is None else str(folder / clip.mouth),
        FRAMES: clip.frames,
        SEEN: [list(run) for run in clip.seen] or None,
    }
    cut.custom = {name: value for name, value in custom.items() if value is not None} or None
    return cut


def _describe_recording(clip: Clip, path: Path) -> "Recording":
    from lhotse import AudioSource, Recording

    if clip.duration_s is None:
        raise ValueError(f"Clip {clip.id!r} has no duration; expected a prepared one.")
    info = probe(path, measure=False)
    audio = info.audio
    if audio is None:
        raise ValueError(f"{path} has no sound; expected speech.")
    taken = [track.index for track in info.tracks if track.kind == "audio" and track.taken]
    if clip.audio_track is not None and clip.audio_track not in taken:
        raise ValueError(
            f"Clip {clip.id!r} is sound track {clip.audio_track} of {path}; lhotse reads the main "
            "one. Write the track to a file of its own."
        )
    if audio.start_s > FRAME_S:
        raise ValueError(
            f"The sound of {path} begins {audio.start_s:.2f} s after its first picture, from which "
            "we count; lhotse counts from the sound. Write the file anew so that sound begins it."
        )
    source = AudioSource("file", list(range(audio.channels)), str(path))
    samples = round(clip.duration_s * audio.rate_hz)
    return Recording(clip.id, [source], audio.rate_hz, samples, clip.duration_s)


def _describe_speech(clip: Clip, channel: int | list[int]) -> "SupervisionSegment":
    from lhotse import SupervisionSegment
    from lhotse.supervision import AlignmentItem

    words = [
        AlignmentItem(word.text, word.start_s, round(word.end_s - word.start_s, ROUNDED))
        for word in clip.words
    ]
    return SupervisionSegment(
        id=clip.id,
        recording_id=clip.id,
        start=0.0,
        duration=clip.duration_s or 0.0,
        channel=channel,
        text=clip.text,
        speaker=clip.speaker,
        alignment={WORDS: words} if words else None,
    )


def _from_cut(cut: "Cut") -> Clip:
    media = _check_recording(cut)
    speech = sorted(cut.supervisions, key=lambda supervision: supervision.start)
    speakers = {s.speaker for s in speech if s.speaker is not None}
    if len(speakers) > 1:
        raise ValueError(
            f"Cut {cut.id!r} has {len(speakers)} speakers ({', '.join(sorted(speakers))}); "
            "expected one. Cut the file into utterances first."
        )
    texts = [s.text for s in speech if s.text is not None]
    custom: dict[str, Any] = getattr(cut, "custom", None) or {}
    return Clip(
        id=cut.id,
        media=media,
        text=" ".join(texts) if texts else None,
        speaker=next(iter(speakers), None),
        words=_read_words(cut, speech),
        duration_s=cut.duration,
        frames=custom.get(FRAMES),
        mouth=custom.get(MOUTH),
        seen=tuple((int(start), int(stop)) for start, stop in custom.get(SEEN, ())),
    )


def _check_recording(cut: "Cut") -> str:
    """Return the file of a cut, if the cut is all of it."""
    from lhotse.audio import get_audio_duration_mismatch_tolerance
    from lhotse.cut import MonoCut, MultiCut

    if not isinstance(cut, (MonoCut, MultiCut)) or cut.recording is None:
        raise ValueError(
            f"Cut {cut.id!r} is a {type(cut).__name__} without a recording of its own; expected "
            "one of a recording, not mixed or padded."
        )
    recording = cut.recording
    left_out = cut.start + abs(recording.duration - cut.start - cut.duration)
    if left_out > get_audio_duration_mismatch_tolerance():
        raise ValueError(
            f"Cut {cut.id!r} is {cut.start} to {cut.end} s of a recording of "
            f"{recording.duration} s; expected all of it. Cut the file itself, sound and picture, "
            "and count the times of words from its start."
        )
    channels = cut.channel if isinstance(cut.channel, list) else [cut.channel]
    if sorted(channels) != recording.channel_ids:
        raise ValueError(
            f"Cut {cut.id!r} has channels {channels} of {recording.channel_ids}; expected all of "
            "them, which are averaged. Write the channel to a file of its own."
        )
    if recording.transforms or len(recording.sources) != 1 or recording.sources[0].type != "file":
        raise ValueError(
            f"The recording of cut {cut.id!r} is not one file as it stands (sources: "
            f"{[source.type for source in recording.sources]}, changed: "
            f"{bool(recording.transforms)}). Write it to a file first, as cut.save_audio does."
        )
    return str(Path(str(recording.sources[0].source)).resolve())


def _read_words(cut: "Cut", speech: "Sequence[SupervisionSegment]") -> tuple[Word, ...]:
    items = [item for s in speech for item in (s.alignment or {}).get(WORDS, ())]
    for item in items:
        if item.start < -SLACK_S or item.end > cut.duration + SLACK_S:
            raise ValueError(
                f"Cut {cut.id!r} of {cut.duration} s has the word {item.symbol!r} at {item.start} "
                f"to {item.end} s; expected times from its start. lhotse leaves them as they were "
                "when a part is saved: take the part's start off."
            )
    # Aligners write pauses as words without letters.
    return tuple(Word(i.start, i.end, i.symbol) for i in items if i.symbol.strip())
