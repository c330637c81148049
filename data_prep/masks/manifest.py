"""Pictures with masks, one row a class, one JSON object a line."""

import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from data_prep.json_lines import read_file_entries, write_file_entries

MANIFEST = "manifest.jsonl"
FOLDS = ("train", "validation", "test")


@dataclass(frozen=True)
class MaskedImage:
    """A picture, and where in it one class is.

    Attributes:
        id: Unique in its manifest.
        image: The picture, absolute or relative to the manifest's folder.
        mask: The mask, likewise; "" where none is known.
        label: The class by name, as "polyp".
        fold: "train", "validation", "test", or "" where nothing is decided.
        prompts: Sentences by key, "p0" (empty) to "p9" (all that is said), one or more wordings
            each.
        value: The value of the class in the mask; 0: all that is not black.
        spacing_mm: Height and width of a pixel, None where it is not known.
        group: Patient, sequence or whatever else must not be torn apart by splits; "": the picture.
        more_masks: Further files that belong to the mask, where each holds one piece of it.
    """

    id: str
    image: str
    mask: str
    label: str
    fold: str = ""
    prompts: dict[str, tuple[str, ...]] = field(default_factory=dict)
    value: int = 0
    spacing_mm: tuple[float, float] | None = None
    group: str = ""
    more_masks: tuple[str, ...] = ()

    def files(self) -> tuple[str, ...]:
        """Return the picture and all files of its mask."""
        return (self.image, *((self.mask,) if self.mask else ()), *self.more_masks)

    def with_paths(self, change: Callable[[str], str]) -> "MaskedImage":
        """Return the same with all its paths changed."""
        return replace(
            self,
            image=change(self.image),
            mask=change(self.mask) if self.mask else "",
            more_masks=tuple(change(name) for name in self.more_masks),
        )

    def to_json(self) -> str:
        """Return one line without its end."""
        return json.dumps(asdict(self), ensure_ascii=False)

    @classmethod
    def from_json(cls, line: str) -> "MaskedImage":
        """Read what `to_json` returned.

        Raises:
            ValueError: It is damaged, or of another form.
        """
        data = json.loads(line)
        try:
            row = cls(**{**data, **_read_tuples(data)})
        except (TypeError, AttributeError) as error:
            raise ValueError(f"is no picture with a mask ({error})") from error
        if row.fold not in (*FOLDS, ""):
            raise ValueError(f"has the fold {row.fold!r}, none of {', '.join(FOLDS)}")
        return row


def _read_tuples(data: dict[str, Any]) -> dict[str, Any]:
    """Turn JSON's lists into what the fields hold."""
    prompts = data.get("prompts", {}).items()
    spacing = data.get("spacing_mm")
    return {
        "prompts": {
            key: (said,) if isinstance(said, str) else tuple(said) for key, said in prompts
        },
        "spacing_mm": None if spacing is None else (float(spacing[0]), float(spacing[1])),
        "more_masks": tuple(data.get("more_masks", ())),
    }


def read_masks(path: str | Path) -> Iterator[MaskedImage]:
    """Read a manifest, row by row, with the paths of files made absolute.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: A line is damaged, two have one id, or the manifest is of something else.
    """
    return read_file_entries(path, MaskedImage.from_json, "prepare")


Rows = tuple[MaskedImage, ...]


def by_image(rows: Iterable[MaskedImage]) -> list[Rows]:
    """Put the rows of one image together, in the order of the images."""
    found: dict[str, list[MaskedImage]] = {}
    for row in rows:
        found.setdefault(row.image, []).append(row)
    return [tuple(group) for group in found.values()]


def write_masks(path: str | Path, rows: Iterable[MaskedImage]) -> None:
    """Write a manifest as a whole; paths below its folder become relative, so that it can move.

    Raises:
        OSError: It cannot be written.
    """
    write_file_entries(path, rows)
