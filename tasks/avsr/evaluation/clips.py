"""The clips of an evaluation, and what is said in them."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from data_prep.clips.manifest import Clip, read_manifest
from data_prep.clips.prepare import MANIFEST, prepare
from data_prep.clips.splits import choose_clips, read_split
from data_prep.datasets.speech.folder import find_folder_clips
from data_prep.datasets.speech.grid import spell
from modalities.rates import WHISPER_WINDOW_S
from tasks.avsr.evaluation.config import EvaluationConfig

PREPARED = "clips"  # folder for those that came raw
NAMED = 5  # clips that an error names at most


@dataclass(frozen=True)
class ClipSet:
    """Clips with their transcripts.

    Attributes:
        clips: Those that are evaluated.
        folder: That their files are relative to; None where they are raw.
        voices: Recordings of all clips there are, also of those that are not evaluated.
        spelled: Whether the transcripts are the names of GRID clips.
    """

    clips: tuple[Clip, ...]
    folder: Path | None
    voices: tuple[Path, ...]
    spelled: bool


def find_clips(config: EvaluationConfig) -> ClipSet:
    """Find the clips of an evaluation.

    Args:
        config: Its target is a folder with manifest.jsonl, or of media files, whose transcripts are
            .txt files beside them, or else their names, where these are of GRID.

    Raises:
        FileNotFoundError: There is no such folder.
        ValueError: It has no clips, or some without transcript, or transcripts without any word;
            some may be empty, as of clips in which nobody speaks.
    """
    folder = Path(config.target)
    if not config.target or not folder.is_dir():
        raise FileNotFoundError(f"Target {config.target!r} is no folder; expected one with clips.")
    prepared = (folder / MANIFEST).is_file()
    found = list(read_manifest(folder / MANIFEST)) if prepared else find_folder_clips(folder)
    clips = [_complete(clip, folder) for clip in found]
    if config.split:
        clips = choose_clips(clips, read_split(config.split, config.part))
    if len({clip.id for clip in clips}) < len(clips):
        raise ValueError(f"{folder} has two clips of one id; expected ids that are unique.")
    _check_transcripts(folder, clips)
    voices = tuple(Path(clip.media) for clip in clips)
    spelled = all(_spelling(clip) == clip.text for clip in clips)
    return ClipSet(_draw(clips, config), folder if prepared else None, voices, spelled)


def prepare_clips(
    found: ClipSet,
    output: Path,
    workers: int | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> ClipSet:
    """Crop the mouths of clips that came raw; others stay as they are.

    Args:
        found: By `find_clips`.
        output: Folder of the evaluation, which keeps them.
        workers: Processes; as many as cores without.
        progress: Called with the clips done, and all.

    Raises:
        OSError: The folder cannot be written.
        ValueError: A clip cannot be read, or is longer than the model's window.
    """
    clips, folder = found.clips, found.folder
    if folder is None:
        folder = output / PREPARED
        failed = prepare(clips, folder, workers, progress).failed
        if failed:
            name, reason = next(iter(failed.items()))
            raise ValueError(
                f"{len(failed)} of {len(clips)} clips cannot be prepared; {name}: {reason}"
            )
        texts = {clip.id: clip.text for clip in clips}  # may have been corrected since
        clips = tuple(replace(c, text=texts[c.id]) for c in read_manifest(folder / MANIFEST))
    for clip in clips:
        if (clip.duration_s or 0) > WHISPER_WINDOW_S:
            raise ValueError(
                f"Clip {clip.id} is {clip.duration_s:.0f} s long; expected "
                f"{WHISPER_WINDOW_S} s at most, the model's window. Cut it."
            )
    return replace(found, clips=clips, folder=folder)


def _spelling(clip: Clip) -> str | None:
    """Return what the name of a GRID clip says; None for other names."""
    try:
        return spell(Path(clip.media).stem)
    except ValueError:
        return None


def _complete(clip: Clip, folder: Path) -> Clip:
    """Spell out the name where there is no transcript; say where the recording is from anywhere."""
    text = _spelling(clip) if clip.text is None else clip.text
    return replace(clip, text=text, media=str((folder / clip.media).resolve()))


def _check_transcripts(folder: Path, clips: Sequence[Clip]) -> None:
    missing = [clip.id for clip in clips if clip.text is None]
    if missing:
        more = f" and {len(missing) - NAMED} more" if len(missing) > NAMED else ""
        raise ValueError(
            f"{folder} has clips without transcript: {', '.join(missing[:NAMED])}{more}. Put a "
            ".txt of the same name beside each, an empty one where nobody speaks."
        )
    if not any((clip.text or "").strip() for clip in clips):
        raise ValueError(
            f"{folder} has {len(clips)} clips and no word in their transcripts; expected some to "
            "compare with. Write what is said into the .txt files beside them."
        )


def _draw(clips: Sequence[Clip], config: EvaluationConfig) -> tuple[Clip, ...]:
    """Take some clips from everywhere: names that begin alike often say alike."""
    if config.clips is None or config.clips >= len(clips):
        return tuple(clips)
    drawn = np.random.default_rng(config.seed).choice(len(clips), config.clips, replace=False)
    return tuple(clips[place] for place in sorted(drawn))
