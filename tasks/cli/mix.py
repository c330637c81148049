"""mcgurk mix."""

import json
from pathlib import Path
from typing import Annotated

import typer

from tasks.cli.options import AsJson, AudioTrack, Processes, with_default


def mix(
    prepared: Annotated[
        Path, typer.Argument(metavar="PREPARED", help="Folder that mcgurk prepare wrote.")
    ],
    output: Annotated[
        Path,
        typer.Option("-o", "--output", help="Folder to write: manifest.jsonl, perhaps audio/."),
    ],
    category: Annotated[
        list[str],
        typer.Option(
            metavar="KIND",
            help="Kind of noise, babble, sidespeaker, music or natural; again for more.",
        ),
    ],
    snr: Annotated[
        list[float],
        typer.Option(metavar="DB", help="Signal-to-noise ratio, decibels; again for more."),
    ],
    noise: Annotated[
        Path | None,
        typer.Option(help="Folder with recordings in folders music, natural (noise), voices."),
    ] = None,
    recipe: Annotated[
        str, typer.Option(help="How power is measured: rms, or active, which leaves out pauses.")
    ] = "rms",
    rooms: Annotated[
        Path | None,
        typer.Option(help=with_default("Folder of rooms' impulse responses.", "no room")),
    ] = None,
    seed: Annotated[int, typer.Option(help="Another one gives other noise.")] = 0,
    voices: Annotated[int, typer.Option(help="How many speak at once in babble.")] = 6,
    voices_from_clips: Annotated[
        bool,
        typer.Option("--voices-from-clips", help="The other clips are voices, never a clip's own."),
    ] = False,
    split: Annotated[
        Path | None, typer.Option(help='Take a part of the clips: JSON, {"test": [names]}.')
    ] = None,
    part: Annotated[
        str, typer.Option(help="Part of the clips that --split lists, by its name there.")
    ] = "test",
    write_audio: Annotated[
        bool, typer.Option("--write-audio", help="Write each mixture as a .wav, 16 bit.")
    ] = False,
    audio_track: AudioTrack = None,
    processes: Processes = None,
    as_json: AsJson = False,
) -> None:
    """Mix prepared clips with noise at exact ratios.

    It goes on where it was interrupted.
    """
    from data_prep.clips.splits import read_split
    from data_prep.noise.noisy_manifest import MANIFEST, MixOptions, mix_manifest
    from data_prep.workers.resume import FAILED
    from tasks.cli.failures import refuse_nothing, tell_some
    from tasks.cli.progress import progress_bar

    options = MixOptions(
        tuple(category), tuple(snr), recipe, seed, voices, voices_from_clips, write_audio
    )
    names = read_split(split, part) if split else None
    with progress_bar("Mixing clips", as_json, "{:.0f}".format) as show:
        done = mix_manifest(
            prepared, output, options, noise, rooms, names, processes, show, audio_track
        )
    refuse_nothing(done.mixtures, done.failed, output / FAILED)
    if as_json:
        print(json.dumps({"mixtures": done.mixtures, "new": done.new, "failed": done.failed}))
        return
    print(f"{output / MANIFEST}: {done.mixtures} mixtures, {done.new} of them new.")
    if done.failed:
        print(f"{len(done.failed)} could not be mixed; {output / FAILED} says why.")
        print(tell_some(done.failed))
