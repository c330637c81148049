"""Talkers that a collection was enrolled for: a folder each, and what is told of it; no torch."""

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path

from modalities.text_file import read_text
from modalities.whole_file import replace_when_whole

TALKERS = "talkers"  # folder in a collection's; each folder in it is a collection for one talker
TALKER_CARD = "talker.json"
TRAINED, MOVED, AS_IT_WAS = "trained", "moved", "as it was"  # what becomes of sets


@dataclass(frozen=True)
class TalkerCard:
    """What is known about a talker that a collection was enrolled for.

    Attributes:
        name: What the talker is called.
        clips: Files that pieces were taken from.
        pieces: Pieces of at most 3.2 s that were learnt from or held back.
        held_back: Those of the pieces that nothing was learnt from.
        minutes: Length of the pieces together.
        left_out: How many pieces and files were not used, by the reason.
        texts: How many pieces have their text from where: "written" beside the clip, heard by the
            "set" that hears only, or by the "frozen" model.
        before: Word error rates in percent on the pieces held back, by condition, with the sets as
            they were.
        after: Word error rates in percent on these pieces with the talker's sets.
        taken: What each set became: "trained", "moved" as the trained one was, or "as it was".
        noise: What was mixed in, in words.
        seed: Fixes all that was drawn.
        command: What enrolled the talker.
    """

    name: str
    clips: int = 0
    pieces: int = 0
    held_back: int = 0
    minutes: float = 0.0
    left_out: dict[str, int] = field(default_factory=dict)
    texts: dict[str, int] = field(default_factory=dict)
    before: dict[str, float] = field(default_factory=dict)
    after: dict[str, float] = field(default_factory=dict)
    taken: dict[str, str] = field(default_factory=dict)
    noise: str = ""
    seed: int = 0
    command: str = ""


def find_talkers(folder: Path) -> dict[str, Path]:
    """Return the folders of a collection's talkers, by their names."""
    found = sorted((folder / TALKERS).glob(f"*/{TALKER_CARD}"))
    return {path.parent.name: path.parent for path in found}


def read_talker(folder: Path) -> TalkerCard:
    """Read what is known about a talker.

    Raises:
        FileNotFoundError: The folder is none of a talker.
        ValueError: It is damaged.
    """
    path = folder / TALKER_CARD
    if not path.is_file():
        raise FileNotFoundError(f"{folder} holds no {TALKER_CARD}; expected a talker's folder.")
    try:
        return TalkerCard(**json.loads(read_text(path)))
    except (ValueError, TypeError) as error:
        raise ValueError(f"{path} is damaged ({error}); enrol the talker again.") from error


def write_talker(folder: Path, card: TalkerCard) -> None:
    """Write what is known about a talker.

    Raises:
        OSError: It cannot be written.
    """
    text = json.dumps(asdict(card), indent=1, ensure_ascii=False)
    with replace_when_whole(folder / TALKER_CARD) as partial:
        partial.write_text(text + "\n", encoding="utf-8")
