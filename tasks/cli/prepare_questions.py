"""mcgurk prepare, of questions and captions."""

import json
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from modalities.spelling import count_things
from tasks.cli.prepare_options import PrepareOptions

if TYPE_CHECKING:
    from data_prep.questions.manifest import Question

QUESTIONS = "questions"


def prepare_questions(options: PrepareOptions) -> None:
    """Write the manifest of questions or captions, and print what was found.

    Args:
        options: With the questions' own options images and skip_missing.

    Raises:
        ValueError: An entry is damaged, files are missing, or nothing is left.
        OSError: Something cannot be read or written.
    """
    from data_prep.datasets.questions.catalog import QUESTION_DATASETS
    from data_prep.datasets.remarks import Remarks
    from data_prep.questions.manifest import MANIFEST, read_questions
    from data_prep.questions.prepare import prepare_questions as write_prepared
    from data_prep.workers.resume import FAILED, check_replaced_manifest
    from modalities.outputs import check_outputs
    from tasks.cli.failures import refuse_empty, refuse_nothing, tell_some

    own, manifest = options.own[QUESTIONS], options.output / MANIFEST
    failed = manifest.with_name(FAILED)
    check_outputs([manifest, failed], [options.source])
    check_replaced_manifest(manifest, read_questions)
    remarks = Remarks()
    dataset = QUESTION_DATASETS[options.name]
    rows = dataset(options.source, remarks, own["images"], own["skip_missing"])
    refuse_empty(options.source, len(rows) + len(remarks.failed), "rows")
    refuse_nothing(len(rows), remarks.failed, None, "rows")
    write_prepared(rows, options.output, remarks.failed)
    if options.as_json:
        print(json.dumps(_as_data(rows) | {"failed": remarks.failed, "notes": remarks.notes}))
        return
    _print_rows(rows, manifest)
    for note in remarks.told():
        print(note)
    if remarks.failed:
        left_out = count_things(len(remarks.failed), "row")
        print(f"{left_out} left out; {failed} says why.")
        print(tell_some(remarks.failed))


def _as_data(rows: "Sequence[Question]") -> dict[str, object]:
    return {
        "rows": len(rows),
        "images": len({image for row in rows for image in row.images}),
        "folds": dict(Counter(row.fold for row in rows)),
    }


def _print_rows(rows: "Sequence[Question]", manifest: Path) -> None:
    images = len({image for row in rows for image in row.images})
    folds = Counter(row.fold or "none" for row in rows)
    print(f"{manifest}: {count_things(len(rows), 'row')} of {count_things(images, 'file')}.")
    print(f"Folds: {', '.join(f'{name} {count}' for name, count in folds.items())}.")
