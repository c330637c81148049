"""mcgurk sets."""

import json
import shlex
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from tasks.cli.enrolled import describe_talker
from tasks.cli.options import AsJson, Device, Processes
from tasks.cli.plain_command import PlainCommand

if TYPE_CHECKING:
    from rich.table import Table

    from tasks.avsr.sets.collection import Collection

app = typer.Typer(
    help="Adapter sets: what there is, and taking them elsewhere.", rich_markup_mode=None
)
Name = Annotated[
    str, typer.Argument(metavar="NAME", help="A collection: a name that list shows, or a folder.")
]
SetName = Annotated[str, typer.Argument(metavar="SET", help="A set of it.")]
Output = Annotated[Path, typer.Option("-o", "--output", help="Folder to write; new or empty.")]


@app.command("list", cls=PlainCommand)
def list_sets(as_json: AsJson = False) -> None:
    """List the collections that come with mcgurk."""
    from tasks.avsr.sets.collection import list_collections, read_collection

    found = {name: read_collection(folder) for name, folder in list_collections().items()}
    if as_json:
        print(json.dumps({name: asdict(c) for name, c in found.items()}, ensure_ascii=False))
        return
    from rich.console import Console
    from rich.table import Table

    table = Table("name", "model", "sets", "chosen by", "licence")
    for name, collection in found.items():
        table.add_row(
            name,
            collection.model,
            ", ".join(collection.sets),
            collection.choose_by,
            collection.licence,
        )
    Console(highlight=False).print(table if found else "None come with this version.")


@app.command("show", cls=PlainCommand)
def show(name: Name, as_json: AsJson = False) -> None:
    """Show a collection: sets, sizes, data, licence, scores."""
    from fusion.sets.card import read_card
    from tasks.avsr.sets.collection import find_collection, read_collection
    from tasks.avsr.sets.talker_card import find_talkers, read_talker

    folder = find_collection(name)
    collection = read_collection(folder)
    talkers = [read_talker(place) for place in find_talkers(folder).values()]
    cards = {set_: asdict(read_card(folder / set_)) for set_ in collection.sets}
    size = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
    if as_json:
        described = {**asdict(collection), "bytes": size, "cards": cards}
        described |= {"talkers": {talker.name: asdict(talker) for talker in talkers}}
        print(json.dumps(described, ensure_ascii=False))
        return
    _print_collection(collection, cards, size)
    for talker in talkers:
        print("\nEnrolled:")
        for line in describe_talker(talker):
            print(line)


def _print_collection(collection: "Collection", cards: dict[str, Any], size: int) -> None:
    from rich.box import SIMPLE
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    from data_prep.noise.recordings import CATEGORIES

    console = Console(highlight=False)
    facts = {
        "for": collection.model,
        "data": collection.data,
        "licence": collection.licence,
        "trained by": collection.command,
        "size": f"{size / 1e6:.1f} MB",
        "chosen by": collection.choose_by,
    }
    for fact, value in facts.items():
        console.print(f"[bold]{fact}[/]: {value}" if value else f"[bold]{fact}[/]: not said")
    timed = any(card["seconds"] is not None for card in cards.values())
    table = Table("set", "group", "noise", "SNR, dB", "fusion", box=SIMPLE, pad_edge=False)
    table.add_column("trained", justify="right")
    if timed:
        table.add_column("minutes", justify="right")
    for group, names in collection.groups.items():
        for name in names:
            card = cards[name]
            scenario = card["scenario"]
            low, high = scenario.get("snr_db", (None, None))
            kinds = scenario.get("categories", ())
            seconds = card["seconds"]
            minutes = "" if seconds is None else f"{seconds / 60:.1f}"
            table.add_row(
                name,
                group,
                "all kinds" if set(kinds) == set(CATEGORIES) else ", ".join(kinds),
                "" if low is None else f"{low:g} to {high:g}",
                card["fusion"] or "none",
                f"{card['parameters']:,}",
                *([minutes] if timed else []),
            )
    console.print(table)
    if timed:
        console.print("Minutes are of a set's last training, from the set that it started from.")
    if collection.model_parameters:
        console.print(describe_parameters(collection, cards))
    for what, score in collection.scores.items():
        if isinstance(score, dict) and all(isinstance(row, dict) for row in score.values()):
            console.print(_score_table(what, score))
        else:
            console.print(f"[bold]{escape(what)}[/]: {escape(str(score))}")


def _score_table(what: str, score: dict[str, dict[str, float]]) -> "Table":
    """Lay out word error rates by row and level."""
    from rich.box import SIMPLE
    from rich.table import Table

    levels = list(dict.fromkeys(level for row in score.values() for level in row))
    table = Table(title=f"Word error rate, %: {what}", title_justify="left", box=SIMPLE)
    table.add_column("row")
    for level in levels:
        table.add_column(level, justify="right")
    for name, row in score.items():
        rates = (f"{row[level]:.1f}" if level in row else "" for level in levels)
        table.add_row(name, *rates)
    return table


def describe_parameters(collection: "Collection", cards: dict[str, Any]) -> str:
    """Compare what is trained with the frozen model as a whole.

    Args:
        collection: Whose sets are counted that the pipeline chooses among.
        cards: By the sets' names, as dictionaries.
    """
    whole = collection.model_parameters
    selected = collection.groups.get(collection.choose_by, [])
    trained = sum(cards[name]["parameters"] for name in selected)
    return (
        f"The {len(selected)} sets chosen by {collection.choose_by} train {trained:,} parameters, "
        f"{100 * trained / whole:.1f} % of {collection.model} as a whole ({whole:,}), lip encoder, "
        "selector and agreement not counted."
    )


@app.command("merge", cls=PlainCommand)
def merge(name: Name, set_name: SetName, output: Output, as_json: AsJson = False) -> None:
    """Write a Whisper with a set's adapters in its weights.

    The transformers library reads it; what fuses lips and sound is no part of it.
    """
    from tasks.avsr.sets.export import merge_set

    card = merge_set(name, set_name, output)
    _tell(output, card.name, as_json, "hears only" if card.fusion else "")


@app.command("export", cls=PlainCommand)
def export(name: Name, set_name: SetName, output: Output, as_json: AsJson = False) -> None:
    """Copy a set out of a collection; PEFT reads its adapters."""
    from tasks.avsr.sets.export import export_set

    _tell(output, export_set(name, set_name, output).name, as_json)


@app.command("collect", cls=PlainCommand)
def collect_sets(
    config: Annotated[
        Path, typer.Argument(metavar="CONFIG", help="YAML that says what belongs together.")
    ],
    output: Annotated[
        Path,
        typer.Option(
            "-o", "--output", help="Folder to write; what is there of the same names is replaced."
        ),
    ],
    device: Device = "cpu",
    as_json: AsJson = False,
) -> None:
    """Put trained sets, selector and agreement together.

    The collection "grid" was made on the CPU; other devices round its checks differently.
    """
    from tasks.cli.progress import progress_bar
    from tasks.config import read_config
    from tasks.experiments import COLLECTIONS, read_task

    kind, collect = COLLECTIONS[read_task(config, "sets collect")]()
    settings = read_config(kind, config)
    with progress_bar("Learning the domain", as_json, "{:.0f} clips".format) as show_:
        collection = collect(settings, output, show_, device)
    if as_json:
        print(json.dumps(asdict(collection), ensure_ascii=False))
        return
    print(f"{output}: {', '.join(collection.sets)}.")


@app.command("grow", cls=PlainCommand)
def grow_set(
    collection: Annotated[
        str,
        typer.Argument(
            metavar="COLLECTION", help="A collection: a folder of your own, or a name with -o."
        ),
    ],
    noise: Annotated[
        Path, typer.Argument(metavar="NOISE", help="Folder with recordings of the noise.")
    ],
    name: Annotated[str, typer.Option("--name", help="What the set is called, as my_office.")],
    clips: Annotated[
        Path,
        typer.Option("--clips", help="Folder that `mcgurk prepare` wrote, of talking clips."),
    ],
    output: Annotated[
        Path | None,
        typer.Option("-o", "--output", help="Folder for a copy that grows in its place."),
    ] = None,
    split: Annotated[
        str, typer.Option("--split", help="JSON with lists of clips, train and val.")
    ] = "",
    start: Annotated[
        str,
        typer.Option(
            "--start",
            help="Begin with the nearest set, the mean of the sets, or zeros: fresh adapters.",
        ),
    ] = "nearest",
    steps: Annotated[int, typer.Option("--steps", help="Steps of the training.")] = 220,
    anyway: Annotated[
        bool, typer.Option("--anyway", help="Grow a set though what is known fits.")
    ] = False,
    seed: Annotated[int, typer.Option("--seed", help="Another number, other noise.")] = 0,
    device: Device = "auto",
    as_json: AsJson = False,
) -> None:
    """Train one more set for noise of your own, and put it into a collection.

    First it is decided whether a set that is there fits; all sets that are there stay as they are.
    """
    from tasks.avsr.training.config import DataOptions
    from tasks.avsr.training.grow import LOOP, GrowOptions, copy_collection, grow
    from tasks.cli.progress import progress_bar

    options = GrowOptions(
        name,
        str(noise),
        DataOptions(str(clips), split),
        start,
        anyway=anyway,
        loop=replace(LOOP, steps=steps, measure_every=steps),
        seed=seed,
    )
    with (
        progress_bar("Listening", as_json, "{:.0f} windows".format) as listening,
        progress_bar("Training", as_json, "{:.0f} steps".format) as training,
    ):
        place = copy_collection(collection, output, options) if output else collection
        found = grow(place, options, device, listening, training)
    if as_json:
        print(json.dumps(asdict(found)))
        return
    nearest = f" Before, {found.nearest} was taken for it." if found.nearest else ""
    told = f"{100 * found.told:.0f} % of its windows are told from known noise.{nearest}"
    if found.grown:
        print(f"{place}: {found.name} is in it. {told}")
    else:
        print(f"{place}: known sets fit {noise}. {told} Nothing was grown; see --anyway.")


@app.command("enrol", cls=PlainCommand)
def enrol_talker(
    collection: Annotated[
        str,
        typer.Argument(
            metavar="COLLECTION", help="A collection: a name with -o, or a folder of your own."
        ),
    ],
    clips: Annotated[
        Path,
        typer.Argument(metavar="CLIPS", help="Folder with videos in which you alone talk."),
    ],
    name: Annotated[str, typer.Option("--name", help="What the talker is called, as me.")],
    output: Annotated[
        Path | None,
        typer.Option(
            "-o", "--output", help="Folder for a copy that gets the talker; new or empty."
        ),
    ] = None,
    noise: Annotated[
        Path | None,
        typer.Option(
            "--noise",
            help="Folder with recordings of noise that you are heard in; without, it is made by "
            "rule.",
        ),
    ] = None,
    old: Annotated[
        Path | None,
        typer.Option(
            "--old",
            help="Folder that `mcgurk prepare` wrote, of clips of the collection's own talkers, "
            "which are mixed in.",
        ),
    ] = None,
    split: Annotated[
        str, typer.Option("--split", help="JSON with lists of old clips: those of train are taken.")
    ] = "",
    anyway: Annotated[
        bool, typer.Option("--anyway", help="Enrol a face that is known, too, or two faces.")
    ] = False,
    processes: Processes = None,
    seed: Annotated[int, typer.Option("--seed", help="Another number, other noise.")] = 0,
    device: Device = "auto",
    as_json: AsJson = False,
) -> None:
    """Make sets for a face and a voice of one's own, from a few minutes of video.

    Clips are cut at pauses; transcripts beside them are used where there are any. What was there
    before stays as it is. Interrupted, it goes on where it was.
    """
    from tasks.avsr.sets.collection import find_collection
    from tasks.avsr.training.enrolment.checks import check_enrolment
    from tasks.avsr.training.enrolment.options import EnrolOptions
    from tasks.cli.progress import progress_bar

    options = EnrolOptions(
        name,
        str(clips),
        str(noise) if noise else "",
        old=str(old) if old else "",
        split=split,
        anyway=anyway,
        workers=processes,
        seed=seed,
    )
    check_enrolment(find_collection(collection).resolve(), options, output)
    from tasks.avsr.training.enrolment.enrol import enrol

    with progress_bar("Enrolling", as_json, remaining=True) as show_:
        place, card = enrol(collection, options, output, device, show_)
    if as_json:
        print(json.dumps({"folder": str(place), **asdict(card)}, ensure_ascii=False))
        return
    for line in describe_talker(card):
        print(line)
    print(f"Recognise with it: mcgurk transcribe FILE --sets {shlex.quote(str(output or place))}")


def _tell(output: Path, name: str, as_json: bool, remark: str = "") -> None:
    if as_json:
        print(json.dumps({"folder": str(output), "set": name}))
        return
    print(f"{output}: {name}{f', {remark}' if remark else ''}.")
