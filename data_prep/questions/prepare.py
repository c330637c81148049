"""From rows that a data set lists to their manifest."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from data_prep.questions.manifest import MANIFEST, Question, read_questions, write_questions
from data_prep.workers.resume import FAILED, check_replaced_manifest, write_failed


def prepare_questions(
    rows: Sequence[Question], folder: str | Path, failed: Mapping[str, str] | None = None
) -> None:
    """Write the manifest of questions; images and features stay where they are.

    Args:
        rows: With unique ids and absolute paths, as `data_prep.datasets.questions.catalog` finds
            them.
        folder: To write to: manifest.jsonl, and failed.jsonl where rows are left out.
        failed: Why rows are left out, by their ids.

    Raises:
        OSError: The folder cannot be written.
        ValueError: Another manifest is there.
    """
    manifest = Path(folder) / MANIFEST
    check_replaced_manifest(manifest, read_questions)
    write_questions(manifest, rows)
    write_failed(manifest.with_name(FAILED), failed or {})
