"""What `mcgurk evaluate` can be told: options of each evaluation, which refuse those of others."""

from pathlib import Path
from typing import Annotated

import typer

Target = Annotated[
    Path,
    typer.Argument(
        help="Folder of clips, prepared or raw; of a trained classifier; or an evaluation in "
        "YAML, as in configs/."
    ),
]
Changes = Annotated[list[str] | None, typer.Argument(help="Entries to set anew, as batch=8.")]
Model = Annotated[
    str | None,
    typer.Option(help="Frozen model of clips; another place of a classifier's own."),
]
Sets = Annotated[str | None, typer.Option(help="Clips: adapter sets.", show_default="none")]
Noise = Annotated[
    Path | None, typer.Option(help="Clips: folder with music, natural and voices in it.")
]
Category = Annotated[
    list[str] | None,
    typer.Option(
        help="Clips: babble, sidespeaker, music or natural; again for more.",
        show_default="those with recordings",
    ),
]
Snr = Annotated[
    list[float] | None,
    typer.Option(help="Clips: decibels; again for more.", show_default="-10 -5 0 5 10"),
]
VoicesFromClips = Annotated[
    bool | None,
    typer.Option(
        help="Clips: babble of the other clips.",
        show_default="where the folder has no voices",
    ),
]
Seed = Annotated[
    int | None, typer.Option(help="Clips: of noise, faces and intervals.", show_default="0")
]
Normaliser = Annotated[
    str | None,
    typer.Option(help="Clips: whisper, lower, split or grid.", show_default="by the transcripts"),
]
Clips = Annotated[
    int | None, typer.Option(help="How many clips, drawn by the seed.", show_default="all")
]
Sounds = Annotated[
    Path | None,
    typer.Option(
        help="Classifier: folder of classes, or .csv of path and label.",
        show_default="its own data",
    ),
]
Part = Annotated[
    str | None,
    typer.Option(
        help="Classifier: train, validation, test or all.",
        show_default="test; all of --sounds",
    ),
]
SkipBad = Annotated[
    bool | None,
    typer.Option("--skip-bad", help="Classifier: leave out sounds that cannot be used."),
]
Device = Annotated[str | None, typer.Option(help="auto, cpu, cuda or mps.", show_default="auto")]
Processes = Annotated[
    int | None,
    typer.Option(
        help="Clips: that recognise, one core each and each with the model.", show_default="1"
    ),
]
Output = Annotated[
    Path | None,
    typer.Option("--output", "-o", help="Folder.", show_default="build/evaluation/ and name"),
]
