"""Any folder of clips, with transcripts beside them or without: LRS2's and LRS3's layout too."""

from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path

from data_prep.clips.manifest import Clip
from data_prep.datasets.remarks import Raised, Remarks
from data_prep.media.files import MEDIA, check_name, find_files, without_sound_of_videos
from modalities.printable import printable
from modalities.speech.timed_text import Word
from modalities.text_file import read_text

TRANSCRIPT = ".txt"
TEXT = "Text:"  # LRS's first line; "WORD START END ASDSCORE" heads the times of words
WORDS = "WORD START END"
BESIDE = "Sound files of the same name lie beside these videos and are not used"
EMPTY = "Transcripts without a word, taken as of clips in which nobody speaks"


def find_folder_clips(folder: str | Path, remarks: Remarks | None = None) -> list[Clip]:
    """Find the clips below a folder.

    Args:
        folder: With media files; a .txt of the same name beside one is its transcript, plain or as
            LRS2 and LRS3 have it, in an encoding of `read_text`. What lies in a folder of its own
            has that folder as its speaker. Hidden files, and what `prepare` wrote there, do not
            count; a sound file beside a video of its name is taken for the video's own sound.
        remarks: Where clips are told whose transcripts or names cannot be read, and which are left
            out then. Without, the first such is an error, and what else is noted is warned of.

    Returns:
        Clips, by their place in the folder; the text of an empty transcript is "".

    Raises:
        FileNotFoundError: There is no such folder.
        ValueError: It has no media file, or two of which the clips would have one id; a transcript
            is no text.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise FileNotFoundError(f"{folder} is no folder; expected one with clips.")
    noted = Raised() if remarks is None else remarks
    files = find_files(folder, MEDIA | {TRANSCRIPT})
    transcripts = defaultdict(list)
    for path in files:
        if path.suffix.lower() == TRANSCRIPT:
            transcripts[path.with_suffix("")].append(path)
    media = [path for path in files if path.suffix.lower() in MEDIA]
    kept, beside = without_sound_of_videos(media)
    for path in beside:
        noted.note(BESIDE, str(path.relative_to(folder)))
    named = _name_clips(kept, folder)
    clips = []
    for name, path in named.items():
        speaker = path.relative_to(folder).parent.name or None
        try:
            check_name(path)
            text, words = _read_one(transcripts[path.with_suffix("")])
        except ValueError as error:
            noted.fail(printable(name), error)
            continue
        if text == "":
            noted.note(EMPTY, name)
        clips.append(Clip(name, str(path.resolve()), text, speaker, words))
    if isinstance(noted, Raised):
        noted.warn()
    return clips


def _name_clips(paths: Iterable[Path], folder: Path) -> dict[str, Path]:
    named: dict[str, Path] = {}
    for path in paths:
        name = "_".join(path.relative_to(folder).with_suffix("").parts)
        if name in named:
            raise ValueError(
                f"{folder} has two clips that would be called {name!r}: {named[name]} and {path}. "
                "Rename or remove one."
            )
        named[name] = path
    if not named:
        raise ValueError(
            f"{folder} has no clips; expected files such as {', '.join(sorted(MEDIA)[:4])}."
        )
    return named


def _read_one(transcripts: list[Path]) -> tuple[str | None, tuple[Word, ...]]:
    if len(transcripts) > 1:  # .txt and .TXT
        raise ValueError(
            f"{' and '.join(map(str, transcripts))} are transcripts of one clip; expected one. "
            "Remove the other."
        )
    return read_transcript(transcripts[0]) if transcripts else (None, ())


def read_transcript(path: Path) -> tuple[str, tuple[Word, ...]]:
    """Read a transcript: the text, and words with their times where LRS gives them.

    Args:
        path: A text file in an encoding of `modalities.text_file.read_text`.

    Returns:
        The text in one line, "" of an empty file; words, whose times are in seconds.

    Raises:
        OSError: It cannot be read.
        ValueError: It is in another encoding, or times of words are no numbers.
    """
    lines = read_text(path).split("\n")
    if not lines[0].startswith(TEXT):
        return " ".join(" ".join(lines).split()), ()
    text = " ".join(lines[0].removeprefix(TEXT).split())
    start = next((n for n, line in enumerate(lines) if line.startswith(WORDS)), len(lines))
    words = []
    for number, line in enumerate(lines[start + 1 :], start + 2):
        parts = line.split()
        if len(parts) < 3:
            break
        try:
            words.append(Word(float(parts[1]), float(parts[2]), parts[0]))
        except ValueError as error:
            raise ValueError(
                f"{path}, line {number} is {line!r}; expected a word, its start and end in seconds."
            ) from error
    return text, tuple(words)
