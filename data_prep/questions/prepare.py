"""From rows that a data set lists to their manifest."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from data_prep.questions.manifest import MANIFEST, Question, read_questions, write_questions
from data_prep.workers.resume import FAILED, check_manifest_folder, write_failed


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
    check_question_manifest(manifest)
    write_questions(manifest, rows)
    write_failed(manifest.with_name(FAILED), failed or {})


def check_question_manifest(manifest: Path) -> None:
    """Check before any work that a manifest can be written, and replaces none of another kind.

    Raises:
        OSError: The folder cannot be written.
        ValueError: A manifest of clips or masks, or something else that is not ours, is there.
    """
    check_manifest_folder(manifest)
    if manifest.exists():
        for _ in read_questions(manifest):
            pass
