"""mcgurk segment, of a video."""

import json
from dataclasses import asdict

from tasks.cli.columns import print_columns
from tasks.cli.segment_options import SegmentOptions, check_suffix, load_segmenter
from tasks.cli.segment_shown import shorten, tell, tell_cut, tell_missing
from tasks.segmentation.areas import percent

HEAD = ("prompt", "frames", "mean share", "largest", "at")


def segment_video_file(options: SegmentOptions) -> None:
    """Find what is asked in a video, frame by frame, and print what was found.

    Raises:
        OSError: A file is not there, or cannot be written.
        ValueError: There is no video in it; an option is for pictures; an output is the input.
    """
    from data_prep.media import probe
    from modalities.outputs import check_outputs
    from tasks.cli.progress import progress_bar

    source, request = options.source, options.request
    for name, value in (
        ("--mask", options.mask),
        ("--probability", options.probability),
        ("--window", request.window),
    ):
        if value is not None:
            raise ValueError(f"{name} is for pictures, and {source} is a video; leave it out.")
    check_suffix(options.output, "the overlay of a video", (".mp4",))
    check_outputs([options.output, options.per_frame], [source], kept=[options.model])
    if probe(source, measure=False).video is None:
        raise ValueError(f"{source} has no pictures, only sound; expected a video.")
    segmenter = load_segmenter(options)
    from tasks.pictures.lettering import Lettering
    from tasks.segmentation.video import segment_video

    lettering = Lettering()
    with progress_bar(f"Segmenting {source.name}", hidden=options.as_json) as show:
        found = segment_video(
            segmenter, source, request, options.output, options.per_frame, show, lettering
        )
    if options.as_json:
        told = {"model": options.model, "threshold": request.threshold, **asdict(found)}
        print(json.dumps(told, ensure_ascii=False, allow_nan=False))
        return
    rows = [
        [
            shorten(tally.prompt),
            f"{tally.frames} of {found.frames}",
            percent(tally.mean_share),
            percent(tally.largest_share),
            "" if tally.largest_at_s is None else f"{tally.largest_at_s:.2f} s",
        ]
        for tally in found.prompts
    ]
    print_columns(HEAD, rows)
    if found.note:
        tell(f"{source}: {found.note}.")
    tell_cut((tally.prompt, tally.cut) for tally in found.prompts)
    tell_missing(lettering)
