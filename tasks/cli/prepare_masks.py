"""mcgurk prepare, of pictures with masks."""

import json
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

from modalities.spelling import count_things
from tasks.cli.prepare_options import PrepareOptions

if TYPE_CHECKING:
    from data_prep.masks.prepare import PreparedMasks

MASKS = "masks"


def prepare_masks(options: PrepareOptions) -> None:
    """Write the manifest of pictures and masks, and print what was found.

    Args:
        options: With the masks' own options label, clean_splits and seed.

    Raises:
        ValueError: An option is wrong, or not one picture has a mask that can be read.
        OSError: Something cannot be read or written.
    """
    from data_prep.datasets.masks.catalog import MASK_DATASETS
    from data_prep.datasets.masks.dataset import with_labels
    from data_prep.datasets.remarks import Remarks
    from data_prep.masks.manifest import MANIFEST, read_masks
    from data_prep.masks.prepare import prepare_masks
    from data_prep.workers.resume import FAILED, check_replaced_manifest
    from modalities.outputs import check_outputs
    from tasks.cli.failures import refuse_empty, refuse_nothing, tell_some
    from tasks.cli.progress import progress_bar

    own, manifest = options.own[MASKS], options.output / MANIFEST
    dataset = with_labels(MASK_DATASETS[options.name], own["label"] or ())
    check_outputs([manifest, manifest.with_name(FAILED)], [options.source])
    check_replaced_manifest(manifest, read_masks)
    remarks = Remarks()
    rows = dataset(options.source, remarks)
    refuse_empty(options.source, len(rows) + len(remarks.failed), "pictures")
    with progress_bar("Reading pictures", options.as_json, "{:.0f}".format) as show:
        done = prepare_masks(
            rows,
            options.output,
            dataset.say,
            options.processes,
            show,
            remarks.failed,
            own["clean_splits"],
            own["seed"] or 0,
        )
    refuse_nothing(len(done.rows), done.failed, manifest.with_name(FAILED), "pictures")
    remarks.notes.update(done.notes)
    if options.as_json:
        print(json.dumps(_as_data(done) | {"notes": remarks.notes}))
        return
    _print_rows(done, manifest)
    for note in remarks.told() + done.repeats.told():
        print(note)
    if done.repeats.overlaps and not own["clean_splits"]:
        print("--clean-splits leaves out what trains and tests.")
    if done.failed:
        print(f"{len(done.failed)} are left out; {manifest.with_name(FAILED)} says why.")
        print(tell_some(done.failed))


def _as_data(done: "PreparedMasks") -> dict[str, object]:
    return {
        "rows": len(done.rows),
        "images": len({row.image for row in done.rows}),
        "folds": dict(Counter(row.fold for row in done.rows)),
        "labels": dict(Counter(row.label for row in done.rows)),
        "failed": done.failed,
        "duplicates": done.repeats.duplicates,
        "overlaps": done.repeats.overlaps,
    }


def _print_rows(done: "PreparedMasks", manifest: Path) -> None:
    images = len({row.image for row in done.rows})
    folds = Counter(row.fold or "none" for row in done.rows)
    labels = Counter(row.label for row in done.rows)
    print(
        f"{manifest}: {count_things(len(done.rows), 'row')} of {count_things(images, 'picture')}."
    )
    print(f"Folds: {_list(folds)}. Labels: {_list(labels)}.")


def _list(counts: Counter[str]) -> str:
    return ", ".join(f"{name} {count}" for name, count in counts.items())
