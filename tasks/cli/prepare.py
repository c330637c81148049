"""mcgurk prepare."""

import json
from pathlib import Path
from typing import Annotated

import typer

from tasks.cli.options import AsJson


def prepare(
    name: Annotated[
        str, typer.Argument(help="grid, or folder for clips with .txt beside them (LRS2, LRS3).")
    ],
    source: Annotated[Path, typer.Argument(help="Folder of the raw data set.")],
    output: Annotated[Path, typer.Argument(help="Folder to write: manifest.jsonl and mouths/.")],
    workers: Annotated[int | None, typer.Option(help="Processes; one per core without.")] = None,
    as_json: AsJson = False,
) -> None:
    """Turn a raw data set into a manifest and mouth crops; goes on where it was interrupted."""
    from tasks.cli.quiet import silence_libraries

    silence_libraries()
    from data_prep.datasets import DATASETS
    from data_prep.prepare import FAILED, MANIFEST, prepare
    from tasks.cli.progress import progress_bar

    if name not in DATASETS:
        raise ValueError(f"No data set {name!r}; known: {', '.join(DATASETS)}.")
    clips = DATASETS[name](source)
    with progress_bar("Preparing clips", as_json, "{:.0f}".format) as show:
        done = prepare(clips, output, workers, show)
    if as_json:
        print(json.dumps({"clips": done.clips, "new": done.new, "failed": done.failed}))
        return
    print(f"{output / MANIFEST}: {done.clips} clips, {done.new} of them new.")
    if done.failed:
        print(f"{len(done.failed)} could not be prepared; {output / FAILED} says why.")
