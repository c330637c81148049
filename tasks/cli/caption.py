"""mcgurk caption."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from tasks.cli.answer_options import AnswererName
from tasks.cli.options import AsJson, Device, with_default

if TYPE_CHECKING:
    from tasks.vision_language.answerer import Answerer
    from tasks.vision_language.config import WritingOptions

AT_ONCE = 16  # pictures


def caption(
    source: Annotated[
        Path,
        typer.Argument(
            metavar="FILE",
            help="A picture, or a folder of pictures; a sound for a model of sounds.",
        ),
    ],
    output: Annotated[
        Path | None,
        typer.Option("-o", "--output", help="Write a line of JSON for each picture, .jsonl."),
    ] = None,
    beams: Annotated[
        int | None,
        typer.Option(help=with_default("Width of the search, 1 to 100.", "as it was scored")),
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
    from tasks.vision_language.config import MOST_BEAMS, WritingOptions

    if beams is not None and not 1 <= beams <= MOST_BEAMS:
        raise ValueError(f"--beams is {beams}; expected 1 to {MOST_BEAMS}.")
    if longest is not None and longest < 3:
        raise ValueError(f"--longest is {longest}; expected 3 or more.")
    images = check_answerer(model)
    pictures = check_pictures(source, output, images)
    from tasks.vision_language.answerer import Answerer

    answerer = Answerer.load(model, device)
    trained = WritingOptions(**answerer.card.writing)
    writing = WritingOptions(beams or trained.beams, longest or trained.longest)
    if source.is_dir() or output is not None:
        caption_all(answerer, source, pictures, writing, output, as_json)
        return
    [text] = answerer.caption(pictures, writing)
    print(line_of(source, text) if as_json else text or "(nothing)")


def check_pictures(source: Path, output: Path | None, images: str) -> list[Path]:
    """Find the pictures, before a model is loaded.

    Args:
        source: A file, or a folder of pictures.
        output: To write, or None.
        images: Name of what sees or hears them.

    Raises:
        OSError: It is not there, or the output cannot be written.
        ValueError: There are no pictures, the one is none, the model takes something else, or the
            output is one of them, or named like one.
    """
    from data_prep.masks.images import PICTURES
    from modalities.outputs import check_outputs
    from tasks.cli.answer_options import check_source
    from tasks.cli.folders import find_pictures
    from tasks.vision_language.card import FRAMES, SOUND

    if output is not None and output.suffix.lower() in PICTURES:
        raise ValueError(
            f"The output {output} is named as a picture is; expected a name in .jsonl."
        )
    if source.is_dir():
        if images == FRAMES or images.startswith(SOUND):
            raise ValueError(
                f"{source} is a folder, and the model takes {images} in the place of pictures; "
                "expected one file. Describe them one by one."
            )
        pictures = find_pictures(source)
    else:
        check_source(source, images, quiet=output is not None)
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
    from tasks.cli.failures import refuse_nothing, tell_notes, tell_some
    from tasks.cli.progress import progress_bar
    from tasks.reports import write_text

    lines, failed, noted = [], {}, {}
    with (
        _kept_when_interrupted(lines, output),
        progress_bar(f"Describing {source}", as_json, "{:.0f}".format) as show,
    ):
        for start in range(0, len(pictures), AT_ONCE):
            some = pictures[start : start + AT_ONCE]
            for path, said in caption_some(answerer, some, writing, failed, noted):
                lines.append(line_of(path, said))
                if output is None:
                    print(lines[-1])
            show(min(start + AT_ONCE, len(pictures)), len(pictures))
    refuse_nothing(len(lines), failed, None, "pictures")
    if output is not None:
        write_text(output, "\n".join(lines))
        told = {"output": str(output), "pictures": len(lines), "failed": failed}
        print(_json(told) if as_json else f"{output}: {len(lines)} pictures.")
    for line in tell_notes(noted):
        typer.echo(line, err=True)
    if failed and (output is None or not as_json):  # else it is among what was printed
        typer.echo(f"{len(failed)} could not be read.", err=True)
        typer.echo(tell_some(failed), err=True)


def line_of(path: Path, said: str) -> str:
    """Return a picture and its caption as a line of JSON."""
    return _json({"picture": str(path), "caption": said})


def _json(told: dict[str, Any]) -> str:
    """Return a line of JSON with letters as they are, but for those that are no Unicode."""
    from modalities.printable import printable

    return printable(json.dumps(told, ensure_ascii=False))


@contextmanager
def _kept_when_interrupted(lines: list[str], output: Path | None) -> Iterator[None]:
    """Write the lines that there are when the program is stopped, unless a file is there."""
    from tasks.reports import write_text

    try:
        yield
    except (KeyboardInterrupt, SystemExit):
        if lines and output is not None and not output.exists():
            write_text(output, "\n".join(lines))
        raise


def caption_some(
    answerer: "Answerer",
    some: list[Path],
    writing: "WritingOptions",
    failed: dict[str, str],
    noted: dict[str, str],
) -> list[tuple[Path, str]]:
    """Describe files together.

    Args:
        answerer: Describes them.
        some: Files.
        writing: How.
        failed: Gets those that cannot be read, with why.
        noted: Gets those of which not all is shown, with what is.
    """
    from tasks.vision_language.sources import check_file

    good = []
    for path in some:
        try:
            if note := check_file(path, answerer.card.images):
                noted[str(path)] = note
            good.append(path)
        except (OSError, ValueError) as error:
            failed[str(path)] = str(error)
    return list(zip(good, answerer.caption(good, writing), strict=True)) if good else []
