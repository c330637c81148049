"""Write what `make audio-to-image` measured into docs/audio_to_image.md, between its marks.

`python -m tools.publish_audio_to_image [separation] [words] [digits]`: all three parts, or some.
"""

import argparse
import json
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from statistics import fmean

import numpy as np

from data_prep.masks.images import to_8_bits
from data_prep.mixtures.manifest import MANIFEST
from data_prep.mixtures.samples import load_picture
from modalities.audio_text.models import load_audio_text
from modalities.whole_file import replace_when_whole
from tasks.audio_to_image.painting.painter import Painter
from tasks.audio_to_image.separation.separator import Separator
from tasks.pictures.sheets import save_sheet
from tasks.reports import to_table
from tasks.scoring.intervals import rate_interval
from tasks.training.study import RESULTS, plain
from tasks.training.study_runs import Result
from tools.digits_in_music import (
    Utterance,
    count_word_errors,
    make_utterances,
    name_digit,
    take_talker,
)
from tools.machine import processor
from tools.marks import rewrite
from tools.painted_digits import (
    Heard,
    Numbers,
    Scores,
    draw_sheet,
    embed_known,
    measure_apart,
    measure_overlap,
    name_digits,
    paint_digits,
    read_heard,
    score_digits,
)
from tools.train_digit_reader import DigitReader, load_reader, measure_reader

ROOT = Path(__file__).resolve().parents[1]
BUILT = ROOT / "build/audio_to_image"
SPOKEN = ROOT / "../shared/data/fsdd"
PAGE = ROOT / "docs/audio_to_image.md"
SHEET, CURVES = "audio_to_image_digits.webp", "audio_to_image_guidance.png"
SPEAKER, UTTERANCES = "nicolas", 200
# Rows of configs/audio_to_image/separation_study.yaml.
ROWS = ("MixIT alone", "full loss", "each sound one source")
GUIDANCES = (1.0, 1.5, 2.0, 3.0, 5.0)
SHOWN = (5, 11)  # mixtures of one digit on the sheet, and of two
APART, WHOLE = "separated sources", "the whole mixture"


def main() -> None:
    """Measure, and put tables, curves and the sheet into the page."""
    parts: Mapping[str, Callable[[], Sequence[str]]] = {
        "separation": tell_separation,
        "words": tell_words,
        "digits": tell_digits,
    }
    parser = argparse.ArgumentParser(
        prog="python -m tools.publish_audio_to_image", description=__doc__
    )
    # argparse holds the default of "*" against the choices, too.
    parser.add_argument("parts", nargs="*", choices=[*parts, []], metavar="PART", default=[])
    try:
        for name in parser.parse_args().parts or parts:
            text = "\n\n".join(parts[name]())
            rewrite(PAGE, name, lambda _, text=text: text)
    except (ValueError, OSError) as error:
        parser.exit(2, f"{error}\n")


def tell_separation() -> list[str]:
    """Return the paragraphs on digits, noise and music taken apart."""
    place = BUILT / "separation_study" / RESULTS
    return write_separation([Result(**row) for row in json.loads(place.read_text("utf-8"))])


def write_separation(results: Sequence[Result]) -> list[str]:
    """Return the table of a study, and what was aimed at.

    Args:
        results: Those of configs/audio_to_image/separation_study.yaml.
    """
    rows = list(dict.fromkeys(result.row for result in results))
    means = {row: {name: _mean(results, row, name) for name in results[0].measures} for row in rows}
    heads = ["taught by", "2 sources, dB", "3 sources, dB", "order of 2", "order of 3"]
    names = ("sisdri_2", "sisdri_3", "rank_agreement_2", "rank_agreement_3")
    decimals = (1, 1, 2, 2)
    lines = [
        [row, *(f"{means[row][name]:.{n}f}" for name, n in zip(names, decimals, strict=True))]
        for row in rows
    ]
    bound = [f"{fmean(of[f'bound_{name}'] for of in means.values()):.1f}" for name in names[:2]]
    lines.append(["ideal ratio masks, the bound", *bound, "", ""])
    best = {name: max(of[name] for of in means.values()) for name in names}
    return [
        to_table(heads, lines),
        "Mean improvement of SI-SDR over sources and held-out mixtures; the order is Spearman's "
        "correlation of the sources' significance and their energy. Of each training the weights "
        "are kept that did best for two sources on these mixtures. On one machine of "
        f"{processor()}.",
        "\n".join(
            f"* The best is {best[name]:.{n}f}{unit} (aim: {aim})."
            for name, n, unit, aim in (
                (names[0], 1, " dB for two sources", "7 dB"),
                (names[1], 1, " dB for three", "5 dB"),
                (names[3], 2, " for the order of three", "above 0.8"),
            )
        ),
    ]


def _mean(results: Sequence[Result], row: str, name: str) -> float:
    return fmean(result.measures[name] for result in results if result.row == row)


def tell_words() -> list[str]:
    """Return the paragraphs on word errors of digits in music."""
    music = BUILT / "music" / MANIFEST
    utterances = list(make_utterances(SPOKEN, music, SPEAKER, UTTERANCES))
    ear = load_audio_text(BUILT / "digits/sounds")
    heard = {
        "the speech alone": [one.speech for one in utterances],
        "in music at 0 dB": [one.mixture for one in utterances],
    }
    for row in ROWS:
        place = BUILT / "separation_study" / plain(row) / "0"
        separator = Separator.load(place, "cpu")
        heard[f"taken out of it, {row}"] = [take_talker(separator, u.mixture) for u in utterances]
    return write_words(utterances, heard, partial(name_digit, ear))


def write_words(
    utterances: Sequence[Utterance],
    heard: Mapping[str, Sequence[np.ndarray]],
    hear: Callable[[np.ndarray], str],
) -> list[str]:
    """Return a table of word errors, and what was heard.

    Args:
        utterances: What was said.
        heard: The sound of each utterance, by what was done to it.
        hear: Recognises float32 [samples] at 16 kHz.
    """
    lines = []
    for name, waveforms in heard.items():
        rate = rate_interval(count_word_errors(utterances, waveforms, hear))
        lines.append([name, f"{rate.value:.1f}", f"{rate.low:.1f} to {rate.high:.1f}"])
    words = sum(len(one.text.split()) for one in utterances)
    return [
        to_table(["what is heard", "word errors, %", "95 %"], lines),
        f"{len(utterances)} utterances by {SPEAKER}, whom no separator has heard, {words} digits "
        "in all; music from the ends of the recordings, which no separator has heard either. What "
        "hears is the layer on Whisper tiny.en of the painted digits below, which has not heard "
        "him, nor music. Of the sources those that are named as digits are heard together; the "
        "interval is a bootstrap over utterances.",
    ]


def tell_digits() -> list[str]:
    """Return the paragraphs on painted digits; the sheet and the curves are written, too."""
    place = BUILT / "digits"
    reader = load_reader(place / "reader")
    painters = {
        name: Painter.load(place / folder, "cpu")
        for name, folder in ((APART, "apart"), (WHOLE, "whole"))
    }
    heard = {name: _read(place, name, "test") for name in painters}
    separator = Separator.load(place / "separator", "cpu")
    ear = load_audio_text(place / "sounds")
    known = embed_known(heard[APART], ear)
    painted = {name: paint_digits(painters[name], heard[name], reader) for name in painters}
    told = {
        f"{APART}, of the true sources": paint_digits(painters[APART], known, reader)[1],
        **{name: read for name, (_, read) in painted.items()},
    }
    named = {name: name_digits(heard[name], ear, name == APART) for name in heard}
    said = heard[APART].numbers
    save_sheet(_sheet(heard[APART], list(painted.values())), PAGE.parent / SHEET)
    checked = {name: _read(place, name, "validation") for name in painters}
    draw_guidance(_curves(painters, checked, reader), PAGE.parent / CURVES)
    return write_digits(
        {name: score_digits(said, read) for name, read in told.items()},
        {name: score_digits(said, read) for name, read in named.items()},
        facts={
            "one": sum(len(one) == 1 for one in said),
            "two": sum(len(one) == 2 for one in said),
            "read": measure_reader(reader),
            "overlap": measure_overlap(heard[APART]),
            "guidance": painters[APART].card.guidance,
            **measure_apart(separator, heard[APART]),
        },
        trained={
            "denoiser": painters[APART].card.parameters,
            "adapter": painters[APART].card.trained,
        },
    )


def _read(place: Path, name: str, fold: str) -> Heard:
    folder = {APART: "heard_apart", WHOLE: "heard_whole"}[name]
    return read_heard(place / "mixtures" / MANIFEST, place / folder, fold)


def write_digits(
    scores: Mapping[str, Scores],
    named: Mapping[str, Scores],
    facts: Mapping[str, float],
    trained: Mapping[str, int],
) -> list[str]:
    """Return the tables of painted digits, and what was aimed at.

    Args:
        scores: What is right of the painted, by what the painter heard.
        named: What is right of the names that embeddings have by themselves.
        facts: "one" and "two", how many mixtures have so many digits; "read", percent that the
            reader reads right of pictures by people; "overlap", percent; "guidance"; "sisdri" and
            "bound_sisdri", dB.
        trained: Parameters of "denoiser" and "adapter".
    """
    apart, whole = scores[APART], scores[WHOLE]
    return [
        _score_table("painted from", scores),
        f"{facts['one']:.0f} mixtures of one digit and {facts['two']:.0f} of two, percent; "
        f"guidance {facts['guidance']:g}. The denoiser has {trained['denoiser']:,} parameters, the "
        f"adapter {trained['adapter']:,}; of pictures drawn by people whom it has not seen the "
        f"reader reads {facts['read']:.1f} % wholly right. Of two digits the shorter is overlapped "
        f"for {facts['overlap']:.0f} % of its time; the separator improves SI-SDR by "
        f"{facts['sisdri']:.1f} dB, ideal ratio masks by {facts['bound_sisdri']:.1f}.",
        "\n".join(
            [
                f"* One digit: {apart.one:.1f} % are read right (aim: 90).",
                f"* Two digits at once: of {apart.both:.1f} % both (aim: 70), "
                f"{apart.both - whole.both:+.1f} points from the painter that hears the whole "
                "mixture (aim: +15).",
            ]
        ),
        "What the embeddings name without any painting, by the nearest text (of the whole mixture "
        "the two nearest):",
        _score_table("named from", named),
        f"![What was said, painted from sources, painted from the whole mixture]({SHEET})",
        "Above the pictures that the mixtures came with, in the middle what is painted from "
        "separated sources, below from the whole mixture; green where it is read right, as a set.",
        f"![Digits read right by guidance]({CURVES})",
        "On the validation, mixtures of known speakers: by these curves guidance may be chosen "
        "without a look at the speaker who tests.",
    ]


def _score_table(head: str, scores: Mapping[str, Scores]) -> str:
    lines = [
        [name, *(f"{value:.1f}" for value in (of.one, of.both, of.ordered, of.some))]
        for name, of in scores.items()
    ]
    heads = [head, "one digit", "two, both right", "and in order", "one or both"]
    return to_table(heads, lines)


def _sheet(heard: Heard, painted: Sequence[tuple]) -> np.ndarray:
    """Draw the first mixtures of one digit and of two."""
    said = heard.numbers
    shown = [
        n
        for count, most in zip((1, 2), SHOWN, strict=True)
        for n in [n for n, one in enumerate(said) if len(one) == count][:most]
    ]
    truths = [to_8_bits(load_picture(heard.rows[n])) for n in shown]
    lines = [
        (pictures[shown], [sorted(read[n]) == sorted(said[n]) for n in shown])
        for pictures, read in painted
    ]
    return draw_sheet(truths, lines)


Curves = dict[str, list[Scores]]


def _curves(
    painters: Mapping[str, Painter], heard: Mapping[str, Heard], reader: DigitReader
) -> Curves:
    found: Curves = {}
    for name, painter in painters.items():
        said: list[Numbers] = heard[name].numbers
        found[name] = [
            score_digits(said, paint_digits(painter, heard[name], reader, guidance)[1])
            for guidance in GUIDANCES
        ]
    return found


def draw_guidance(curves: Curves, path: Path) -> None:
    """Draw the percent of digits that are right by guidance, as a PNG.

    Args:
        curves: Scores for each of `GUIDANCES`, by what the painter heard.
        path: The picture to write.

    Raises:
        OSError: It cannot be written.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(6.4, 3.6), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    for colour, (name, scores) in enumerate(curves.items()):
        for line, told, part in (("-", "one digit", "one"), ("--", "two, both right", "both")):
            values = [getattr(one, part) for one in scores]
            label = f"{told}, {name}"
            axes.plot(GUIDANCES, values, line, color=f"C{colour}", marker="o", label=label)
    axes.set_xlabel("guidance")
    axes.set_ylabel("read right, %")
    axes.set_ylim(0, 102)
    axes.grid(alpha=0.3)
    axes.legend(fontsize=8)
    with replace_when_whole(path) as partial:
        figure.savefig(partial, format="png", dpi=110)


if __name__ == "__main__":
    main()
