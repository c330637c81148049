"""mcgurk prepare."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from tasks.cli.options import AsJson, AudioTrack, Processes


def prepare(
    name: Annotated[
        str,
        typer.Argument(
            metavar="NAME",
            help="grid; folder, of clips with .txt beside them (LRS2, LRS3); cuts, of lhotse.",
        ),
    ],
    source: Annotated[
        Path, typer.Argument(metavar="SOURCE", help="Folder of the raw data set, or file of cuts.")
    ],
    output: Annotated[
        Path,
        typer.Option("-o", "--output", help="Folder to write: manifest.jsonl and mouths/."),
    ],
    audio_track: AudioTrack = None,
    processes: Processes = None,
    ray: Annotated[
        str | None,
        typer.Option(
            metavar="ADDRESS",
            help="Work on a Ray cluster, HOST:PORT or auto; local starts one on this machine.",
        ),
    ] = None,
    to_cuts: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Write lhotse's cuts too, .jsonl or .jsonl.gz."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Turn a raw data set into a manifest and mouth crops.

    It goes on where it was interrupted.
    """
    from data_prep.clips.lhotse_cuts import check_cuts_file, write_cuts
    from data_prep.clips.manifest import MANIFEST, read_manifest
    from data_prep.datasets.remarks import Remarks
    from data_prep.datasets.speech.catalog import DATASETS
    from data_prep.workers.resume import FAILED
    from modalities.outputs import check_outputs
    from tasks.cli.failures import refuse_nothing, tell_some
    from tasks.cli.progress import progress_bar

    if name not in DATASETS:
        raise ValueError(f"No data set {name!r}; known: {', '.join(DATASETS)}.")
    if to_cuts:
        check_cuts_file(to_cuts)
    manifest = output / MANIFEST
    check_outputs([manifest, manifest.with_name(FAILED), to_cuts], [source])
    remarks = Remarks()
    clips = DATASETS[name](source, remarks)
    if audio_track is not None:
        clips = [replace(clip, audio_track=audio_track) for clip in clips]
    check_outputs([to_cuts], [clip.media for clip in clips])
    from data_prep.clips.prepare import prepare

    with progress_bar("Preparing clips", as_json, "{:.0f}".format) as show:
        done = prepare(clips, output, processes, show, ray, remarks.failed)
    refuse_nothing(done.clips, done.failed, output / FAILED)
    if to_cuts:
        write_cuts(read_manifest(manifest), output, to_cuts)
    if as_json:
        found = {"clips": done.clips, "new": done.new, "failed": done.failed}
        print(json.dumps({**found, "notes": remarks.notes}))
        return
    print(f"{manifest}: {done.clips} clips, {done.new} of them new.")
    for note in remarks.told():
        print(note)
    if done.failed:
        print(f"{len(done.failed)} could not be prepared; {output / FAILED} says why.")
        print(tell_some(done.failed))
