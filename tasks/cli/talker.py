"""The talker out of a mixture, for commands that hear one sound: `--separate`."""

import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated

import typer

from tasks.cli.options import with_default

Separate = Annotated[
    str | None,
    typer.Option(
        metavar="NAME",
        help=with_default(
            "Take the sound apart first, with this separator, and hear the talker alone: what is "
            "named speech, else what ranks first.",
            "as it is",
        ),
    ),
]
Talker = Callable[[Path], Path | None]


@contextmanager
def open_talkers(
    model: str | None, device: str, audio_track: int | None = None, quiet: bool = False
) -> Iterator[Talker]:
    """Load a separator, and give what takes the talker out of a file.

    Args:
        model: The separator, as typed; None where sound is heard as it is.
        device: "auto", "cpu", "cuda" or "mps".
        audio_track: Index of one of several sound tracks of each file.
        quiet: Show no progress, and do not say which source is heard.

    Yields:
        A function from a file to one with the talker alone, on the same clock, which is there
        until the next is asked for; or to None, without a separator and of silence.

    Raises:
        OSError: There is no such separator.
        ValueError: It is damaged.
    """
    if model is None:
        yield lambda source: None
        return
    from tasks.audio_to_image.separation.outputs import OutputOptions, choose_talker, separate_file
    from tasks.audio_to_image.separation.separator import Separator
    from tasks.cli.progress import progress_bar

    separator = Separator.load(model, device)
    options = OutputOptions(audio_track=audio_track, picture=False)
    with TemporaryDirectory(prefix="mcgurk-") as place:

        def take(source: Path) -> Path | None:
            folder = Path(place) / "sources"
            shutil.rmtree(folder, ignore_errors=True)
            with progress_bar(f"Taking {source.name} apart", quiet) as report:
                found = separate_file(separator, source, folder, options, report)
            chosen = choose_talker(found.sources)
            if not chosen.share:
                return None
            if not quiet:
                typer.echo(
                    f"{source}: source {chosen.rank} of {len(found.sources)} is heard, "
                    f"{chosen.name}, {100 * chosen.share:.0f} % of the energy.",
                    err=True,
                )
            return folder / chosen.file

        yield take
