"""What `mcgurk evaluate` can be told: options of each evaluation, which refuse those of others."""

from pathlib import Path
from typing import Annotated

import typer

from tasks.cli.options import with_default

Target = Annotated[
    Path,
    typer.Argument(
        metavar="TARGET",
        help="Folder of clips, prepared or raw; of a trained classifier or segmenter; or an "
        "evaluation in YAML, as in configs/.",
    ),
]
Changes = Annotated[
    list[str] | None, typer.Argument(metavar="CHANGES", help="Entries to set anew, as batch=8.")
]
Model = Annotated[
    str | None,
    typer.Option(help="Clips: frozen model. Classifier: another place of the one it learnt on."),
]
Sets = Annotated[str | None, typer.Option(help=with_default("Clips: adapter sets.", "none"))]
Noise = Annotated[
    Path | None, typer.Option(help="Clips: folder with music, natural and voices in it.")
]
Category = Annotated[
    list[str] | None,
    typer.Option(
        metavar="KIND",
        help=with_default(
            "Clips: kind of noise, babble, sidespeaker, music or natural; again for more.",
            "those with recordings",
        ),
    ),
]
Snr = Annotated[
    list[float] | None,
    typer.Option(
        metavar="DB",
        help=with_default(
            "Clips: signal-to-noise ratio, decibels; again for more.", "-10 -5 0 5 10"
        ),
    ),
]
VoicesFromClips = Annotated[
    bool | None,
    typer.Option(
        help=with_default(
            "Clips: take the other clips as the voices of babble.", "where the folder has no voices"
        )
    ),
]
Seed = Annotated[
    int | None,
    typer.Option(
        help=with_default(
            "Clips: draws noise, faces and intervals. Segmenter: draws prompts. Painter: draws "
            "clips and noise. Another one draws others.",
            "0",
        )
    ),
]
Normaliser = Annotated[
    str | None,
    typer.Option(
        help=with_default(
            "Clips: how texts are compared: whisper, basic, lower, split or grid.",
            "by the transcripts",
        )
    ),
]
Clips = Annotated[
    int | None,
    typer.Option(help=with_default("Clips, painter: how many, drawn by the seed.", "all")),
]
Sounds = Annotated[
    Path | None,
    typer.Option(
        help=with_default(
            "Classifier: sounds, a folder of classes or a .csv of path and label.", "its own data"
        )
    ),
]
Masks = Annotated[
    Path | None,
    typer.Option(
        metavar="MANIFEST",
        help="Segmenter: images with masks, as `mcgurk prepare` writes them; a published data set "
        "is named by data.dataset=NAME data.folder=FOLDER instead.",
    ),
]
Questions = Annotated[
    Path | None,
    typer.Option(
        metavar="MANIFEST",
        help=with_default(
            "Answerer: questions and captions, as `mcgurk prepare` writes them.",
            "those it was tested with",
        ),
    ),
]
Part = Annotated[
    str | None,
    typer.Option(
        help=with_default(
            "All but clips: which sounds, images, questions or mixtures: train, validation, test "
            "or all.",
            "test; all of --sounds, and where nothing is parted",
        )
    ),
]
SkipBad = Annotated[
    bool | None,
    typer.Option(
        "--skip-bad",
        help="All but clips: leave out sounds, images and masks that cannot be used.",
    ),
]
Device = Annotated[str | None, typer.Option(help=with_default("auto, cpu, cuda or mps.", "auto"))]
Processes = Annotated[
    int | None,
    typer.Option(
        help=with_default("Clips: processes that recognise at once, a core and a model each.", "1")
    ),
]
Output = Annotated[
    Path | None,
    typer.Option(
        "--output", "-o", help=with_default("Folder to write.", "build/evaluation/ and name")
    ),
]
