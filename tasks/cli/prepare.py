"""mcgurk prepare."""

from pathlib import Path
from typing import Annotated

import typer

from tasks.cli.options import AsJson, AudioTrack, Processes, with_default
from tasks.cli.prepare_kinds import choose_kind, list_names
from tasks.cli.prepare_options import PrepareOptions


def prepare(
    name: Annotated[str, typer.Argument(metavar="NAME", help=list_names())],
    source: Annotated[
        Path, typer.Argument(metavar="SOURCE", help="Folder of the raw data set, or file of cuts.")
    ],
    output: Annotated[
        Path,
        typer.Option(
            "-o", "--output", help="Folder to write: manifest.jsonl, and of clips mouths/."
        ),
    ],
    audio_track: AudioTrack = None,
    processes: Processes = None,
    ray: Annotated[
        str | None,
        typer.Option(
            metavar="ADDRESS",
            help="Clips: work on a Ray cluster, HOST:PORT or auto; local starts one on this "
            "machine.",
        ),
    ] = None,
    to_cuts: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Clips: write lhotse's cuts too, .jsonl or .jsonl.gz."),
    ] = None,
    label: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME",
            help=with_default(
                "Masks: what they show, as polyp; or for each class in them its value, as 1=polyp.",
                "what the data set is of, or the folder's name",
            ),
        ),
    ] = None,
    clean_splits: Annotated[
        bool,
        typer.Option(
            "--clean-splits",
            help="Masks: leave out pictures of train that come twice or are in validation or "
            "test, too, and those of validation that are in test.",
        ),
    ] = False,
    seed: Annotated[
        int | None,
        typer.Option(
            help=with_default("Masks: another one draws other folds, where none are given.", "0")
        ),
    ] = None,
    images: Annotated[
        Path | None,
        typer.Option(
            metavar="FOLDER",
            help=with_default(
                "Questions: where images are, or features of videos.", "somewhere in SOURCE"
            ),
        ),
    ] = None,
    skip_missing: Annotated[
        bool,
        typer.Option(
            "--skip-missing",
            help="Questions, mixtures: leave out those whose files are missing, rather than end; "
            "failed.jsonl lists them.",
        ),
    ] = False,
    media: Annotated[
        Path | None,
        typer.Option(
            metavar="FOLDER",
            help=with_default(
                "Mixtures: where recordings and pictures are.", "somewhere in SOURCE"
            ),
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Turn raw clips, masks, questions or mixtures into a manifest.

    Of clips it goes on where it was interrupted. Of pictures and masks all are read, and repeats
    among train, validation and test are told. Questions and captions keep their images, or the
    features of their videos, where these are; so do recordings in which several things sound, with
    the time at which most of what is heard is seen.
    """
    own = {
        "clips": {"audio_track": audio_track, "ray": ray, "to_cuts": to_cuts},
        "masks": {"label": label, "clean_splits": clean_splits, "seed": seed},
        "questions": {"images": images, "skip_missing": skip_missing},
        "mixtures": {"media": media, "skip_missing": skip_missing},
    }
    options = PrepareOptions(name, source, output, processes, as_json, own)
    choose_kind(options).prepare(options)
