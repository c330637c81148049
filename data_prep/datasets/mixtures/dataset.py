"""One data set of recordings with labels: its tables read, its files found, its pictures chosen."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from data_prep.datasets.checks import require_folder
from data_prep.datasets.mixtures.recordings import Recordings
from data_prep.datasets.remarks import Raised, Remarks
from data_prep.mixtures.manifest import MixedSound
from data_prep.mixtures.pictures import choose_second

SHOWN = 3
TWICE = "Recordings that tables list twice, and are taken once"
REPEATED = "Recordings with a label twice, which is taken once"
UNSEEN = "Recordings with sound alone, and no picture of their name"
APART = "Videos in which nothing is both heard and seen; the picture in the middle is theirs"


@dataclass(frozen=True)
class Listed:
    """What a table lists of a recording.

    Attributes:
        id: Unique in its data set.
        names: What its files may be called, without suffix; the first that is there counts.
        labels: What sounds, in the order of the table.
        fold: "train", "validation", "test", or "" where the data set does not say.
        counts: For each second, how many things are both heard and seen; empty where not known.
        origin: Where it is from, for who has to get it, as "video aaaaaaaaaaa of YouTube, 20 to
            30 s"; "" where its name says that.
    """

    id: str
    names: tuple[str, ...]
    labels: tuple[str, ...]
    fold: str = ""
    counts: tuple[int, ...] = ()
    origin: str = ""


@dataclass(frozen=True)
class MixtureDataset:
    """How the recordings of a data set are found; called with its folder, it finds them.

    Attributes:
        read: Yields what its tables list, whether the files are there or not.
        layout: Its tables and folders in words, for messages.
        fold_of: Returns the fold of a recording by its path, where tables do not say it.
        seen: Its recordings have pictures: it is told of which there is sound alone.
    """

    read: Callable[[Path, Remarks], Iterator[Listed]]
    layout: str
    fold_of: Callable[[Path], str] = lambda path: ""
    seen: bool = True

    def __call__(
        self,
        folder: str | Path,
        remarks: Remarks | None = None,
        media: str | Path | None = None,
        skip_missing: bool = False,
    ) -> list[MixedSound]:
        """Find the recordings.

        Args:
            folder: With its tables, at any depth.
            remarks: Where it is told what was noted, and what is left out; without, what is noted
                is warned of.
            media: Folder of the recordings and pictures; None: somewhere in `folder`.
            skip_missing: Leave out recordings that are missing; without, that is an error.

        Returns:
            Rows with absolute paths and unique ids, in the order of the tables.

        Raises:
            FileNotFoundError: There is no such folder, or no table in it.
            ValueError: A table is damaged, or recordings are missing.
        """
        folder = require_folder(folder, self.layout)
        place = folder if media is None else require_folder(media, "recordings")
        noted = Remarks() if remarks is None else remarks
        listed = _join_repeats(self.read(folder, noted), noted)
        recordings = Recordings(place)
        rows, missing = [], []
        for one in listed:
            path = recordings.find(one.names)
            if path is None:
                missing.append(one)
            else:
                rows.append(self._make_row(one, path, recordings, noted))
        if missing and not skip_missing:
            raise missing_recordings(missing, len(listed), place)
        for one in missing:
            noted.fail(one.id, ValueError(_describe_missing(one, place)))
        if remarks is None:
            Raised(noted.notes).warn()
        return rows

    def _make_row(
        self, one: Listed, path: Path, recordings: Recordings, noted: Remarks
    ) -> MixedSound:
        labels = tuple(dict.fromkeys(one.labels))
        if len(labels) < len(one.labels):
            noted.note(REPEATED, one.id)
        picture = recordings.find_picture(one.names)
        is_video = recordings.is_video(path)
        if self.seen and picture is None and not is_video:
            noted.note(UNSEEN, one.id)
        picture_s = choose_second(one.counts) if is_video and picture is None else None
        if is_video and picture is None and one.counts and picture_s is None:
            noted.note(APART, one.id)
        return MixedSound(
            id=one.id,
            media=str(path),
            labels=labels,
            fold=one.fold or self.fold_of(path),
            picture="" if picture is None else str(picture),
            picture_s=picture_s,
        )


def _join_repeats(found: Iterable[Listed], noted: Remarks) -> list[Listed]:
    kept: dict[str, Listed] = {}
    for one in found:
        first = kept.setdefault(one.id, one)
        if first is one:
            continue
        if (first.labels, first.fold) != (one.labels, one.fold):
            raise ValueError(
                f"Two entries have the id {one.id!r}: {', '.join(first.labels)} ({first.fold}) and "
                f"{', '.join(one.labels)} ({one.fold}); expected the same. Take one of them out."
            )
        noted.note(TWICE, one.id)
    return list(kept.values())


def missing_recordings(missing: list[Listed], all_of_them: int, place: Path) -> ValueError:
    """Return an error that says how many recordings are missing, of which fold, and the first."""
    folds = Counter(one.fold or "no fold" for one in missing)
    told = ", ".join(f"{count} of {fold}" for fold, count in folds.items())
    shown = ", ".join(one.names[0] for one in missing[:SHOWN])
    more = ", ..." if len(missing) > SHOWN else ""
    return ValueError(
        f"{len(missing)} of {all_of_them} recordings ({told}) are not below {place}: {shown}{more}"
        "; expected all. Say with --media where they are, or leave them out with --skip-missing, "
        "which lists them all in failed.jsonl."
    )


def _describe_missing(one: Listed, place: Path) -> str:
    origin = f"; it is {one.origin}" if one.origin else ""
    return f"{' or '.join(one.names)} is not below {place}, as video or sound{origin}."
