"""mcgurk classify."""

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tasks.cli.options import AsJson, AudioTrack, Device, with_default
from tasks.cli.talker import Separate, open_talkers

if TYPE_CHECKING:
    from tasks.audio_classification import Classification

TRAINED = Path("build/audio_classification")


def classify(
    clips: Annotated[list[Path], typer.Argument(metavar="CLIP", help="Sounds, or videos.")],
    sets: Annotated[
        str, typer.Option(help=f"Folder that training wrote, or its name in {TRAINED}.")
    ],
    top: Annotated[int, typer.Option(help="How many classes are told.")] = 3,
    windows: Annotated[
        bool, typer.Option("--windows", help="Tell the classes of each window.")
    ] = False,
    model: Annotated[
        str | None,
        typer.Option(help=with_default("Frozen model.", "the one that it was trained on")),
    ] = None,
    skip_bad: Annotated[
        bool, typer.Option("--skip-bad", help="Go on after clips that cannot be used.")
    ] = False,
    audio_track: AudioTrack = None,
    separate: Separate = None,
    device: Device = "auto",
    as_json: AsJson = False,
) -> None:
    """Tell what is heard in clips, with a trained classifier."""
    from tasks.cli.separate_options import check_separator

    folder = find_set(sets)
    if not skip_bad:
        check_clips(clips, audio_track)
    if separate is not None:
        check_separator(separate)
    from tasks.audio_classification import SoundClassifier

    classifier = SoundClassifier(folder, model, device)
    found: list[dict[str, object]] = []
    with open_talkers(separate, device, audio_track, as_json) as find_talker:
        for clip in clips:
            try:
                talker = find_talker(clip)
                track = audio_track if talker is None else None
                heard = classifier.classify(talker or clip, top, audio_track=track)
            except (ValueError, OSError) as error:
                if not skip_bad:
                    raise
                typer.echo(f"mcgurk: left out: {error}", err=True)
                continue
            if as_json:
                found.append({"clip": str(clip), **asdict(heard)})
            else:
                show_classes(clip, heard, windows, audio_track)
    if as_json:
        print(json.dumps({"clips": found}, ensure_ascii=False))


def find_set(name: str) -> Path:
    """Return the folder of a classifier.

    Raises:
        FileNotFoundError: There is none of that name, or it is not whole.
        ValueError: It is damaged.
    """
    from modalities.empty_name import refuse_empty_name
    from tasks.audio_classification.card import CARD, read_card
    from tasks.cards import list_in

    refuse_empty_name(name, "set")
    for folder in (Path(name), TRAINED / name):
        if folder.is_dir():
            read_card(folder)
            return folder
    known = list_in(TRAINED, CARD)
    raise FileNotFoundError(
        f"There is no set {name!r}; expected a folder that `mcgurk train` wrote, or one of these "
        f"in {TRAINED}: {', '.join(known) or 'none yet'}."
    )


def check_clips(clips: Sequence[Path], audio_track: int | None = None) -> None:
    """Look at clips before a model is loaded.

    Raises:
        FileNotFoundError: One is not there.
        ValueError: One is no media, or has no such sound track.
    """
    from data_prep.media import probe, stream_audio

    for clip in clips:
        probe(clip, measure=False)
        if audio_track is not None:
            stream_audio(clip, audio_track=audio_track)


def show_classes(
    clip: Path, heard: "Classification", windows: bool, audio_track: int | None
) -> None:
    """Print what was heard in a clip, and which of several sound tracks that is."""
    from data_prep.media import describe_choice

    print_classes(clip, heard, windows)
    if note := describe_choice(clip, audio_track):
        typer.echo(f"{clip}: sound {note}.", err=True)


def print_classes(clip: Path, heard: "Classification", windows: bool) -> None:
    """Print a line for the clip, and one for each window where that is wanted."""
    guesses = "  ".join(f"{g.label} {100 * g.probability:.1f} %" for g in heard.whole.guesses)
    print(f"{clip}: {guesses}")
    for window in heard.windows if windows else ():
        guesses = "  ".join(f"{g.label} {100 * g.probability:.1f} %" for g in window.guesses)
        print(f"  {window.start_s:7.2f} to {window.end_s:7.2f} s: {guesses}")
