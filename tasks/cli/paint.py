"""mcgurk paint."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from tasks.cli.options import AsJson, AudioTrack, Device
from tasks.cli.paint_options import (
    Attributes,
    AudioTextPlace,
    ConditionPlaces,
    Count,
    Edges,
    Enlarge,
    Guidance,
    PainterName,
    Picture,
    Seed,
    SeparatorPlace,
    Size,
    Sources,
    Steps,
)

if TYPE_CHECKING:
    from tasks.audio_to_image.painting.painter import Painted


def paint(
    sound: Annotated[
        Path, typer.Argument(metavar="SOUND", help="A video or sound file, of any length.")
    ],
    output: Picture,
    model: PainterName = "scenes",
    steps: Steps = None,
    guidance: Guidance = None,
    seed: Seed = 0,
    count: Count = 1,
    sources: Sources = None,
    edges: Edges = None,
    attribute: Attributes = None,
    size: Size = None,
    condition: ConditionPlaces = None,
    enlarge: Enlarge = None,
    separator: SeparatorPlace = None,
    audio_text: AudioTextPlace = None,
    audio_track: AudioTrack = None,
    device: Device = "auto",
    as_json: AsJson = False,
) -> None:
    """Paint what is heard: one sound or several at once.

    Edges, attributes and a size can be told beside.
    """
    from modalities.outputs import check_outputs
    from tasks.cli.paint_options import SUFFIXES, check_conditions, check_numbers, check_painter
    from tasks.cli.segment_options import check_suffix
    from tasks.cli.separate_options import check_sound

    card = check_painter(model)
    check_numbers(card, steps, guidance, seed, count, sources, enlarge)
    asked = check_conditions(model, edges, attribute, size, condition)
    check_suffix(output, "a painted picture", SUFFIXES)
    check_sound(sound, audio_track)
    check_outputs([output], [sound, *([edges] if edges else [])], kept=[model, *(condition or [])])
    from tasks.audio_to_image.painting.grid import check_grid, enlargement, save_grid
    from tasks.audio_to_image.painting.painter import Painter
    from tasks.cli.progress import progress_bar

    painter = Painter.load(
        model, device, separator=separator, audio_text=audio_text, conditions=condition or ()
    )
    painted_size = asked.size or painter.size
    painter.denoiser.check_size(*painted_size)
    enlarged = enlarge or enlargement(painted_size)
    check_grid(count, painted_size, enlarged)
    with (
        progress_bar(f"Hearing {sound.name}", as_json) as heard,
        progress_bar("Painting", as_json, "{:.0f} steps".format) as painted,
    ):
        found = painter.paint_file(
            sound,
            count,
            sources,
            seed,
            steps,
            guidance,
            audio_track=audio_track,
            listening=heard,
            progress=painted,
            asked=asked,
        )
    save_grid(found.pictures, output, enlarged)
    told = {"model": model, "sound": str(sound), "file": str(output), "enlarged": enlarged}
    _tell(found, told, as_json)


def _tell(found: "Painted", told: dict[str, Any], as_json: bool) -> None:
    """Print what was painted, and on stderr what is to be known of it."""
    if as_json:
        print(json.dumps(told | describe(found), ensure_ascii=False, allow_nan=False))
        return
    show_heard(found)
    for note in found.heard.notes:
        typer.echo(f"{told['sound']}: {note}.", err=True)


def describe(found: "Painted") -> dict[str, Any]:
    """Return what was painted, as JSON has it."""
    count, height, width, _ = found.pictures.shape
    sources = [{**asdict(one), "painted": found.shows(one)} for one in found.heard.sources]
    return {
        "count": count,
        "size": [height, width],
        "seed": found.seed,
        "steps": found.steps,
        "guidance": found.guidance,
        "attributes": dict(found.attributes),
        "duration_s": found.heard.duration_s,
        "sources": sources,
        "notes": list(found.heard.notes),
    }


def show_heard(found: "Painted") -> None:
    """Print a line for each source that was heard, by rank."""
    from tasks.cli.columns import print_columns
    from tasks.cli.ranked_sources import HEAD, tell_source

    rows = [[*tell_source(one), "yes" if found.shows(one) else "no"] for one in found.heard.sources]
    print_columns((*HEAD, "painted"), rows)
