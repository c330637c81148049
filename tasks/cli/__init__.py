"""The commands of the mcgurk program."""

import typer

from tasks.cli.classify import classify
from tasks.cli.crop import crop
from tasks.cli.evaluate import evaluate
from tasks.cli.methods import methods
from tasks.cli.mix import mix
from tasks.cli.prepare import prepare
from tasks.cli.probe import probe
from tasks.cli.sets import app as sets
from tasks.cli.train import train
from tasks.cli.transcribe import transcribe

app = typer.Typer(
    help="Speech recognition that watches the mouth.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
for command in (transcribe, crop, probe, prepare, mix, methods, train, evaluate, classify):
    app.command()(command)
app.add_typer(sets, name="sets", no_args_is_help=True)
