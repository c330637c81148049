"""Write one of the models that take apart and paint sounds as one that comes along, with its card.

`python -m tools.export_audio_to_image KIND TRAINED DST [--scores FOLDER]`: KIND is audio_text,
denoiser, separator, painter or condition, TRAINED what its training wrote, and DST holds what loads
it and nothing else of the training, in float16. README.md in it is its model card. A painter has to
stand on a denoiser that is known by name, and its card tells what `tools.painted_icons` wrote to
FOLDER.
"""

import argparse
import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

from modalities.audio_text.models import save_audio_text
from modalities.audio_text.small_audio_text import load_small_audio_text
from modalities.diffusion.denoiser_files import load_denoiser, save_denoiser
from modalities.diffusion.small import SmallDenoiser
from modalities.empty_name import refuse_empty_name
from modalities.outputs import check_outputs
from modalities.tensor_file import write_tensors
from modalities.text_file import read_text
from tasks.audio_to_image.painting.card import CARD
from tasks.audio_to_image.painting.conditions.card import read_condition_card
from tasks.audio_to_image.painting.conditions.files import load_condition, save_condition
from tasks.audio_to_image.painting.painter_files import ADAPTER_FILE, load_painter
from tasks.audio_to_image.separation.separator_files import load_separator, save_separator
from tasks.cards import card_comes_last
from tasks.training.loop import METRICS
from tools.exporting import write_model_card
from tools.painted_icons import SCORES

LICENCE = "CC0-1.0"  # of what was trained on rendered sounds and pictures alone
HEAD = "---\nlicense: {licence}\n---\n# {name}\n\n"
NOT_SOUNDS = """
What it is not: something that knows recordings. It has heard ten kinds of sounds that are made from
formulas, takes any other sound for one of them, and what it calls a bell or a bird is a lookalike.
"""
AUDIO_TEXT = """A small embedding of sound and text of {thousands:.0f} thousand parameters, which
stands where a CLAP stands in larger models. It knows the texts {texts}.
`tools.train_audio_text` trained it on rendered sounds, alone and mixed.

On held-out sounds, from 0 to 100: {scores}.
"""
DENOISER = """A small denoiser of Stable Diffusion's class, of {millions:.1f} million parameters,
for pictures of {height} x {width} pixels: one to three icons, rendered. `mcgurk train` trained it
on pictures alone; painters stand on it.

Its loss on held-out pictures: {scores}.

What it is not: a painter of the world. It has seen rendered icons of ten kinds and nothing else.
"""
SEPARATOR = """A separator of {thousands:.0f} thousand parameters, which takes mixtures apart into
{sources} sounds. `mcgurk train` trained it on {data},
rendered, mixed as they were drawn; `{audio_text}` names and ranks what it finds.

On held-out mixtures of two and three sounds, improvements of SI-SDR in dB, beside those of ideal
ratio masks (bound): {scores}.
"""
PAINTER = """An adapter of {thousands:.0f} thousand parameters through which the frozen denoiser
`{denoiser}` paints what the separator `{separator}` finds in a sound. `mcgurk train` trained it on
{data}, rendered.

{sounds} mixtures of one to three sounds that were held out, painted; the icons in the pictures are
told by the nearest of other rendered icons. In percent: "right", of all that sounds, what is
painted; "of painted", of all that is painted, what sounds; "exact", pictures with all that sounds
and nothing else, and of those with one, two and three sounds.

{scores}
"""
CONDITION = """An adapter of {thousands:.0f} thousand parameters by which the frozen denoiser
`{denoiser}` is told {tells}, in the form of `{preset}`. `mcgurk train` trained it
on {data}, rendered; the painter that stands on the denoiser stayed as it was.

Loss on held-out pictures: {scores}.
"""
COLUMNS = ("right", "of_painted", "exact", "exact_1", "exact_2", "exact_3", "in_order")


def main() -> None:
    """Write it, and say where; mistakes are one line and exit 2."""
    module = "python -m tools.export_audio_to_image"
    parser = argparse.ArgumentParser(prog=module, description=__doc__)
    parser.add_argument("kind", choices=tuple(EXPORTS))
    parser.add_argument("trained", type=Path, metavar="TRAINED")
    parser.add_argument("folder", type=Path, metavar="DST")
    parser.add_argument("--scores", type=Path, metavar="FOLDER", help="of a painter")
    given = parser.parse_args()
    try:
        check_outputs([], [given.trained], [given.folder])
        if given.kind == "painter":
            export_painter(given.trained, given.folder, given.scores)
        else:
            EXPORTS[given.kind](given.trained, given.folder)
    except (ValueError, OSError) as error:
        parser.exit(2, f"{error}\n")
    print(f"{given.folder}: {given.trained} as {given.kind}")


def export_audio_text(trained: Path, folder: Path) -> None:
    """Write a small embedding of sound and text.

    Raises:
        FileNotFoundError: `trained` is not there, or not whole.
        ValueError: It is damaged.
        OSError: The folder cannot be written.
    """
    model = load_small_audio_text(trained)
    text = AUDIO_TEXT.format(
        thousands=sum(p.numel() for p in model.network.parameters()) / 1e3,
        texts=", ".join(model.options.texts),
        scores=_tell(last_measured(trained), ("named", "louder_named")),
    )
    save_audio_text(model, folder)
    write_model_card(folder, _head(folder, LICENCE) + text + NOT_SOUNDS)


def export_denoiser(trained: Path, folder: Path) -> None:
    """Write a small denoiser.

    Raises:
        FileNotFoundError: What was measured in training is not there.
        ValueError: `trained` is none, or damaged.
        OSError: The folder cannot be written.
    """
    denoiser = load_denoiser(trained)
    if not isinstance(denoiser, SmallDenoiser):
        raise ValueError(f"{trained} is no small denoiser; expected one that `mcgurk train` wrote.")
    height, width = denoiser.side
    text = DENOISER.format(
        millions=sum(p.numel() for p in denoiser.parameters()) / 1e6,
        height=height,
        width=width,
        scores=_tell(last_measured(trained), ("validation_loss",), 4),
    )
    save_denoiser(denoiser, folder, half=True)
    write_model_card(folder, _head(folder, LICENCE) + text)


def export_separator(trained: Path, folder: Path) -> None:
    """Write a separator, without what ranks its sources: that is known by name.

    Raises:
        FileNotFoundError: `trained` is not there, or not whole.
        ValueError: It is damaged.
        OSError: The folder cannot be written.
    """
    network, card = load_separator(trained)
    text = SEPARATOR.format(
        thousands=card.parameters / 1e3,
        sources=network.options.sources,
        data=card.data,
        audio_text=card.audio_text,
        scores=_tell(card.scores, sorted(card.scores)),
    )
    save_separator(folder, network, card)
    write_model_card(folder, _head(folder, card.licence) + text + NOT_SOUNDS)


def export_painter(trained: Path, folder: Path, scores: Path | None = None) -> None:
    """Write a painter, without the denoiser that it stands on: that is known by name.

    Args:
        trained: That training wrote.
        folder: Made where it is not there.
        scores: That `tools.painted_icons` wrote to; None tells none.

    Raises:
        FileNotFoundError: `trained` or the scores are not there, or not whole.
        ValueError: One is damaged, or the painter stands on another denoiser than is known by the
            name.
        OSError: The folder cannot be written.
    """
    frozen, adapter, card = load_painter(trained)
    refuse_empty_name(card.denoiser, "denoiser")
    named = load_denoiser(card.denoiser)
    if named.identity != frozen.identity:
        raise ValueError(
            f"{trained} stands on another denoiser than {card.denoiser!r} is now; expected the "
            "same. Train it again."
        )
    sounds, table = _read_scores(scores) if scores else (0, "Not measured.")
    text = PAINTER.format(
        thousands=card.trained / 1e3,
        denoiser=card.denoiser,
        separator=card.separator,
        data=card.data,
        sounds=sounds or "No",
        scores=table,
    )
    with card_comes_last(folder, CARD, replace(card, weights=frozen.identity)):
        write_tensors(folder / ADAPTER_FILE, adapter.state_dict(), half=True)
        write_model_card(folder, _head(folder, card.licence) + text + NOT_SOUNDS)


def export_condition(trained: Path, folder: Path) -> None:
    """Write an adapter of conditions of a denoiser that is known by name.

    Raises:
        FileNotFoundError: `trained` is not there, or not whole.
        ValueError: It is damaged, or for another denoiser than is known by the name.
        OSError: The folder cannot be written.
    """
    card = read_condition_card(trained)
    injectors = load_condition(trained, card, load_denoiser(card.denoiser))
    text = CONDITION.format(
        thousands=card.trained / 1e3,
        denoiser=card.denoiser,
        tells=", ".join(f"`{one}`" for one in card.tells),
        preset=card.preset,
        data=card.data,
        scores=_tell(card.scores, ("validation_loss", "validation_loss_without"), 4),
    )
    save_condition(folder, injectors, card, half=True)
    write_model_card(folder, _head(folder, card.licence) + text)


def last_measured(trained: Path) -> dict[str, float]:
    """Return what a training measured last.

    Raises:
        FileNotFoundError: It has left no measurements.
        ValueError: They are damaged.
    """
    path = trained / METRICS
    if not path.is_file():
        raise FileNotFoundError(f"There is no {path}; expected the folder of a training.")
    try:
        rows = [dict(json.loads(line)) for line in read_text(path).splitlines()]
    except (ValueError, TypeError) as error:
        raise ValueError(f"{path} is damaged ({error}); train again.") from error
    return next((row for row in reversed(rows) if row.get("measured")), {})


def _read_scores(folder: Path) -> tuple[int, str]:
    """Return how many sounds were painted, and a table of a row for each painter."""
    path = folder / SCORES
    try:
        told = json.loads(read_text(path))
        head = f"| | {' | '.join(name.replace('_', ' ') for name in COLUMNS)} |"
        rows = [
            f"| {name} | " + " | ".join(_number(found, column) for column in COLUMNS) + " |"
            for name, found in told["scores"].items()
        ]
        return int(told["sounds"]), "\n".join([head, "|---" * (len(COLUMNS) + 1) + "|", *rows])
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise ValueError(f"{path} is damaged ({error}); paint the icons again.") from error


def _number(found: Mapping[str, float], name: str) -> str:
    return f"{found[name]:.1f}" if name in found else ""


def _tell(found: Mapping[str, float], names: tuple[str, ...] | list[str], digits: int = 1) -> str:
    some = [f"{name.replace('_', ' ')} {found[name]:.{digits}f}" for name in names if name in found]
    return ", ".join(some) or "not measured"


def _head(folder: Path, licence: str) -> str:
    return HEAD.format(licence=licence.lower() or "unknown", name=folder.name)


EXPORTS: dict[str, Callable[..., None]] = {
    "audio_text": export_audio_text,
    "denoiser": export_denoiser,
    "separator": export_separator,
    "painter": export_painter,
    "condition": export_condition,
}


if __name__ == "__main__":
    main()
