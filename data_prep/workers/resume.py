"""Manifests that an interrupted run leaves whole, and the next one goes on with."""

import json
from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Generic, TypeVar

from data_prep.json_lines import Entry, write_manifest
from modalities.outputs import check_output_folder
from modalities.whole_file import check_no_folder, replace_when_whole

FAILED = "failed.jsonl"
Made = TypeVar("Made", bound=Entry)
Progress = Callable[[int, int], None]  # called with what is done, and all


@dataclass(frozen=True)
class Outcome(Generic[Made]):
    """What came of one piece of work.

    Attributes:
        made: Entries of the manifest.
        failed: Why others could not be made, by their ids.
    """

    made: tuple[Made, ...] = ()
    failed: Mapping[str, str] = field(default_factory=dict)


def check_replaced_manifest(path: Path, read: Callable[[Path], Iterable[object]]) -> None:
    """Check before any work that a manifest can be written, and replaces none of another kind.

    Args:
        path: The manifest, which need not be there yet.
        read: Reads all of one of its kind.

    Raises:
        OSError: The folder cannot be written.
        ValueError: A manifest of another kind, or something else that is not ours, is there.
    """
    check_manifest_folder(path)
    if path.exists():
        for _ in read(path):
            pass


def check_manifest_folder(path: Path) -> None:
    """Check before any work that a manifest can be written, and what failed beside it.

    Raises:
        ValueError: A failed.jsonl is there without a manifest, so another program wrote it.
        OSError: The folder cannot be written.
    """
    check_output_folder(path.parent)
    check_no_folder(path)
    failed = path.with_name(FAILED)
    if failed.exists() and not path.exists():
        raise ValueError(
            f"{failed} is there without {path.name}, so it is not ours and would be lost. Give "
            "another output folder."
        )


def complete_manifest(
    path: Path,
    ids: Sequence[str],
    done: dict[str, Made],
    outcomes: Generator[Outcome[Made], None, None],
    progress: Progress | None = None,
) -> dict[str, str]:
    """Write entries as they come, one line each, and in the end all in their order.

    A run that is killed leaves the lines that were written; what it was in the middle of is the
    next run's again. Beside the manifest, failed.jsonl says what could not be made.

    Args:
        path: The manifest.
        ids: All that it is to hold, in this order.
        done: Those of a former run, by id; what comes is added.
        outcomes: The others.
        progress: Called with the entries done, and all.

    Returns:
        What failed, by id.

    Raises:
        OSError: A file cannot be written.
    """
    write_manifest(path, done.values())  # without what a killed run left of a line
    failed: dict[str, str] = {}
    with closing(outcomes), path.open("a", encoding="utf-8") as lines:
        for outcome in outcomes:
            lines.writelines(f"{entry.to_json()}\n" for entry in outcome.made)
            lines.flush()
            done.update((entry.id, entry) for entry in outcome.made)
            failed.update(outcome.failed)
            if progress:
                progress(len(done) + len(failed), len(ids))
    write_manifest(path, (done[name] for name in ids if name in done))
    write_failed(path.with_name(FAILED), {name: failed[name] for name in ids if name in failed})
    return failed


def write_failed(path: Path, failed: Mapping[str, str]) -> None:
    """Write why some could not be made, a line each; of none, the file is taken away.

    Raises:
        OSError: It cannot be written.
    """
    if not failed:
        path.unlink(missing_ok=True)
        return
    with replace_when_whole(path) as partial, partial.open("w", encoding="utf-8") as file:
        file.writelines(
            json.dumps({"id": name, "reason": reason}, ensure_ascii=False) + "\n"
            for name, reason in failed.items()
        )
