"""The section of docs/avsr.md on enrolling a talker, and the picture of the crops."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from data_prep.clips.samples import Sample
from tasks.avsr.sets.talker_card import TalkerCard
from tasks.reports import to_table
from tasks.scoring.intervals import Interval
from tools.marks import rewrite

ROOT = Path(__file__).resolve().parents[1]
PAGE, PICTURE = ROOT / "docs/avsr.md", ROOT / "docs/enrolment_crops.png"
TARGET = 0.6  # times audio-only, at -5 and -10 dB
SHOWN, EVERY = 6, 9  # clips in the picture, and frames between two of their pictures


@dataclass(frozen=True)
class Row:
    """A way of recognising.

    Attributes:
        way: What it is called.
        rates: Word error rates in percent by level, means over kinds of noise.
        ratio: Mean at -5 and -10 dB as a multiple of that of sound alone.
        loud: The mean itself, in percent.
    """

    way: str
    rates: Mapping[str, Interval]
    ratio: Interval
    loud: Interval


@dataclass(frozen=True)
class Found:
    """What was measured.

    Attributes:
        rows: Ways of recognising, with all clips enrolled.
        curve: The talker's card and the row of its sets, for each number of clips.
        routes: How many clips the talker's sets are taken for, and all, by who is seen.
        draws: Noises for each clip, kind and level.
        seed: The enrolments'.
    """

    rows: Sequence[Row]
    curve: Sequence[tuple[TalkerCard, Row]]
    routes: Mapping[str, tuple[int, int]]
    draws: int
    seed: int


def write_page(found: Found) -> None:
    """Write table, curve and routes between their marks."""
    rewrite(PAGE, "enrolment", lambda _: to_markdown(found))


def to_markdown(found: Found) -> str:
    """Return the section's tables, and what they are of."""
    levels = list(found.rows[0].rates)
    rows = to_table(
        ["word error rate, %", *levels, "-5 and -10 dB, times audio-only"],
        [
            [row.way, *(f"{row.rates[level].value:.1f}" for level in levels), _tell(row.ratio)]
            for row in found.rows
        ],
    )
    curve = to_table(
        [
            "clips",
            "pieces learnt from",
            "minutes",
            "held back: before, after",
            "test, -5 and -10 dB",
        ],
        [
            [
                f"{card.clips}",
                f"{card.pieces - card.held_back}",
                f"{card.minutes:.1f}",
                f"{_mean(card.before):.1f} %, {_mean(card.after):.1f} %",
                f"{row.loud.value:.1f} %, {_tell(row.ratio)} x audio-only",
            ]
            for card, row in found.curve
        ],
    )
    routes = to_table(
        ["who is seen", "clips", "taken for s4"],
        [[name, f"{total}", f"{taken}"] for name, (taken, total) in found.routes.items()],
    )
    return "\n\n".join([rows, _describe(found), curve, routes])


def _describe(found: Found) -> str:
    after = next(row for row in found.rows if row.way.startswith("enrolled, sets"))
    met = "met" if after.ratio.value <= TARGET else "missed"
    return (
        f"Six test clips of GRID's talker s4, {found.draws} noises each, means over babble, "
        "sidespeaker, music and natural noise, and over babble and sidespeaker of other voices, "
        f"of recordings and utterances that no training heard; seed {found.seed}; in brackets "
        f"95 % of resamples of the six clips. The target, at most {TARGET} x audio-only at -5 and "
        f"-10 dB, is {met}."
    )


def _tell(interval: Interval) -> str:
    return f"{interval.value:.2f} [{interval.low:.2f}, {interval.high:.2f}]"


def _mean(rates: Mapping[str, float]) -> float:
    """Return the mean over conditions with noise, percent."""
    return float(np.mean([rate for condition, rate in rates.items() if " " in condition]))


def draw_crops(samples: Sequence[Sample]) -> None:
    """Write mouths as the lip encoder gets them, a clip a row."""
    rows = [np.hstack(list(sample.crops[::EVERY][:8])) for sample in samples[:SHOWN]]
    cv2.imwrite(str(PICTURE), np.vstack(rows))
