"""mcgurk caption."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tasks.cli.answer_options import AnswererName
from tasks.cli.options import AsJson, Device, with_default

if TYPE_CHECKING:
    from tasks.vision_language.answerer import Answerer
    from tasks.vision_language.config import WritingOptions

AT_ONCE = 16  # pictures


def caption(
    source: Annotated[
        Path, typer.Argument(metavar="FILE", help="A picture, or a folder of pictures.")
    ],
    output: Annotated[
        Path | None,
        typer.Option("-o", "--output", help="Write a line of JSON for each picture, .jsonl."),
    ] = None,
    beams: Annotated[
        int | None, typer.Option(help=with_default("Width of the search.", "as it was scored"))
    ] = None,
    longest: Annotated[
        int | None,
        typer.Option(
            help=with_default("Tokens of a caption at most, 3 or more.", "as it was scored")
        ),
    ] = None,
    model: AnswererName = "scenes",
    device: Device = "auto",
    as_json: AsJson = False,
) -> None:
    """Describe pictures, a sentence each.

    Of a folder, a line of JSON for each picture; what cannot be read is told, and the rest is done.
    """
    from tasks.cli.answer_options import check_answerer
    from tasks.vision_language.config import WritingOptions

    for name, value, least in (("--beams", beams, 1), ("--longest", longest, 3)):
        if value is not None and value < least:
            raise ValueError(f"{name} is {value}; expected {least} or more.")
    check_answerer(model)
    pictures = check_pictures(source, output)
    from tasks.vision_language.answerer import Answerer

    answerer = Answerer.load(model, device)
    trained = WritingOptions(**answerer.card.writing)
    writing = WritingOptions(beams or trained.beams, longest or trained.longest)
    if source.is_dir() or output is not None:
        caption_all(answerer, source, pictures, writing, output, as_json)
        return
    [text] = answerer.caption(pictures, writing)
    print(json.dumps({"picture": str(source), "caption": text}) if as_json else text)


def check_pictures(source: Path, output: Path | None) -> list[Path]:
    """Find the pictures, before a model is loaded.

    Raises:
        OSError: It is not there, or the output cannot be written.
        ValueError: There are no pictures, the one is none, or the output is one of them.
    """
    from data_prep.masks.images import read_image
    from modalities.outputs import check_outputs
    from tasks.cli.folders import find_pictures

    if source.is_dir():
        pictures = find_pictures(source)
    else:
        read_image(source)
        pictures = [source]
    if output is not None:
        check_outputs([output], pictures)
    return pictures


def caption_all(
    answerer: "Answerer",
    source: Path,
    pictures: list[Path],
    writing: "WritingOptions",
    output: Path | None,
    as_json: bool,
) -> None:
    """Describe pictures one after the other; write or print a line of JSON for each.

    Raises:
        OSError: The output cannot be written.
        ValueError: No picture can be read.
    """
    from modalities.printable import printable
    from tasks.cli.failures import refuse_nothing, tell_some
    from tasks.cli.progress import progress_bar
    from tasks.reports import write_text

    lines, failed = [], {}
    with progress_bar(f"Describing {source}", as_json, "{:.0f}".format) as show:
        for start in range(0, len(pictures), AT_ONCE):
            some = pictures[start : start + AT_ONCE]
            for path, said in caption_some(answerer, some, writing, failed):
                line = json.dumps({"picture": str(path), "caption": said}, ensure_ascii=False)
                lines.append(printable(line))
                if output is None:
                    print(lines[-1])
            show(min(start + AT_ONCE, len(pictures)), len(pictures))
    refuse_nothing(len(lines), failed, None, "pictures")
    if output is not None:
        write_text(output, "\n".join(lines))
        told = {"output": str(output), "pictures": len(lines), "failed": failed}
        print(json.dumps(told) if as_json else f"{output}: {len(lines)} pictures.")
    if failed and not as_json:
        typer.echo(f"{len(failed)} could not be read.", err=True)
        typer.echo(tell_some(failed), err=True)


def caption_some(
    answerer: "Answerer", some: list[Path], writing: "WritingOptions", failed: dict[str, str]
) -> list[tuple[Path, str]]:
    """Describe pictures together; those that cannot be read are put into `failed` with why."""
    from data_prep.masks.images import read_image

    good = []
    for path in some:
        try:
            read_image(path)
            good.append(path)
        except (OSError, ValueError) as error:
            failed[str(path)] = str(error)
    return list(zip(good, answerer.caption(good, writing), strict=True)) if good else []
