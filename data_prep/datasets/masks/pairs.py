"""Pictures and masks found in folders, and matched by their names.

Data sets agree on little: images/ and masks/, Original/ and Ground Truth/, NAME.png beside
NAME_mask.png, parts above or below these. What they agree on is that folders and names say in
words what is a mask and what trains; the rest of path and name is the same for both.
"""

import re
from collections import defaultdict
from collections.abc import Callable, Container, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from data_prep.datasets.checks import SHOWN
from data_prep.datasets.remarks import Remarks
from data_prep.masks.images import PICTURES
from data_prep.masks.manifest import MaskedImage
from data_prep.media.files import check_name, find_files
from modalities.printable import printable

EXPECTED = (
    "images/NAME.png and masks/NAME.png (also below train, val and test), or NAME_mask.png beside "
    "NAME.png"
)
MASK_FOLDER = re.compile(r"mask|ground ?truth|segmentation|\bgt\b|annotation|label")
IMAGE_FOLDER = re.compile(r"image|img|original|picture|frame|\bdata\b")
FOLD_WORDS = {
    "train": "train",
    "training": "train",
    "validation": "validation",
    "valid": "validation",
    "val": "validation",
    "test": "test",
    "testing": "test",
}
MASK_WORD = "(?:masks?|seg(?:mentation)?|gt|ground[ _-]?truth|labels?|annotation)"
ANY_WORD = f"(?:{MASK_WORD}|images?|img|picture)"
IS_MASK = re.compile(rf"(.+[ _.-]{MASK_WORD}(?:[ _-]?\d+)?|{MASK_WORD}[ _.-].+)")
SUFFIX = re.compile(rf"(.+?)[ _.-]+{ANY_WORD}(?:[ _-]?(\d+))?")
PREFIX = re.compile(rf"{ANY_WORD}[ _.-]+(.+)")
UNUSED = "Masks without a picture, which are not used"
Place = tuple[str, tuple[str, ...], str]  # fold, folders that say nothing, name


@dataclass(frozen=True)
class Found:
    """A picture file, with what its path says.

    Attributes:
        path: The file.
        fold: "train", "validation", "test" or "".
        folders: Those above it that name neither part nor kind.
        is_mask: Whether it is a mask.
    """

    path: Path
    fold: str
    folders: tuple[str, ...]
    is_mask: bool

    @property
    def exact(self) -> Place:
        """Where it is, by its whole name."""
        return self.fold, self.folders, self.path.stem.lower()

    @property
    def core(self) -> Place:
        """Where it is, without words like mask and image in its name."""
        return self.fold, self.folders, _core(self.path.stem)


def find_pairs(
    folder: Path, classes: Sequence[tuple[int, str]], remarks: Remarks, fold: str = ""
) -> list[MaskedImage]:
    """Find pictures and masks below a folder.

    Args:
        folder: Absolute. Hidden files do not count.
        classes: Value in the masks and label of each class; value 0 for masks of one class.
        remarks: Where pictures are told that have no mask, or several that cannot all be right;
            they are left out.
        fold: Which fold files get whose path names none; "" for none.

    Returns:
        A row for each picture and class, by the pictures' places.

    Raises:
        ValueError: There is no picture, or no mask.
    """
    found = [_read_path(path, folder) for path in find_files(folder, PICTURES)]
    if not any(one.is_mask for one in found):  # NAME_mask.png beside NAME.png in images/
        found = [replace(one, is_mask=_is_named_mask(one.path)) for one in found]
    images = [one for one in found if not one.is_mask]
    masks = [one for one in found if one.is_mask]
    if not images or not masks:
        raise ValueError(
            f"{folder} has {_count(images, 'picture')} and {_count(masks, 'mask')}; expected "
            f"{EXPECTED}. Is it the right folder?"
        )
    rows: dict[str, MaskedImage] = {}
    used: set[Path] = set()
    match = _matcher(masks)
    for image in images:
        name = "_".join((*image.folders, image.path.stem))
        try:
            check_name(image.path)
            own = match(image)
            for path in own:
                check_name(path)
        except ValueError as error:
            remarks.fail(printable(name), error)
            continue
        used.update(own)
        _add_rows(rows, image, name, own, classes, fold)
    for mask in masks:
        if mask.path not in used:
            remarks.note(UNUSED, str(mask.path.relative_to(folder)))
    return list(rows.values())


def _add_rows(
    rows: dict[str, MaskedImage],
    image: Found,
    name: str,
    masks: Sequence[Path],
    classes: Sequence[tuple[int, str]],
    fold: str,
) -> None:
    first, *more = map(str, masks)
    for value, label in classes:
        key = unique(name if len(classes) == 1 else f"{name}_{label}", rows)
        rows[key] = MaskedImage(
            id=key,
            image=str(image.path),
            mask=first,
            label=label,
            fold=image.fold or fold,
            value=value,
            more_masks=tuple(more),
        )


def unique(name: str, taken: Container[str]) -> str:
    """Return a name that is not taken: itself, or with the first number that makes it so."""
    number, tried = 2, name
    while tried in taken:
        tried, number = f"{name}_{number}", number + 1
    return tried


def _read_path(path: Path, folder: Path) -> Found:
    """Read what folders say: the nearest that names a kind or a part counts, else the file."""
    fold, folders, is_mask = "", [], _is_named_mask(path)
    for part in path.relative_to(folder).parts[:-1]:
        words = " ".join(re.findall(r"[A-Z]?[a-z]+|[A-Z]+|\d+", part)).lower()
        folds = [FOLD_WORDS[word] for word in words.split() if word in FOLD_WORDS]
        of_masks, of_images = MASK_FOLDER.search(words), IMAGE_FOLDER.search(words)
        names_kind = bool(of_masks) != bool(of_images)  # both: "labelled data"
        is_mask = bool(of_masks) if names_kind else is_mask
        fold = folds[0] if folds else fold
        folders += [] if folds or names_kind else [part]
    return Found(path, fold, tuple(folders), is_mask)


def _is_named_mask(path: Path) -> bool:
    return bool(IS_MASK.fullmatch(path.stem.lower()))


def _core(stem: str) -> str:
    stem = stem.lower()
    if found := SUFFIX.fullmatch(stem):
        return found[1]
    found = PREFIX.fullmatch(stem)
    return found[1] if found else stem


def _matcher(masks: Sequence[Found]) -> Callable[[Found], list[Path]]:
    """Return what finds the masks of a picture: by the same name, else without words like mask."""
    exact: defaultdict[Place, list[Path]] = defaultdict(list)
    core: defaultdict[Place, list[Path]] = defaultdict(list)
    for mask in masks:
        exact[mask.exact].append(mask.path)
        core[mask.core].append(mask.path)

    def match(image: Found) -> list[Path]:
        own = exact.get(image.exact) or core.get(image.core) or []
        if not own:
            raise ValueError(f"{image.path} has no mask; expected {EXPECTED}. Add it.")
        numbers = [number[2] for path in own if (number := SUFFIX.fullmatch(path.stem.lower()))]
        if len(own) > 1 and len(set(numbers)) < len(own):
            raise ValueError(
                f"{image.path} has {len(own)} masks: {', '.join(map(str, own[:SHOWN]))}; expected "
                "one, or pieces with numbers as NAME_mask_1.png. Remove the others."
            )
        return sorted(own, key=lambda path: (len(path.name), path.name))

    return match


def _count(found: Sequence[Found], what: str) -> str:
    return f"{len(found) or 'no'} {what}{'' if len(found) == 1 else 's'}"
