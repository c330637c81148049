"""mcgurk segment, of a folder of pictures."""

import json
from contextlib import ExitStack
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from tasks.cli.columns import print_columns
from tasks.cli.segment_options import SegmentOptions, load_segmenter
from tasks.cli.segment_shown import (
    AREA,
    cells_of,
    shorten,
    tell,
    tell_cut,
    tell_missing,
)
from tasks.segmentation.areas import percent

if TYPE_CHECKING:
    from tasks.segmentation.pictures import PictureAreas, Places

SEGMENTS = "segments.jsonl"
SUMMARY = ("prompt", "found in", "share where found")


def segment_folder(options: SegmentOptions) -> None:
    """Find what is asked in all pictures of a folder, and print what was found.

    Pictures that cannot be read are told and left out, as `mcgurk prepare` does.

    Raises:
        OSError: A file is not there, or cannot be written.
        ValueError: There are no pictures, or none can be read; an output is an input.
    """
    from data_prep.workers.resume import FAILED, write_failed
    from modalities.printable import printable
    from modalities.whole_file import replace_when_whole
    from tasks.cli.failures import refuse_nothing
    from tasks.cli.progress import progress_bar
    from tasks.cli.run_folder import run_folder
    from tasks.pictures.lettering import Lettering
    from tasks.segmentation.pictures import segment_pictures

    pictures, output = plan(options), options.output
    segmenter, lettering = load_segmenter(options), Lettering()
    found: list[PictureAreas] = []
    with ExitStack() as stack:
        asked = {"pictures": str(options.source), "prompts": list(options.request.prompts)}
        for folder in (output, options.probability):  # masks may be data of a later `prepare`
            if folder is not None:
                stack.enter_context(run_folder(folder, folder, asked))
        bar = progress_bar(f"Segmenting {options.source}", options.as_json, "{:.0f}".format)
        with bar as show:
            failed = segment_pictures(
                segmenter, pictures, options.request, found.append, show, lettering
            )
        if output is not None:
            with replace_when_whole(output / SEGMENTS) as partial:
                lines = (json.dumps(asdict(one), ensure_ascii=False) for one in found)
                text = "".join(f"{printable(line)}\n" for line in lines)
                partial.write_text(text, encoding="utf-8")
            write_failed(output / FAILED, failed)
    refuse_nothing(len(found), failed, output and output / FAILED, "pictures")
    if options.as_json:
        told = {"model": options.model, "threshold": options.request.threshold}
        told |= {"pictures": [asdict(one) for one in found], "failed": failed}
        print(json.dumps(told, ensure_ascii=False, allow_nan=False))
        return
    _show(options, found, failed)
    tell_missing(lettering)


def plan(options: SegmentOptions) -> "dict[Path, Places]":
    """Find the pictures and choose what is written for each.

    What lies in an output folder, or in one that an earlier call marked, is none of them.

    Raises:
        OSError: A folder cannot be written.
        ValueError: There are no pictures; an output is the folder itself or one of its pictures.
    """
    from data_prep.masks.images import PICTURES
    from data_prep.media.files import VIDEOS
    from data_prep.workers.resume import check_manifest_folder
    from modalities.outputs import check_output_folder, check_outputs
    from tasks.cli.folders import find_pictures
    from tasks.segmentation.pictures import place_all

    source = options.source
    for folder in options.folders:
        if folder.suffix.lower() in PICTURES | VIDEOS:
            raise ValueError(
                f"Cannot write {folder}: {source} is a folder, and each picture in it gets a file "
                "of its own; expected a folder."
            )
        if folder.resolve() == source.resolve():
            raise ValueError(f"The output {folder} is the input itself. Give it another name.")
        check_output_folder(folder)
    if options.output is not None:
        check_manifest_folder(options.output / SEGMENTS)
    pictures = find_pictures(source, options.folders)
    many = len(options.request.prompts)
    places = place_all(source, pictures, many, options.output, options.mask, options.probability)
    written = [file for one in places.values() for file in one.files]
    check_outputs(written, pictures, kept=[options.model])
    return places


def _show(options: SegmentOptions, found: "list[PictureAreas]", failed: dict[str, str]) -> None:
    """Print rows where nothing is written, else a summary, and notes."""
    from data_prep.workers.resume import FAILED
    from tasks.cli.failures import tell_notes, tell_some

    if options.output is None:
        rows = [[one.picture, *cells_of(area)] for one in found for area in one.prompts]
        print_columns(("picture", *AREA), rows)
    else:
        print(f"{options.output / SEGMENTS}: {len(found)} pictures.")
        print_columns(SUMMARY, _sum_up(found))
    for line in tell_notes({one.picture: one.note for one in found}):
        tell(line)
    tell_cut((area.prompt, area.cut) for area in found[0].prompts)
    if failed:
        where = f"; {options.output / FAILED} says why" if options.output else ""
        tell(f"{len(failed)} could not be read{where}.")
        tell(tell_some(failed))


def _sum_up(found: "list[PictureAreas]") -> list[list[str]]:
    lines = []
    for areas in zip(*(one.prompts for one in found), strict=True):
        shares = [area.share for area in areas if area.area_px]
        mean = percent(sum(shares) / len(shares)) if shares else ""
        lines.append([shorten(areas[0].prompt), f"{len(shares)} of {len(areas)}", mean])
    return lines
