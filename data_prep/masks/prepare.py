"""From rows as a data set lists them to a manifest that can be trained on: read, said, split."""

from collections import Counter, defaultdict
from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

from data_prep.masks.hygiene import Repeats, clean_splits, find_repeats, hash_pixels
from data_prep.masks.images import read_image, read_row_mask
from data_prep.masks.manifest import MANIFEST, MaskedImage, read_masks, write_masks
from data_prep.masks.prompts import Prompts
from data_prep.masks.remarks import remarks_on
from data_prep.masks.splits import hold_back, split_masks
from data_prep.masks.statistics import MaskStatistics, describe_mask
from data_prep.workers.processes import run_in_processes
from data_prep.workers.resume import FAILED, Progress, check_replaced_manifest, write_failed

Say = Callable[[MaskedImage, MaskStatistics], Prompts]
NO_FOLDS = "Folds were drawn with seed {}: {} train, {} choose the model, {} test"
NO_VALIDATION = "Validation was drawn from train with seed {}: {} rows"
TOO_FEW = "There are too few pictures to draw validation and test: all train"


@dataclass(frozen=True)
class PreparedMasks:
    """What `prepare_masks` has done.

    Attributes:
        rows: In the manifest now.
        failed: Why others are not, by their ids.
        notes: Ids by what is to be said of them; without ids it is said of all.
        repeats: Pictures that come twice, as they were before `clean` took some out.
    """

    rows: tuple[MaskedImage, ...]
    failed: dict[str, str]
    notes: dict[str, list[str]]
    repeats: Repeats


@dataclass(frozen=True)
class Examined:
    """What reading a picture and its masks has shown.

    Attributes:
        pixels: Hash of the picture; "" where it cannot be read.
        rows: With prompts and spacing.
        notes: Ids by what is to be said of them.
        failed: Why rows cannot be taken, by their ids.
    """

    pixels: str = ""
    rows: tuple[MaskedImage, ...] = ()
    notes: dict[str, list[str]] = field(default_factory=dict)
    failed: dict[str, str] = field(default_factory=dict)


def prepare_masks(
    rows: Sequence[MaskedImage],
    folder: str | Path,
    say: Say,
    workers: int | None = None,
    progress: Progress | None = None,
    unread: Mapping[str, str] | None = None,
    clean: bool = False,
    seed: int = 0,
) -> PreparedMasks:
    """Read all pictures and masks, and write their manifest.

    Args:
        rows: With unique ids, as `data_prep.datasets.masks.catalog` finds them.
        folder: To write to: manifest.jsonl, and failed.jsonl where rows are left out. Pictures and
            masks stay where they are.
        say: Makes the prompts of rows that come without.
        workers: Processes; as many as cores without.
        progress: Called with the pictures done, and all.
        unread: Why other rows could not be found out about, by their ids; they count as failed.
        clean: Take out what trains and tests, see `data_prep.masks.hygiene.clean_splits`.
        seed: Draws folds where there are none, or train alone; another one draws others. Rows with
            published prompts keep the published folds.

    Returns:
        The rows, and what there is to say about them.

    Raises:
        OSError: The folder cannot be written.
        ValueError: Another manifest is there, or two rows have one id.
    """
    manifest = Path(folder) / MANIFEST
    check_replaced_manifest(manifest, read_masks)
    _check_ids(rows)
    by_picture: defaultdict[str, list[MaskedImage]] = defaultdict(list)
    for row in rows:
        by_picture[row.image].append(row)
    work = partial(examine, say=say)
    outcomes = run_in_processes(work, list(by_picture.values()), workers)
    found = list(_watched(outcomes, len(by_picture), progress))
    made = {row.id: row for one in found for row in one.rows}
    hashes = {row.image: one.pixels for one in found for row in one.rows}
    failed = dict(unread or {}) | {key: why for one in found for key, why in one.failed.items()}
    notes = _join(one.notes for one in found)
    kept = [made[row.id] for row in rows if row.id in made]
    if not any(row.prompts for row in rows):  # else folds are published together with these
        kept, told = _give_folds(kept, hashes, seed)
        notes.update(told)
    repeats = find_repeats(kept, hashes)
    if clean:
        kept, gone = clean_splits(kept, hashes)
        failed.update(gone)
    write_masks(manifest, kept)
    write_failed(manifest.with_name(FAILED), failed)
    return PreparedMasks(tuple(kept), failed, notes, repeats)


def _check_ids(rows: Sequence[MaskedImage]) -> None:
    for name, times in Counter(row.id for row in rows).most_common(1):
        if times > 1:
            raise ValueError(f"{times} rows have the id {name!r}; expected one. Rename the others.")


def examine(rows: Sequence[MaskedImage], say: Say) -> Examined:
    """Read one picture and the masks of its classes.

    Args:
        rows: All classes of that picture, at least one.
        say: Makes the prompts of rows that come without.
    """
    try:
        image = read_image(rows[0].image)
    except (ValueError, OSError) as error:
        return Examined(failed={row.id: str(error) for row in rows})
    notes: defaultdict[str, list[str]] = defaultdict(list)
    made, failed = [], {}
    for row in rows:
        try:
            mask = read_row_mask(row, image.values.shape[:2])
        except (ValueError, OSError) as error:
            failed[row.id] = str(error)
            continue
        statistics = describe_mask(mask)
        for remark in remarks_on(row, image, mask):
            notes[remark].append(row.id)
        if image.note:
            notes[f"Read as {image.note}"].append(row.id)
        spacing, prompts = row.spacing_mm or image.spacing_mm, row.prompts or say(row, statistics)
        made.append(replace(row, prompts=prompts, spacing_mm=spacing))
    return Examined(hash_pixels(image.values), tuple(made), dict(notes), failed)


def _watched(
    outcomes: Generator[Examined, None, None], total: int, progress: Progress | None
) -> Generator[Examined, None, None]:
    for done, outcome in enumerate(outcomes, 1):
        if progress:
            progress(done, total)
        yield outcome


def _join(notes: Iterable[Mapping[str, list[str]]]) -> dict[str, list[str]]:
    joined: defaultdict[str, list[str]] = defaultdict(list)
    for one in notes:
        for about, names in one.items():
            joined[about] += names
    return {about: sorted(names) for about, names in joined.items()}


def _give_folds(
    rows: list[MaskedImage], hashes: Mapping[str, str], seed: int
) -> tuple[list[MaskedImage], dict[str, list[str]]]:
    """Draw folds where there are none, and validation where train and test are alone."""
    given = {row.fold for row in rows}
    if given == {"train", "test"}:
        try:
            rows = hold_back(rows, hashes, seed=seed)
        except ValueError:  # one group trains: nothing can be taken of it
            return rows, {}
        return rows, {NO_VALIDATION.format(seed, _count(rows)["validation"]): []}
    if given not in ({""}, {"train"}):
        return rows, {}
    try:
        rows = split_masks(rows, hashes, seed=seed)
    except ValueError:
        return [replace(row, fold="train") for row in rows], {TOO_FEW: []}
    counts = _count(rows)
    numbers = [counts[fold] for fold in ("train", "validation", "test")]
    return rows, {NO_FOLDS.format(seed, *numbers): []}


def _count(rows: Iterable[MaskedImage]) -> Counter[str]:
    return Counter(row.fold for row in rows)
