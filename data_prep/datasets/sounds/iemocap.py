"""IEMOCAP: turns of acted dialogues in five sessions, here of the usual four emotions."""

import re
from collections.abc import Iterator
from pathlib import Path

from data_prep.datasets.checks import check_files, check_sounds, require_folder
from data_prep.media.files import find_files
from data_prep.sounds.labelled import Sound
from modalities.text_file import read_text

LABELS = {"ang": "angry", "hap": "happy", "exc": "happy", "neu": "neutral", "sad": "sad"}
TURN = re.compile(r"\[[^]]+]\t(\w+)_([FM])(\w*)\t(\w+)\t")  # dialogue, who, number, emotion
EXPECTED = "Session1 to Session5, each with dialog/EmoEvaluation and sentences/wav"


def find_iemocap_sounds(folder: str | Path) -> list[Sound]:
    """Find the turns of IEMOCAP that are angry, happy (or excited), neutral or sad.

    Args:
        folder: With the sessions, as IEMOCAP_full_release.

    Returns:
        Sounds, 5531 in all; the fold is the session, "1" to "5", the speaker session and letter, as
        "1F", so that a speaker is in one fold.

    Raises:
        FileNotFoundError: There is no such folder.
        ValueError: It has no turns, a line has another form, or files are missing.

    Source:
        Busso et al. 2008, IEMOCAP: interactive emotional dyadic motion capture database.
    """
    folder = require_folder(folder, EXPECTED)
    sounds = []
    for session in sorted(folder.glob("Session[0-9]*")):
        for table in find_files(session / "dialog/EmoEvaluation", {".txt"}, deep=False):
            if table.name.startswith("Ses"):
                sounds += check_files(list(_read_turns(table, session)), table)
    return check_sounds(sounds, folder, EXPECTED)


def _read_turns(table: Path, session: Path) -> Iterator[Sound]:
    fold = session.name.removeprefix("Session")
    lines = read_text(table).split("\n")
    for line in lines:
        if not line.startswith("["):
            continue  # what each annotator said
        turn = TURN.match(line)
        if turn is None:
            raise ValueError(
                f"{table} has the line {line!r}; expected [start - end], turn and emotion, with "
                "tabs between. Unpack the file anew."
            )
        dialogue, letter, number, emotion = turn.groups()
        if emotion in LABELS:
            name = f"{dialogue}_{letter}{number}"
            path = session / "sentences/wav" / dialogue / f"{name}.wav"
            yield Sound(name, str(path), LABELS[emotion], fold, fold + letter)
