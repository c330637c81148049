"""mcgurk separate."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tasks.cli.options import AsJson, AudioTrack, Device, with_default
from tasks.cli.separate_options import NO_MODEL, RankedBy, SeparatorName

if TYPE_CHECKING:
    from tasks.audio_to_image.separation.outputs import SeparatedFile


def separate(
    mixture: Annotated[
        Path, typer.Argument(metavar="MIX", help="A video or sound file, of any length.")
    ],
    output: Annotated[
        Path,
        typer.Option(
            "-o",
            "--output",
            metavar="DIR",
            help="New folder: sources by rank as .wav, separation.json, spectrogram.png.",
        ),
    ],
    model: SeparatorName = "scenes",
    label: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME",
            help=with_default("What a source may be called; again for more.", "as in training"),
        ),
    ] = None,
    sources: Annotated[
        int | None,
        typer.Option(
            metavar="N",
            help=with_default("Write the N of highest rank, and all others as rest.wav.", "all"),
        ),
    ] = None,
    audio_text: RankedBy = None,
    audio_track: AudioTrack = None,
    device: Device = "auto",
    as_json: AsJson = False,
) -> None:
    """Take the sounds of a mixture apart, ranked and named."""
    from modalities.outputs import check_outputs
    from modalities.whole_file import check_new_folder
    from tasks.cli.progress import progress_bar
    from tasks.cli.separate_options import check_count, check_labels, check_separator, check_sound

    card = check_separator(model)
    labels = tuple(label or ())
    ranked_by = "" if audio_text == NO_MODEL else audio_text
    check_count(sources, card)
    check_labels(labels, card, ranked_by)
    check_sound(mixture, audio_track)
    check_outputs([], [mixture], [output], [model])
    check_new_folder(output)
    from tasks.audio_to_image.separation.outputs import OutputOptions, separate_file
    from tasks.audio_to_image.separation.separator import Separator

    separator = Separator.load(model, device, ranked_by)
    options = OutputOptions(labels, sources, audio_track)
    with progress_bar(f"Taking {mixture.name} apart", as_json) as show:
        found = separate_file(separator, mixture, output, options, show)
    if as_json:
        told = {"model": model, "folder": str(output), **asdict(found)}
        print(json.dumps(told, ensure_ascii=False, allow_nan=False))
        return
    show_sources(found, output)
    for note in found.notes:
        typer.echo(f"{mixture}: {note}.", err=True)


def show_sources(found: "SeparatedFile", folder: Path) -> None:
    """Print a line for each source, by rank, and one for the rest."""
    from tasks.audio_to_image.separation.outputs import UNNAMED
    from tasks.cli.columns import print_columns
    from tasks.cli.ranked_sources import HEAD, tell_source

    rows = [
        [*tell_source(one, one.name != UNNAMED), str(folder / one.file)] for one in found.sources
    ]
    if found.rest:
        rest = f"{100 * found.rest_share:.1f} %"
        rows.append(["rest", "", "", rest, "", str(folder / found.rest)])
    print_columns((*HEAD, "file"), rows)
