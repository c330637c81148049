"""mcgurk prepare, of recordings in which several things sound."""

import json
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from tasks.cli.prepare_options import PrepareOptions

if TYPE_CHECKING:
    from data_prep.mixtures.manifest import MixedSound

MIXTURES = "mixtures"


def prepare_mixtures(options: PrepareOptions) -> None:
    """Write the manifest of recordings with their labels and pictures, and print what was found.

    Args:
        options: With the mixtures' own options media and skip_missing.

    Raises:
        ValueError: A table is damaged, recordings are missing, or nothing is left.
        OSError: Something cannot be read or written.
    """
    from data_prep.datasets.mixtures.catalog import MIXTURE_DATASETS
    from data_prep.datasets.remarks import Remarks
    from data_prep.mixtures.manifest import MANIFEST, read_mixtures, write_mixtures
    from data_prep.workers.resume import FAILED, check_replaced_manifest, write_failed
    from modalities.outputs import check_outputs
    from tasks.cli.failures import refuse_empty, refuse_nothing, tell_some

    own, manifest = options.own[MIXTURES], options.output / MANIFEST
    failed = manifest.with_name(FAILED)
    check_outputs([manifest, failed], [options.source])
    check_replaced_manifest(manifest, read_mixtures)
    remarks = Remarks()
    dataset = MIXTURE_DATASETS[options.name]
    rows = dataset(options.source, remarks, own["media"], own["skip_missing"])
    refuse_empty(options.source, len(rows) + len(remarks.failed), "recordings")
    refuse_nothing(len(rows), remarks.failed, None, "recordings")
    write_mixtures(manifest, rows)
    write_failed(failed, remarks.failed)
    if options.as_json:
        print(json.dumps(_as_data(rows) | {"failed": remarks.failed, "notes": remarks.notes}))
        return
    _print_rows(rows, manifest)
    for note in remarks.told():
        print(note)
    if remarks.failed:
        print(f"{len(remarks.failed)} recordings are missing and left out; {failed} lists them.")
        print(tell_some(remarks.failed))


def _as_data(rows: "Sequence[MixedSound]") -> dict[str, object]:
    return {
        "rows": len(rows),
        "pictures": sum(bool(row.picture) or row.picture_s is not None for row in rows),
        "folds": dict(Counter(row.fold for row in rows)),
        "labels": dict(Counter(label for row in rows for label in row.labels).most_common()),
        "labels_per_row": dict(sorted(Counter(len(row.labels) for row in rows).items())),
    }


def _print_rows(rows: "Sequence[MixedSound]", manifest: Path) -> None:
    folds = Counter(row.fold or "none" for row in rows)
    labels = {label for row in rows for label in row.labels}
    several = sum(len(row.labels) > 1 for row in rows)
    files = sum(bool(row.picture) for row in rows)
    times = sum(row.picture_s is not None for row in rows)
    print(f"{manifest}: {len(rows)} recordings of {len(labels)} labels, {several} with several.")
    print(f"Folds: {', '.join(f'{name} {count}' for name, count in folds.items())}.")
    print(f"Pictures: {files} files, {times} chosen from videos.")
