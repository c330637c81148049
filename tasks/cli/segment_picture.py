"""mcgurk segment, of one picture."""

import json
from dataclasses import asdict

from tasks.cli.columns import print_columns
from tasks.cli.segment_options import PNG, SegmentOptions, check_suffix, load_segmenter
from tasks.cli.segment_shown import (
    AREA,
    cells_of,
    tell,
    tell_cut,
    tell_missing,
)


def segment_picture_file(options: SegmentOptions) -> None:
    """Find what is asked in a picture, write what is wanted, and print what was found.

    Raises:
        OSError: A file is not there, or cannot be written.
        ValueError: It is no picture; an output has another suffix, or is an input.
    """
    from data_prep.masks.images import read_image
    from modalities.outputs import check_outputs
    from tasks.pictures.lettering import Lettering
    from tasks.segmentation.overlay import SUFFIXES
    from tasks.segmentation.pictures import Places, number_files, segment_picture

    check_suffix(options.output, "the overlay of a picture", SUFFIXES)
    check_suffix(options.mask, "a mask", (PNG,))
    check_suffix(options.probability, "a file of probabilities", (PNG,))
    many = len(options.request.prompts)
    places = Places(
        options.output,
        () if options.mask is None else number_files(options.mask, many),
        () if options.probability is None else number_files(options.probability, many),
    )
    check_outputs(places.files, [options.source], kept=[options.model])
    image = read_image(options.source, options.request.window)  # a bad one before the model
    segmenter, lettering = load_segmenter(options), Lettering()
    found = segment_picture(segmenter, options.source, image, options.request, places, lettering)
    if options.as_json:
        told = {"model": options.model, "threshold": options.request.threshold, **asdict(found)}
        print(json.dumps(told, ensure_ascii=False, allow_nan=False))
        return
    print_columns(AREA, [cells_of(area) for area in found.prompts])
    if found.note:
        tell(f"{options.source}: {found.note}.")
    tell_cut((area.prompt, area.cut) for area in found.prompts)
    tell_missing(lettering)
