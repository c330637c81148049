"""Measure the shipped sets by the source of noise: `python -m tools.measure_sources`.

Of some sources no training heard anything, of others it heard other recordings. What is there
already, in build/avsr/sources, is not recognised again; then docs/avsr.md is written. It wants the
prepared clips: `mcgurk prepare grid ../shared/data/grid -o build/avsr/grid`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Annotated

import torch
import typer

from data_prep.noise import Recordings, render_scene
from tasks.avsr.evaluation.conditions import NoiseSource, draw_noise
from tasks.avsr.sets.contract import Utterance
from tasks.avsr.sets.set_recogniser import load_recogniser
from tasks.reports import to_table
from tasks.scoring import WordErrors
from tasks.scoring.intervals import Interval, ratio_interval
from tools.changing_noise import (
    DATA,
    ROOT,
    SEED,
    TEST,
    Condition,
    Measurement,
    Split,
    add_errors,
    way_of,
    way_of_selector,
)
from tools.marks import rewrite
from tools.routers_switching import tell_rate

BUILT, PAGE = ROOT / "build/avsr/sources", ROOT / "docs/avsr.md"
MODEL, SHIPPED, AUDIO, CHOSEN = "whisper-tiny.en", "grid", "audio", "chosen"
OTHERS = ("natural", "music", "all", "high_noise")  # sets that are tried where an aim is missed
LEVELS_DB = (-10.0, -5.0)
AIM = 0.33  # times audio-only
VOICES = ("speech/jfk.flac", "speech/libri_*.ogg", "video/white_house_address.mp4")


@dataclass(frozen=True)
class Source:
    """Who recorded noise.

    Attributes:
        category: What it is heard as.
        files: Patterns below the shared data.
        heard: Whether a training heard other recordings of it.
    """

    category: str
    files: tuple[str, ...]
    heard: bool = False


SOURCES = {
    "Scaper, a street": Source("natural", ("noise/natural/scaper_street.wav",)),
    "ESC-50": Source("natural", ("esc50/*.wav",)),
    "ImageBind: bird, car, dog": Source("natural", ("audio_image/*.wav",)),
    "a speech of 1961": Source("sidespeaker", VOICES[:1]),
    "LibriSpeech": Source("sidespeaker", VOICES[1:2]),
    "White House address": Source("sidespeaker", VOICES[2:]),
    "these three, at once": Source("babble", VOICES),
    "librosa, a dance": Source("music", ("noise/music/librosa_hungarian_dance.ogg",), True),
    "Audiomentations, sheep": Source("natural", ("noise/natural/audiomentations_sheep.ogg",), True),
    "SpeechBrain": Source("natural", ("noise/natural/speechbrain_noise[35].wav",), True),
}


@dataclass(frozen=True)
class Drawn(Condition):
    """Noise of a source, the first of `categories`.

    Attributes:
        draw: Another one draws other recordings and places.
    """

    draw: int = 0

    @property
    def name(self) -> str:
        """As results call it."""
        return f"{super().name}, {self.draw}"


class Sourced(Split):
    """Clips in noise of `SOURCES`."""

    def utter(self, place: int, condition: Condition) -> Utterance:
        """Return a clip in noise of a source."""
        assert isinstance(condition, Drawn)
        sample, name = self.samples[place], condition.categories[0]
        draw, wave = condition.draw, sample.waveform
        scene = draw_noise(sample.clip, find_source(name), condition.snr_db, len(wave), draw, "rms")
        return Utterance(render_scene(scene, wave).waveform, sample.crops, sample.clip.mask())


def find_source(name: str) -> NoiseSource:
    """Return the recordings of a source.

    Raises:
        FileNotFoundError: There are none.
    """
    source = SOURCES[name]
    files = tuple(path.resolve() for part in source.files for path in sorted(DATA.glob(part)))
    if not files:
        raise FileNotFoundError(f"{DATA} holds nothing of {name}; expected {source.files[0]}.")
    if source.category in ("babble", "sidespeaker"):
        return NoiseSource(name, source.category, Recordings({}, files), voices=3)
    return NoiseSource(name, source.category, Recordings({source.category: files}))


def lay_out(name: str, draws: int) -> list[Drawn]:
    """Return the conditions of a source."""
    return [Drawn((name,), level, draw) for draw in range(draws) for level in LEVELS_DB]


@dataclass(frozen=True)
class Told:
    """What was written of sources.

    Attributes:
        measurement: The texts of each way, and of which clips.
        draws: Noises for each clip and level.
    """

    measurement: Measurement
    draws: int

    def errors(self, way: str, names: Sequence[str]) -> list[WordErrors]:
        """Return the word errors of a way in noise of each source."""
        texts = self.measurement.texts(way)
        spoken = [clip.text or "" for clip in self.measurement.split.clips]
        return [
            add_errors(spoken, [texts[one.name] for one in lay_out(name, self.draws)])
            for name in names
        ]

    def ratio(self, way: str, names: Sequence[str]) -> Interval:
        """Return how many errors a way makes for each of the set that hears only."""
        return ratio_interval(self.errors(way, names), self.errors(AUDIO, names), SEED)

    @cached_property
    def missed(self) -> list[str]:
        """The sources in whose noise the chosen sets miss the aim."""
        return [name for name in SOURCES if self.ratio(CHOSEN, [name]).value > AIM]


def tell(told: Told) -> str:
    """Return a row for each source, and one for all of which no training heard anything."""
    rows, new = [], [name for name, source in SOURCES.items() if not source.heard]
    for title, names in [*((name, [name]) for name in SOURCES), ("all of the first kind", new)]:
        chosen, alone = (told.errors(way, names) for way in (CHOSEN, AUDIO))
        ratio = ratio_interval(chosen, alone, SEED)
        rates = [sum(e.rate for e in found) / len(found) for found in (alone, chosen)]
        heard = "" if len(names) > 1 else "others" if SOURCES[title].heard else "none"
        rows.append(
            [
                title,
                heard,
                *(f"{rate:.1f}" for rate in rates),
                tell_rate(ratio, 2),
                "" if ratio.value <= AIM else "MISSED",
            ]
        )
    heads = ["source", "heard in training", "audio-only, %", "sets, %", "ratio", f"aim: {AIM}"]
    return "\n\n".join(
        [
            to_table(heads, rows),
            f"Word error rates of {len(told.measurement.split.clips)} test clips of GRID's talker "
            f"1 at {' and '.join(f'{level:g}' for level in LEVELS_DB)} dB, {told.draws} draws of "
            "noise, with the category set that the selector chooses, against the set that hears "
            "only; in brackets 95 % of resamples of the clips.",
            *tell_others(told),
        ]
    )


def tell_others(told: Told) -> list[str]:
    """Return what other sets than the chosen ones reach where these miss the aim."""
    if not told.missed:
        return []
    found = {
        name: {way: told.ratio(way, [name]) for way in (CHOSEN, *OTHERS)} for name in told.missed
    }
    rows = [
        [name, *(tell_rate(one, 2) for one in ratios.values())] for name, ratios in found.items()
    ]
    reach = {way: sum(ratios[way].value <= AIM for ratios in found.values()) for way in OTHERS}
    best = max(reach, key=lambda way: reach[way])
    return [
        "Where the aim is missed, other sets were asked for the same sound, whatever the selector "
        f'chose; most often, in {reach[best]} of {len(found)}, the set "{best}" reaches it. '
        "Ratios as above:",
        to_table(["source", "chosen", *OTHERS], rows),
    ]


def main(draws: Annotated[int, typer.Option(help="Noises for each clip and level.")] = 3) -> None:
    """Recognise what is missing, and write the table."""
    torch.set_num_threads(1)
    measurement = Measurement(Sourced(TEST), BUILT)
    recogniser = load_recogniser(MODEL, SHIPPED, "cpu")
    ways = {AUDIO: way_of(recogniser, AUDIO), CHOSEN: way_of_selector(recogniser)}
    for name in SOURCES:
        measurement.fill(lay_out(name, draws), ways)
    told = Told(measurement, draws)
    for name in told.missed:
        measurement.fill(lay_out(name, draws), {way: way_of(recogniser, way) for way in OTHERS})
    rewrite(PAGE, "sources", lambda _: tell(told))


if __name__ == "__main__":
    typer.run(main)
