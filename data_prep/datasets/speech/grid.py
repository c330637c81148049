"""The GRID corpus: talkers' folders of clips whose names are their transcripts."""

from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path

from data_prep.clips.manifest import Clip
from data_prep.datasets.remarks import Raised, Remarks
from data_prep.media.files import MEDIA, SOUNDS, find_files
from modalities.speech.timed_text import Word
from modalities.text_file import read_text

COMMANDS = {"b": "bin", "l": "lay", "p": "place", "s": "set"}
COLOURS = {"b": "blue", "g": "green", "r": "red", "w": "white"}
PREPOSITIONS = {"a": "at", "b": "by", "i": "in", "w": "with"}
DIGITS = dict(
    zip("z123456789", "zero one two three four five six seven eight nine".split(), strict=True)
)
ADVERBS = {"a": "again", "n": "now", "p": "please", "s": "soon"}
ALIGNMENT = ".align"
UNITS_PER_S = 25_000  # of .align files: 1000 a frame
SILENCE = ("sil", "sp")
# GRID's published alignments lie in folders of other talkers for many of them.
CONTRADICTED = "Alignments with other words than the clip's name, whose times are not used"
UNREAD = "Alignments that cannot be read, so that words have no times"


def spell(name: str) -> str:
    """Return the transcript of a clip by its name.

    Args:
        name: Six letters and digits, as "bbaf2n".

    Raises:
        ValueError: It is no such name.
    """
    tables = (COMMANDS, COLOURS, PREPOSITIONS, None, DIGITS, ADVERBS)
    words = []
    if len(name) == len(tables):
        for letter, table in zip(name, tables, strict=True):
            if table is not None and letter in table:
                words.append(table[letter])
            elif table is None and letter.isalpha() and letter != "w":
                words.append(letter)
    if len(words) != len(tables):
        raise ValueError(f"{name!r} is no name of a GRID clip; expected one such as 'bbaf2n'.")
    return " ".join(words)


def read_alignment(path: str | Path) -> tuple[Word, ...]:
    """Read the times of words, without silence.

    Args:
        path: An .align file: start, end and word on each line, 25,000 units a second.

    Raises:
        OSError: It cannot be read.
        ValueError: It is no text, see `read_text`, or a line has another form.
    """
    words = []
    for number, line in enumerate(read_text(path).split("\n"), 1):
        parts = line.split()
        if not parts:
            continue
        try:
            start, end, text = int(parts[0]), int(parts[1]), parts[2]
            if not 0 <= start <= end:
                raise ValueError("times run backwards, or begin below zero")
        except (ValueError, IndexError) as error:
            raise ValueError(
                f"{path}, line {number} is {line!r}; expected start, end and word."
            ) from error
        if text.lower() not in SILENCE:
            words.append(Word(start / UNITS_PER_S, end / UNITS_PER_S, text))
    return tuple(words)


def find_grid_clips(folder: str | Path, remarks: Remarks | None = None) -> list[Clip]:
    """Find the clips of GRID below a folder.

    Args:
        folder: With clips in folders of talkers, or of one talker; .align files anywhere in it,
            below a folder of the talker's name where there are several talkers. Where a clip is
            there as video and as sound, the video is taken.
        remarks: Where is noted which alignments are not used: those whose words are not those that
            the name of the clip spells, and those that cannot be read. Warned of without.

    Returns:
        Clips by talker and name; words have times where there is an alignment of these words.

    Raises:
        FileNotFoundError: There is no such folder.
        ValueError: It has no GRID clip.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise FileNotFoundError(f"{folder} is no folder; expected one with GRID's clips.")
    noted = Raised() if remarks is None else remarks
    files = find_files(folder, MEDIA | {ALIGNMENT})
    found = _name_clips([path for path in files if path.suffix.lower() in MEDIA], folder)
    talkers = {talker for talker, _ in found}
    aligned = _find_alignments(files, folder, talkers)
    clips = []
    for (talker, name), path in found.items():
        text, clip_id = spell(name), f"{talker}_{path.stem}"
        words = _read_words(aligned.get((talker, name)), text, clip_id, noted)
        clips.append(Clip(clip_id, str(path.resolve()), text, talker, words))
    if not clips:
        raise ValueError(
            f"{folder} has no clip whose name is a GRID transcript, such as bbaf2n.mpg. Is it the "
            "right folder?"
        )
    if isinstance(noted, Raised):
        noted.warn()
    return clips


def _name_clips(media: Iterable[Path], folder: Path) -> dict[tuple[str, str], Path]:
    """Return one file a talker and name, by their order; video before sound."""
    found: dict[tuple[str, str], Path] = {}
    for path in sorted(media, key=lambda path: path.suffix.lower() in SOUNDS):
        name = path.stem.lower()  # in capitals on disks of DOS
        try:
            spell(name)
        except ValueError:
            continue
        talker = path.parent.name if path.parent != folder else folder.name
        found.setdefault((talker, name), path)
    return dict(sorted(found.items(), key=lambda item: item[1]))


def _find_alignments(
    files: Iterable[Path], folder: Path, talkers: set[str]
) -> dict[tuple[str, str], Path]:
    """Return alignments by talker and name; those of a single folder are of a single talker."""
    paths = [path for path in files if path.suffix.lower() == ALIGNMENT]
    aligned: defaultdict[str, dict[str, Path]] = defaultdict(dict)
    for path in paths:
        for part in path.relative_to(folder).parts[:-1]:
            aligned[part].setdefault(path.stem.lower(), path)
    if len(talkers) == 1 and len({path.parent for path in paths}) == 1:
        aligned = defaultdict(lambda: {path.stem.lower(): path for path in paths})
    return {(talker, name): path for talker in talkers for name, path in aligned[talker].items()}


def _read_words(path: Path | None, text: str, clip: str, noted: Remarks) -> tuple[Word, ...]:
    """Read an alignment, if it is of this text or of a part of it."""
    if path is None:
        return ()
    try:
        words = read_alignment(path)
    except ValueError as error:
        noted.note(UNREAD, f"{clip} ({error})")
        return ()
    rest = iter(text.split())
    if all(word.text.lower() in rest for word in words):  # in their order
        return words
    noted.note(CONTRADICTED, f"{clip} ({' '.join(word.text for word in words)})")
    return ()
