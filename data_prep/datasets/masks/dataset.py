"""One data set of pictures and masks, as published or in the layout of the papers' software."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from data_prep.datasets.checks import require_folder
from data_prep.datasets.masks.pairs import EXPECTED, find_pairs
from data_prep.datasets.masks.published import find_published, is_published, read_entries
from data_prep.datasets.remarks import Raised, Remarks
from data_prep.masks.manifest import MaskedImage
from data_prep.masks.prompts import Prompts, make_prompts
from data_prep.masks.statistics import MaskStatistics

ANNS = "anns/train.json, val.json or test.json with images/ and masks/"


def say_label(row: MaskedImage, statistics: MaskStatistics) -> Prompts:
    """Make prompts of the row's own label."""
    return make_prompts(statistics, row.label)


@dataclass(frozen=True)
class MaskDataset:
    """How the rows of a data set are found; called with its folder, it finds them.

    Attributes:
        classes: Value in the masks and label of each class; value 0 for masks of one class. None:
            one class, which is called as the folder is.
        layout: Its own layout in words, for messages; "" where it has to be converted.
        convert: What to do where the own layout is not read.
        say: Makes prompts where none are published.
        label_of: Names the class in the papers' layout, from the names of picture and mask; None:
            that of `classes`.
        group: What in a picture's place names a patient, a pattern; "": each picture by itself.
        fold: Which fold rows of the own layout get where folders name none; "" for none.
        copied_from: A set whose splits were published as this one's by mistake.
    """

    classes: tuple[tuple[int, str], ...]
    layout: str = EXPECTED
    convert: str = ""
    say: Callable[[MaskedImage, MaskStatistics], Prompts] = say_label
    label_of: Callable[[str, str], str] | None = None
    group: str = ""
    fold: str = ""
    copied_from: str = ""

    def __call__(self, folder: str | Path, remarks: Remarks | None = None) -> list[MaskedImage]:
        """Find the rows.

        Args:
            folder: With anns/, images/ and masks/, or in the data set's own layout.
            remarks: Where it is told what is left out, and why. Without, the first such is an
                error, and what else is noted is warned of.

        Returns:
            Rows with absolute paths; prompts where they are published, folds where there are some.

        Raises:
            FileNotFoundError: There is no such folder.
            ValueError: It has another layout, or files are missing.
        """
        folder = require_folder(folder, ", or ".join(filter(None, (ANNS, self.layout))))
        noted = Raised() if remarks is None else remarks
        rows = self._find(folder, noted, remarks)
        if isinstance(noted, Raised):
            noted.warn()
        return rows

    def _find(self, folder: Path, noted: Remarks, remarks: Remarks | None) -> list[MaskedImage]:
        classes = self.classes or ((0, _label_from(folder)),)
        label_of = self.label_of or (lambda image, mask: classes[0][1])
        group_of = partial(_group_of, self.group)
        if is_published(folder) and not self._is_copied(folder, noted):
            return find_published(folder, label_of, lambda image, mask: group_of(image), remarks)
        if self.convert:
            raise ValueError(f"{folder} has no {ANNS}. {self.convert}")
        try:
            rows = find_pairs(folder, classes, noted, self.fold)
        except ValueError as error:
            if self.layout == EXPECTED:
                raise
            raise ValueError(f"{error} Its own layout is {self.layout}.") from error
        return [replace(row, group=group_of(row.image)) for row in rows]

    def _is_copied(self, folder: Path, noted: Remarks) -> bool:
        """Notice splits that are another set's: most of what they name is not here."""
        table = folder / "anns/test.json"
        if not self.copied_from or not table.is_file():
            return False
        names = [entry["img_name"] for entry in read_entries(table)]
        lacking = sum(not (folder / "images" / name).is_file() for name in names)
        beside = folder.parent.glob(f"*{self.copied_from}*/anns/test.json")
        same = any(other.read_bytes() == table.read_bytes() for other in beside)
        if not same and lacking <= len(names) / 2:
            return False
        about = f"Splits that are a copy of those of {self.copied_from}, as they were published, "
        noted.note(
            f"{about}and are not used ({lacking} of {len(names)} pictures are not here)",
            "anns/test.json",
        )
        return True


def _label_from(folder: Path) -> str:
    return folder.name.replace("_", " ").replace("-", " ").strip() or "object"


def _group_of(pattern: str, name: str) -> str:
    found = re.search(pattern, name) if pattern else None
    return found[0] if found else ""


def with_labels(dataset: MaskDataset, labels: Sequence[str]) -> MaskDataset:
    """Return a data set with other labels.

    Args:
        dataset: One of the table of data sets.
        labels: The class by name, as "polyp"; or several, as "1=cavity" and "2=wall", each with its
            value in the masks. None are given: the data set as it is.

    Raises:
        ValueError: Several without values, a value that is no number above 0, or one twice.
    """
    if not labels:
        return dataset
    classes = tuple(_read_label(label, len(labels)) for label in labels)
    if any(len(set(part)) < len(classes) for part in zip(*classes, strict=True)):
        raise ValueError(
            f"--label names a value or a class twice: {', '.join(labels)}; expected each once."
        )
    return replace(dataset, classes=classes, label_of=None)


def _read_label(text: str, count: int) -> tuple[int, str]:
    value, equals, label = text.rpartition("=")
    if not equals and count == 1 and text.strip():
        return 0, text.strip()
    if not equals or not value.strip().isdecimal() or not int(value) or not label.strip():
        raise ValueError(
            f"--label is {text!r}; expected a name, as polyp, or with the value in the masks for "
            "each of several classes, as 1=polyp."
        )
    return int(value), label.strip()
