"""One data set of questions or captions: its tables read, its files found, its rows checked."""

from collections.abc import Callable, Container, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from data_prep.datasets.checks import require_folder
from data_prep.datasets.questions.media import IMAGES, Media
from data_prep.datasets.remarks import Raised, Remarks
from data_prep.questions.checks import check_features, join_repeats, missing_files
from data_prep.questions.manifest import Question, find_fault

TWICE = "Rows that come twice, and are taken once"
TORN = "Rows in two folds, and are taken for the one that is held back"
UNANSWERED = "Rows without an answer, which can be asked and not trained on"


@dataclass(frozen=True)
class QuestionDataset:
    """How the rows of a data set are found; called with its folder, it finds them.

    Attributes:
        read: Yields its rows, with the names of images as its tables have them.
        layout: Its tables in words, for messages.
        suffixes: What its files are, in small letters.
        below: Name of the folder that counts, where files of one name are in several.
    """

    read: Callable[[Path, Remarks], Iterator[Question]]
    layout: str
    suffixes: Container[str] = IMAGES
    below: str = ""

    def __call__(
        self,
        folder: str | Path,
        remarks: Remarks | None = None,
        images: str | Path | None = None,
        skip_missing: bool = False,
    ) -> list[Question]:
        """Find the rows.

        Args:
            folder: With its tables, at any depth.
            remarks: Where it is told what was noted, and what is left out; without, what is noted
                is warned of.
            images: Folder of the images, or of features of videos; None: somewhere in `folder`.
            skip_missing: Leave out rows whose files are missing; without, that is an error.

        Returns:
            Rows with absolute paths and unique ids.

        Raises:
            FileNotFoundError: There is no such folder.
            ValueError: A table or an entry is damaged, two rows have one id and are not the same,
                or files are missing.
        """
        folder = require_folder(folder, self.layout)
        place = folder if images is None else require_folder(images, "images, or features")
        noted = Remarks() if remarks is None else remarks
        rows, twice, torn = join_repeats(_checked(self.read(folder, noted)))
        for about, names in ((TWICE, twice), (TORN, torn)):
            for name in names:
                noted.note(about, name)
        rows = self._find_files(rows, place, noted, skip_missing)
        for row in rows:
            if not row.answers:
                noted.note(UNANSWERED, row.id)
        if remarks is None:
            Raised(noted.notes).warn()
        return rows

    def _find_files(
        self, rows: list[Question], place: Path, remarks: Remarks, skip_missing: bool
    ) -> list[Question]:
        media = Media(place, self.suffixes, self.below)
        found = {name: media.find(name) for row in rows for name in row.images}
        missing = [name for name, path in found.items() if not path]
        lacking = [row for row in rows if not all(found[name] for name in row.images)]
        what = "image" if self.suffixes is IMAGES else "file of features"
        if missing and not skip_missing:
            raise missing_files(missing, len(lacking), place, what)
        if self.suffixes is not IMAGES:
            for path in filter(None, found.values()):
                check_features(path)
        for row in lacking:
            names = ", ".join(name for name in row.images if not found[name])
            remarks.fail(row.id, ValueError(f"{names} is not below {place}: not there."))
        out = {row.id for row in lacking}
        return [
            replace(row, images=tuple(found[name] for name in row.images))
            for row in rows
            if row.id not in out
        ]


def _checked(rows: Iterator[Question]) -> Iterator[Question]:
    for row in rows:
        if fault := find_fault(row):
            raise ValueError(
                f"{row.task} {row.id} {fault}; expected a whole row. Get its file anew, or take "
                "the entry out."
            )
        yield row
