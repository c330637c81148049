"""What an enrolment learns from: pieces with their texts, some held back, and old clips beside."""

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

import numpy as np

from data_prep.clips.manifest import MANIFEST, Clip
from data_prep.clips.samples import load_sample
from data_prep.json_lines import write_manifest
from data_prep.workers.resume import Progress
from modalities.text_file import read_text
from modalities.whole_file import replace_when_whole
from tasks.avsr.training.clips import find_clips
from tasks.avsr.training.config import DataOptions
from tasks.avsr.training.enrolment.options import (
    HELD_OUT,
    LEAST_HELD,
    LEAST_PIECES,
    EnrolOptions,
)
from tasks.avsr.training.enrolment.pieces import (
    DROWNED,
    MUTE,
    NO_FACE,
    SILENT,
    TWO,
    UNREAD,
    UNSURE,
    Cut,
)
from tasks.avsr.training.enrolment.teaching_text import TeachingText

TRAIN, NEW, OLD, HELD = "train", "new", "old", "held"
SPLIT, TOLD = "split.json", "told.json"
BATCH = 10  # pieces whose texts are found at once
INSTEAD = {  # what to record where most was left out for a reason
    NO_FACE: "record with the face in the picture, lit from the front",
    TWO: "record one talker alone",
    SILENT: "speak aloud, or check the microphone",
    DROWNED: "record speech where it is quiet",
    MUTE: "record with the microphone on",
    UNREAD: "check that the files play",
    UNSURE: "record where it is quiet, in the language of the model, or put transcripts beside the "
    "clips",
}


@dataclass(frozen=True)
class Material:
    """What is known of the pieces.

    Attributes:
        pieces: How many are used.
        held_back: How many of them are not learnt from.
        minutes: Length of all of them.
        left_out: How many others there were, by the reason.
        texts: How many pieces have their text from where.
        old: How many clips of other talkers are beside them.
    """

    pieces: int
    held_back: int
    minutes: float
    left_out: dict[str, int] = field(default_factory=dict)
    texts: dict[str, int] = field(default_factory=dict)
    old: int = 0


def gather(
    cut: Cut,
    folder: Path,
    options: EnrolOptions,
    teaching: TeachingText,
    total: int,
    progress: Progress | None = None,
) -> Material:
    """Find the texts of pieces, and write manifest and split of all that is learnt from.

    What a former call has written is taken over.

    Args:
        cut: Pieces, in this folder.
        folder: To write manifest.jsonl, split.json and told.json to.
        options: Whose clips, and which old ones.
        teaching: Hears what is said.
        total: Files that the pieces come from.
        progress: Called with the pieces listened to, and all.

    Raises:
        ValueError: Too few pieces can be used.
        FileNotFoundError: Old clips are not there.
    """
    if (folder / MANIFEST).is_file():
        return Material(**json.loads(read_text(folder / TOLD)))
    old = _choose_old(options)
    taught, sources = _teach(cut.pieces, folder, teaching, progress)
    left_out = Counter(cut.left_out)
    if unsure := len(cut.pieces) - len(taught):
        left_out[UNSURE] += unsure
    check_enough(len(taught), dict(left_out), total)
    new = [replace(clip, id=f"new.{clip.id}", speaker=options.name) for clip in taught]
    held = {new[place].id for place in hold_back(len(new))}
    split = {
        HELD: sorted(held),
        NEW: [clip.id for clip in new if clip.id not in held],
        OLD: [clip.id for clip in old],
    }
    split[TRAIN] = [*split[NEW], *split[OLD]]
    seconds = sum(clip.duration_s or 0.0 for clip in new)
    found = Material(
        len(new), len(held), round(seconds / 60, 2), dict(left_out), dict(sources), len(old)
    )
    for name, content in ((SPLIT, split), (TOLD, asdict(found))):
        with replace_when_whole(folder / name) as partial:
            partial.write_text(json.dumps(content), encoding="utf-8")
    write_manifest(folder / MANIFEST, [*new, *old])
    return found


def data_of(folder: Path, train: str = TRAIN) -> DataOptions:
    """Return what `gather` wrote, as trainings take it: learnt from `train`, and held back."""
    return DataOptions(str(folder), str(folder / SPLIT), train, HELD)


def hold_back(count: int) -> list[int]:
    """Return which of so many pieces are held back: one in six, two at least, evenly spread."""
    held = max(LEAST_HELD, count // HELD_OUT)
    return [int((place + 0.5) * count / held) for place in range(held)]


def check_enough(pieces: int, left_out: dict[str, int], total: int) -> None:
    """Raise where too little can be learnt from, and say what to record instead.

    Args:
        pieces: How many can be used.
        left_out: How many others there were, by the reason.
        total: Files that were given.

    Raises:
        ValueError: There are too few.
    """
    if pieces >= LEAST_PIECES:
        return
    told = ", ".join(f"{count} because {reason}" for reason, count in left_out.items())
    most = max(left_out, key=lambda reason: left_out[reason], default="")
    instead = INSTEAD.get(most, "record more of them, 30 clips of 3 s are good")
    raise ValueError(
        f"Of {total} {'file' if total == 1 else 'files'} {pieces} "
        f"{'piece' if pieces == 1 else 'pieces'} can be learnt from"
        f"{f', left out: {told}' if told else ''}; expected {LEAST_PIECES} or more: {instead}."
    )


def _teach(
    pieces: Sequence[Clip], folder: Path, teaching: TeachingText, progress: Progress | None
) -> tuple[list[Clip], Counter[str]]:
    """Return the pieces whose text is known, with it, and where the texts are from."""
    found: list[Clip] = []
    sources: Counter[str] = Counter()
    for start in range(0, len(pieces), BATCH):
        batch = pieces[start : start + BATCH]
        waveforms = [load_sample(replace(one, mouth=None), folder).waveform for one in batch]
        for clip, taught in zip(batch, teaching.teach(batch, waveforms), strict=True):
            if taught.text:
                found.append(replace(clip, text=taught.text, words=taught.words))
                sources[taught.source] += 1
        if progress:
            progress(start + len(batch), len(pieces))
    return found, sources


def _choose_old(options: EnrolOptions) -> list[Clip]:
    """Return clips of other talkers, evenly spread, with paths that hold from anywhere."""
    if not options.old:
        return []
    folder = Path(options.old).resolve()
    every = find_clips(DataOptions(str(folder), options.split), "train")
    usable = [clip for clip in every if clip.text and clip.words and clip.mouth]
    places = np.linspace(0, len(usable) - 1, min(options.old_clips, len(usable))).round()
    return [
        replace(
            usable[int(place)],
            id=f"old.{usable[int(place)].id}",
            media=str(folder / usable[int(place)].media),
            mouth=str(folder / (usable[int(place)].mouth or "")),
        )
        for place in dict.fromkeys(places)
    ]


def read_held(folder: Path) -> list[Clip]:
    """Return the pieces that are held back."""
    return find_clips(data_of(folder), HELD)
