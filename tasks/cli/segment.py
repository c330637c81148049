"""mcgurk segment."""

from pathlib import Path
from typing import Annotated

import typer

from tasks.cli.options import AsJson, Device, with_default


def segment(
    source: Annotated[
        Path, typer.Argument(metavar="FILE", help="A picture, a folder of pictures, or a video.")
    ],
    prompts: Annotated[
        list[str],
        typer.Argument(metavar="PROMPT", help="What to find, as 'tumor in the breast'."),
    ],
    output: Annotated[
        Path | None,
        typer.Option(
            "-o",
            "--output",
            help="Write the picture with outlines (.png, .jpg), or video (.mp4); of a folder, one.",
        ),
    ] = None,
    mask: Annotated[
        Path | None,
        typer.Option(
            help="Write masks, 8-bit .png of 0 and 255; of several prompts NAME_1.png, NAME_2.png."
        ),
    ] = None,
    probability: Annotated[
        Path | None,
        typer.Option(help="Write probabilities, 16-bit .png, 65535 where it is 1; as --mask."),
    ] = None,
    per_frame: Annotated[
        Path | None,
        typer.Option(help="Write what is found in each frame of a video, a line of JSON each."),
    ] = None,
    model: Annotated[
        str, typer.Option(help="Name, folder or hub id of a CLIPSeg, or a folder from training.")
    ] = "scenes",
    threshold: Annotated[
        float, typer.Option(help="Probability above which a pixel belongs to it.")
    ] = 0.5,
    window: Annotated[
        str | None,
        typer.Option(
            metavar="CENTRE,WIDTH",
            help=with_default("Values to show of pictures deeper than 8 bits.", "the file's own"),
        ),
    ] = None,
    device: Device = "auto",
    as_json: AsJson = False,
) -> None:
    """Find what sentences name in pictures or videos.

    Of a folder, -o, --mask and --probability are folders, with a NAME.png for each picture; what
    cannot be read is told, and the rest is done.
    """
    from tasks.cli.segment_options import SegmentOptions, check_model, check_prompts, parse_window
    from tasks.segmentation.request import Request

    asked = tuple(prompts)
    request = Request(asked, threshold, parse_window(window) if window else None)
    check_prompts(asked)
    check_model(model)
    options = SegmentOptions(
        source, request, output, mask, probability, per_frame, model, device, as_json
    )
    if is_video(source):
        from tasks.cli.segment_video import segment_video_file

        segment_video_file(options)
        return
    if per_frame is not None:
        raise ValueError(f"--per-frame is for videos, and {source} is none; leave it out.")
    if source.is_dir():
        from tasks.cli.segment_folder import segment_folder

        segment_folder(options)
    else:
        from tasks.cli.segment_picture import segment_picture_file

        segment_picture_file(options)


def is_video(source: Path) -> bool:
    """Say whether a file is taken for media, by its suffix; all else is taken for a picture."""
    from data_prep.media.files import MEDIA

    return source.suffix.lower() in MEDIA and not source.is_dir()
