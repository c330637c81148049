"""Pictures with embeddings of their sounds: a folder with a manifest and one file of numbers."""

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from torch import Tensor

from data_prep.json_lines import find_manifest, read_file_entries, write_file_entries
from modalities.tensor_file import read_tensors, write_tensors

MANIFEST, EMBEDDINGS, KEY = "manifest.jsonl", "embeddings.safetensors", "embeddings"
FOLDS = ("train", "validation", "test")


@dataclass(frozen=True)
class SoundedPicture:
    """A picture; what it sounds like stands in another file, at the row's number.

    Attributes:
        id: Unique in its manifest.
        picture: The file, absolute or relative to the manifest's folder; rows may share one.
        fold: "train", "validation", "test", or "" where nothing is decided.
        label: What sounds, for sheets; "" where nobody said.
    """

    id: str
    picture: str
    fold: str = ""
    label: str = ""

    def with_paths(self, change: Callable[[str], str]) -> "SoundedPicture":
        """Return the same with its path changed."""
        return replace(self, picture=change(self.picture))

    def to_json(self) -> str:
        """Return one line without its end."""
        return json.dumps(asdict(self), ensure_ascii=False)

    @classmethod
    def from_json(cls, line: str) -> "SoundedPicture":
        """Read what `to_json` returned.

        Raises:
            ValueError: It is damaged, or of another form.
        """
        try:
            row = cls(**json.loads(line))
        except TypeError as error:
            raise ValueError(f"is no picture with sounds ({error})") from error
        if row.fold not in (*FOLDS, ""):
            raise ValueError(f"has the fold {row.fold!r}, none of {', '.join(FOLDS)}")
        return row


def write_examples(
    folder: str | Path, rows: Sequence[SoundedPicture], embeddings: Tensor | None = None
) -> None:
    """Write what a training to paint reads.

    Args:
        folder: Made where it is not there; pictures below it may be moved with it.
        rows: A picture each, in any fold.
        embeddings: What each row sounds like, [rows, sources, dim], the most significant first,
            zeros where there is none; None for pictures alone.

    Raises:
        OSError: The folder cannot be written.
        ValueError: There is not one for each row.
    """
    if embeddings is not None:
        _check_shape(embeddings, len(rows), "The embeddings")
        write_tensors(Path(folder) / EMBEDDINGS, {KEY: embeddings})
    write_file_entries(Path(folder) / MANIFEST, rows)


def read_examples(
    folder: str | Path, with_sounds: bool
) -> tuple[list[SoundedPicture], Tensor | None]:
    """Read what `write_examples` wrote, with absolute paths.

    Args:
        folder: Holds the manifest.
        with_sounds: Whether embeddings are wanted.

    Raises:
        FileNotFoundError: There is no such manifest, or no embeddings where they are wanted.
        ValueError: One of them is damaged, or they do not fit each other.
    """
    path = find_manifest(folder, MANIFEST)
    rows = list(read_rows(path))
    if not with_sounds:
        return rows, None
    place = path.parent / EMBEDDINGS
    found = read_tensors(place, "pictures alone train stage 'base'", "write the examples again")
    if KEY not in found:
        raise ValueError(f"{place} holds no {KEY!r}; write the examples again.")
    _check_shape(found[KEY], len(rows), str(place))
    return rows, found[KEY].float()


def read_rows(path: str | Path) -> Iterator[SoundedPicture]:
    """Read the manifest alone, row by row, with absolute paths.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: A line is damaged, two have one id, or the manifest is of something else.
    """
    return read_file_entries(path, SoundedPicture.from_json, "write_examples")


def _check_shape(embeddings: Tensor, rows: int, place: str) -> None:
    if embeddings.ndim != 3 or len(embeddings) != rows:
        raise ValueError(
            f"{place}: the shape is {list(embeddings.shape)}; expected [rows, sources, dim] with "
            f"{rows} rows, one for each picture."
        )
    if not embeddings.isfinite().all():
        raise ValueError(f"{place}: some numbers are not finite. Embed these sounds again.")
