"""The GRID corpus: talkers' folders of clips whose names are their transcripts."""

from pathlib import Path

from data_prep.clips.manifest import Clip
from modalities.speech.timed_text import Word

COMMANDS = {"b": "bin", "l": "lay", "p": "place", "s": "set"}
COLOURS = {"b": "blue", "g": "green", "r": "red", "w": "white"}
PREPOSITIONS = {"a": "at", "b": "by", "i": "in", "w": "with"}
DIGITS = dict(
    zip("z123456789", "zero one two three four five six seven eight nine".split(), strict=True)
)
ADVERBS = {"a": "again", "n": "now", "p": "please", "s": "soon"}
SUFFIXES = (".mpg", ".mp4", ".avi", ".mov", ".mkv", ".wav", ".flac")
UNITS_PER_S = 25_000  # of .align files: 1000 a frame
SILENCE = ("sil", "sp")


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
        ValueError: A line has another form.
    """
    words = []
    for number, line in enumerate(Path(path).read_text(encoding="utf-8").splitlines(), 1):
        parts = line.split()
        if not parts:
            continue
        try:
            start, end, text = int(parts[0]), int(parts[1]), parts[2]
        except (ValueError, IndexError) as error:
            raise ValueError(
                f"{path}, line {number} is {line!r}; expected start, end and word."
            ) from error
        if text not in SILENCE:
            words.append(Word(start / UNITS_PER_S, end / UNITS_PER_S, text))
    return tuple(words)


def find_grid_clips(folder: str | Path) -> list[Clip]:
    """Find the clips of GRID below a folder.

    Args:
        folder: With clips in folders of talkers, or of one talker; .align files anywhere in it, in
            a folder of the talker's name where there are several talkers.

    Returns:
        Clips by talker and name; words have times where there is an .align file.

    Raises:
        FileNotFoundError: There is no such folder.
        ValueError: It has no GRID clip.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise FileNotFoundError(f"{folder} is no folder; expected one with GRID's clips.")
    aligned = {(path.parent.name, path.stem): path for path in folder.rglob("*.align")}
    by_name = {name: path for (_, name), path in aligned.items()}
    several = len({talker for talker, _ in aligned}) > 1
    clips = {}
    for path in sorted(p for p in folder.rglob("*") if p.suffix.lower() in SUFFIXES):
        try:
            text = spell(path.stem)
        except ValueError:
            continue
        talker = path.parent.name if path.parent != folder else folder.name
        found = aligned.get((talker, path.stem)) or (None if several else by_name.get(path.stem))
        words = read_alignment(found) if found else ()
        clip = Clip(f"{talker}_{path.stem}", str(path.resolve()), text, talker, words)
        clips.setdefault(clip.id, clip)
    if not clips:
        raise ValueError(
            f"{folder} has no clip whose name is a GRID transcript, such as bbaf2n.mpg. Is it the "
            "right folder?"
        )
    return list(clips.values())
