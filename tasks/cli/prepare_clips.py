"""mcgurk prepare, of clips in which somebody speaks."""

import json
from dataclasses import replace

from tasks.cli.prepare_options import PrepareOptions

CLIPS = "clips"


def prepare_clips(options: PrepareOptions) -> None:
    """Write the manifest and mouth crops of clips, and print what was done.

    Args:
        options: With the clips' own options audio_track, ray and to_cuts.

    Raises:
        ValueError: An option is wrong, or not one clip could be prepared.
        OSError: Something cannot be read or written.
    """
    from data_prep.clips.lhotse_cuts import check_cuts_file, write_cuts
    from data_prep.clips.manifest import MANIFEST, read_manifest
    from data_prep.datasets.remarks import Remarks
    from data_prep.datasets.speech.catalog import DATASETS
    from data_prep.workers.resume import FAILED
    from modalities.outputs import check_outputs
    from tasks.cli.failures import refuse_nothing, tell_some
    from tasks.cli.progress import progress_bar

    own, output = options.own[CLIPS], options.output
    to_cuts = own["to_cuts"]
    if to_cuts:
        check_cuts_file(to_cuts)
    manifest = output / MANIFEST
    check_outputs([manifest, manifest.with_name(FAILED), to_cuts], [options.source])
    remarks = Remarks()
    clips = DATASETS[options.name](options.source, remarks)
    if own["audio_track"] is not None:
        clips = [replace(clip, audio_track=own["audio_track"]) for clip in clips]
    check_outputs([to_cuts], [clip.media for clip in clips])
    from data_prep.clips.prepare import prepare

    with progress_bar("Preparing clips", options.as_json, "{:.0f}".format) as show:
        done = prepare(clips, output, options.processes, show, own["ray"], remarks.failed)
    refuse_nothing(done.clips, done.failed, output / FAILED)
    if to_cuts:
        write_cuts(read_manifest(manifest), output, to_cuts)
    if options.as_json:
        found = {"clips": done.clips, "new": done.new, "failed": done.failed}
        print(json.dumps({**found, "notes": remarks.notes}))
        return
    print(f"{manifest}: {done.clips} clips, {done.new} of them new.")
    for note in remarks.told():
        print(note)
    if done.failed:
        print(f"{len(done.failed)} could not be prepared; {output / FAILED} says why.")
        print(tell_some(done.failed))
