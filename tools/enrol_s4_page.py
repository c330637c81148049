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
from tools.routers_switching import tell_rate

ROOT = Path(__file__).resolve().parents[1]
PAGE, README = ROOT / "docs/avsr.md", ROOT / "README.md"
PICTURE = ROOT / "docs/enrolment_crops.png"
PLAIN, AUDIO, BEFORE, AFTER, BLIND = WAYS = (
    "plain Whisper",
    "audio-only: the set audio",
    "not enrolled, sets + selector",
    "enrolled, sets + selector",
    "enrolled, the set all without lips",
)
TARGET = 0.6  # times audio-only, at -5 and -10 dB
SHOWN, EVERY = 3, 9  # clips in the picture, and frames between two of their pictures


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
    """

    rows: Sequence[Row]
    curve: Sequence[tuple[TalkerCard, Row]]
    routes: Mapping[str, tuple[int, int]]
    draws: int


def write_page(found: Found) -> None:
    """Write table, curve and routes between their marks, and a sentence into the README."""
    rewrite(PAGE, "enrolment", lambda _: to_markdown(found))
    rewrite(README, "enrolment", lambda _: summarise(found))


def to_markdown(found: Found) -> str:
    """Return the section's tables, and what they are of."""
    levels = list(found.rows[0].rates)
    rows = to_table(
        ["word error rate, %", *levels, "-5 and -10 dB, times audio-only"],
        [
            [
                row.way,
                *(f"{row.rates[level].value:.1f}" for level in levels),
                tell_rate(row.ratio, 2),
            ]
            for row in found.rows
        ],
    )
    curve = to_table(
        [
            "clips",
            "seed",
            "pieces learnt from",
            "minutes",
            "held back: before, after",
            "test, -5 and -10 dB",
        ],
        [
            [
                f"{card.clips}",
                f"{card.seed}",
                f"{card.pieces - card.held_back}",
                f"{card.minutes:.1f}",
                f"{_mean(card.before):.1f} %, {_mean(card.after):.1f} %",
                f"{row.loud.value:.1f} %, {tell_rate(row.ratio, 2)} x audio-only",
            ]
            for card, row in found.curve
        ],
    )
    routes = to_table(
        ["who is seen", "clips", "taken for s4"],
        [[name, f"{total}", f"{taken}"] for name, (taken, total) in found.routes.items()],
    )
    crops = f"![Mouths of three of the test clips, as the lip encoder gets them]({PICTURE.name})"
    return "\n\n".join([rows, _describe(found), curve, routes, crops])


def summarise(found: Found) -> str:
    """Return what an enrolment is worth, in a sentence."""
    rates = {row.way: row.loud.value for row in found.rows}
    card, _ = found.curve[0]
    return (
        f"A talker of GRID, enrolled by {card.clips} clips of 3 s without transcripts, at -5 and "
        f"-10 dB of noise that no training heard: {rates[AFTER]:.1f} % word errors, by sound alone "
        f"{rates[AUDIO]:.1f} %, before {rates[BEFORE]:.1f} %, by plain Whisper "
        f"{rates[PLAIN]:.1f} %."
    )


def _describe(found: Found) -> str:
    most = max(card.clips for card, _ in found.curve)
    ratios = [row.ratio.value for card, row in found.curve if card.clips == most]
    met = sum(ratio <= TARGET for ratio in ratios)
    return (
        f"Six test clips of GRID's talker s4, {found.draws} noises each, means over babble, "
        "sidespeaker, music and natural noise, and over babble and sidespeaker of other voices, "
        "of recordings and utterances that no training heard; the enrolment of seed 0; in "
        f"brackets 95 % of resamples of the six clips. The target, at most {TARGET} x audio-only "
        f"at -5 and -10 dB with {most} clips, is reached by {met} of {len(ratios)} enrolments"
        f"{'' if met == len(ratios) else ': MISSED'}."
    )


def _mean(rates: Mapping[str, float]) -> float:
    """Return the mean over conditions with noise, percent."""
    return float(np.mean([rate for condition, rate in rates.items() if " " in condition]))


def draw_crops(samples: Sequence[Sample]) -> None:
    """Write mouths as the lip encoder gets them, smaller, a clip a row."""
    rows = [np.hstack(list(sample.crops[::EVERY][:8])) for sample in samples[:SHOWN]]
    sheet = np.vstack(rows)
    size = (sheet.shape[1] * 2 // 3, sheet.shape[0] * 2 // 3)
    cv2.imwrite(str(PICTURE), cv2.resize(sheet, size, interpolation=cv2.INTER_AREA))
