"""The commands of the mcgurk program."""

from typing import Annotated

import typer

from tasks.cli.answer import answer
from tasks.cli.caption import caption
from tasks.cli.classify import classify
from tasks.cli.crop import crop
from tasks.cli.evaluate import evaluate
from tasks.cli.methods import methods
from tasks.cli.mix import mix
from tasks.cli.paint import paint
from tasks.cli.plain_command import PlainCommand
from tasks.cli.prepare import prepare
from tasks.cli.probe import probe
from tasks.cli.segment import segment
from tasks.cli.separate import separate
from tasks.cli.serve import serve
from tasks.cli.sets import app as sets
from tasks.cli.train import train
from tasks.cli.transcribe import transcribe

# Help is plain text: rich takes [names] for colours, and longer to load than all else here.
app = typer.Typer(
    help="Audio, vision and speech on frozen models, bridged by small adapters.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
COMMANDS = (
    *(transcribe, crop, probe, prepare, mix, methods),
    *(train, evaluate, classify, segment, answer, caption, separate, paint, serve),
)
for command in COMMANDS:
    app.command(cls=PlainCommand)(command)
app.add_typer(sets, name="sets", no_args_is_help=True)


def show_version(wanted: bool) -> None:
    """Print name and version, and end the program."""
    if wanted:
        from importlib.metadata import version

        print(f"mcgurk {version('mcgurk')}")
        raise typer.Exit


@app.callback()
def options(
    version: Annotated[
        bool,
        typer.Option(
            "--version", help="Show the version and exit.", callback=show_version, is_eager=True
        ),
    ] = False,
) -> None:
    """Take the options that stand before a command."""
