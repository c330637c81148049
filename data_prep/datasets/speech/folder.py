"""Any folder of clips, with transcripts beside them or without: LRS2's and LRS3's layout too."""

from pathlib import Path

from data_prep.clips.manifest import Clip
from modalities.speech.timed_text import Word

SUFFIXES = frozenset(".mp4 .mkv .webm .mov .avi .mpg .mpeg .m4v .wav .flac .ogg .mp3 .m4a".split())
TEXT = "Text:"  # LRS's first line; "WORD START END ASDSCORE" heads the times of words
WORDS = "WORD START END"


def find_folder_clips(folder: str | Path) -> list[Clip]:
    """Find the clips below a folder.

    Args:
        folder: With media files; a .txt of the same name beside one is its transcript, plain or as
            LRS2 and LRS3 have it. What lies in a folder of its own has that folder as its speaker.

    Returns:
        Clips, by their place in the folder.

    Raises:
        FileNotFoundError: There is no such folder.
        ValueError: It has no media file.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise FileNotFoundError(f"{folder} is no folder; expected one with clips.")
    clips = []
    for path in sorted(p for p in folder.rglob("*") if p.suffix.lower() in SUFFIXES):
        place = path.relative_to(folder)
        transcript = path.with_suffix(".txt")
        text, words = read_transcript(transcript) if transcript.is_file() else (None, ())
        speaker = place.parent.name or None
        name = "_".join(place.with_suffix("").parts)
        clips.append(Clip(name, str(path.resolve()), text, speaker, words))
    if not clips:
        raise ValueError(
            f"{folder} has no clips; expected files such as {', '.join(sorted(SUFFIXES)[:4])}."
        )
    taken: set[str] = set()
    for clip in clips:
        if clip.id in taken:
            raise ValueError(
                f"{folder} has two clips that would be called {clip.id!r}, as {clip.media}; rename "
                "one."
            )
        taken.add(clip.id)
    return clips


def read_transcript(path: Path) -> tuple[str, tuple[Word, ...]]:
    """Read a transcript: the text, and words with their times where LRS gives them.

    Args:
        path: A text file.
    """
    lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    if not lines or not lines[0].startswith(TEXT):
        return " ".join(" ".join(lines).split()), ()
    text = " ".join(lines[0].removeprefix(TEXT).split())
    start = next((n for n, line in enumerate(lines) if line.startswith(WORDS)), len(lines))
    words = []
    for line in lines[start + 1 :]:
        parts = line.split()
        if len(parts) < 3:
            break
        words.append(Word(float(parts[1]), float(parts[2]), parts[0]))
    return text, tuple(words)
