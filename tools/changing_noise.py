"""GRID's clips in noise that changes half-way, and what ways of recognising them wrote."""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from data_prep.clips.manifest import Clip, read_manifest
from data_prep.clips.samples import Sample, load_sample
from data_prep.clips.splits import choose_clips, read_split
from data_prep.noise import Recordings, find_recordings, mix, render_scene
from data_prep.noise.changing import join_noises
from tasks.avsr.evaluation.conditions import NoiseSource, draw_noise
from tasks.avsr.sets.contract import Utterance
from tasks.avsr.sets.set_recogniser import SetRecogniser
from tasks.reports import write_text
from tasks.scoring import WordErrors, count_errors, find_normaliser
from tasks.training.study import plain

ROOT = Path(__file__).resolve().parents[1]
CLIPS = ROOT / "build/avsr/grid"
DATA = ROOT / "../shared/data"
SPLIT = DATA / "grid/splits.json"
# Recordings that no training hears, as configs/avsr has them.
KEPT_FOR_TEST = (
    *("librosa_hungarian_dance", "audiomentations_sheep", "scaper_street"),
    *("speechbrain_noise3", "speechbrain_noise5"),
)
SETS = ("babble", "sidespeaker", "music", "natural", "all")
PLAIN, CHOICES = "plain Whisper", "choices"
VALIDATION, TEST = "val", "test"
SEED, BATCH = 0, 25  # of noise; clips recognised at once
Way = Callable[[Sequence[Utterance]], list[str]]  # writes a text for each clip


@dataclass(frozen=True)
class Condition:
    """Noise of a test: one kind, or several in turn.

    Attributes:
        categories: Kinds of noise, in turn, each for as long as the others.
        snr_db: Signal-to-noise ratio of the whole.
    """

    categories: tuple[str, ...]
    snr_db: float

    @property
    def name(self) -> str:
        """As results call it."""
        return f"{', '.join(self.categories)} {self.snr_db:g} dB"


@dataclass(frozen=True)
class Split:
    """Clips of a part of GRID, and the noise that they are heard in.

    Attributes:
        name: "val" or "test".
    """

    name: str

    @cached_property
    def clips(self) -> list[Clip]:
        """Its clips."""
        return choose_clips(
            list(read_manifest(CLIPS / "manifest.jsonl")), read_split(SPLIT, self.name)
        )

    @cached_property
    def samples(self) -> list[Sample]:
        """Its clips, read."""
        return [load_sample(clip, CLIPS) for clip in self.clips]

    @cached_property
    def recordings(self) -> Recordings:
        """Noise: of the test what no training hears, else the rest; voices are the clips'."""
        found = find_recordings(DATA / "noise")
        everything = {path.stem for files in found.by_category.values() for path in files}
        out = everything - set(KEPT_FOR_TEST) if self.name == TEST else set(KEPT_FOR_TEST)
        return Recordings(found.without(out).by_category, tuple(Path(c.media) for c in self.clips))

    def utter(self, place: int, condition: Condition) -> Utterance:
        """Return a clip in noise, that of `mcgurk evaluate` where it is of one kind."""
        sample = self.samples[place]
        speech, clip = sample.waveform, sample.clip
        mixed = []
        for category in dict.fromkeys(condition.categories):
            source = NoiseSource(category, category, self.recordings)
            scene = draw_noise(clip, source, condition.snr_db, len(speech), SEED, "rms")
            mixed.append(render_scene(scene, speech))
        waveform = mixed[0].waveform
        if len(condition.categories) > 1:
            noise = dict(zip(dict.fromkeys(condition.categories), mixed, strict=True))
            waveform = change_in_turn(
                speech, [noise[name].noise for name in condition.categories], condition.snr_db
            )
        return Utterance(waveform, sample.crops, clip.mask())


def change_in_turn(speech: np.ndarray, noises: Sequence[np.ndarray], snr_db: float) -> np.ndarray:
    """Mix speech with noises that follow each other, each for an equal part of it.

    Args:
        speech: [samples], 16 kHz.
        noises: In turn, [samples] each.
        snr_db: Signal-to-noise ratio; all stretches have one level.

    Returns:
        float32 [samples].
    """
    places = [len(speech) * n // len(noises) for n in range(1, len(noises))]
    return mix(speech, join_noises(noises, places), snr_db).waveform


def add_errors(references: Sequence[str], texts: Iterable[Sequence[str]]) -> WordErrors:
    """Add up the word errors of each clip over conditions.

    Args:
        references: What was said, [clips].
        texts: What was written in each condition, [clips] each.
    """
    counts = [count_errors(references, one, find_normaliser("grid")) for one in texts]
    names = ("hits", "substitutions", "deletions", "insertions")
    return WordErrors(*(np.sum([getattr(one, n) for one in counts], axis=0) for n in names))


class Measurement:
    """What ways of recognising wrote, a JSON file each, with the texts by condition.

    Args:
        split: Clips.
        folder: Where the files are; what is in one of them is not recognised again.
    """

    def __init__(self, split: Split, folder: Path):
        self.split, self.folder = split, folder
        self.found: dict[str, dict[str, list[str]]] = {}

    def texts(self, way: str) -> dict[str, list[str]]:
        """Return what a way wrote, [clips], by condition; nothing where it has not run."""
        if way not in self.found:
            path = self._path(way)
            there = path.is_file()
            self.found[way] = json.loads(path.read_text(encoding="utf-8")) if there else {}
        return self.found[way]

    def fill(self, conditions: Sequence[Condition], ways: Mapping[str, Way]) -> None:
        """Recognise what is missing, and write it after each condition."""
        for condition in conditions:
            missing = [name for name in ways if condition.name not in self.texts(name)]
            if not missing:
                continue
            new: dict[str, list[str]] = {name: [] for name in missing}
            for utterances in self._batches(condition):
                for name in missing:
                    new[name] += ways[name](utterances)
            for name, texts in new.items():
                self.texts(name)[condition.name] = texts
                write_text(self._path(name), json.dumps(self.texts(name), indent=1))
            print(f"{self.split.name}: {condition.name}: {', '.join(missing)}", flush=True)

    def _path(self, way: str) -> Path:
        return self.folder / f"{plain(way)}.json"

    def _batches(self, condition: Condition) -> Iterator[list[Utterance]]:
        count = len(self.split.clips)
        for start in range(0, count, BATCH):
            stop = min(start + BATCH, count)
            yield [self.split.utter(place, condition) for place in range(start, stop)]


def ways_of_sets(recogniser: SetRecogniser) -> dict[str, Way]:
    """Return how each set recognises, and which of them the selector chooses."""

    def choose(utterances: Sequence[Utterance]) -> list[str]:
        return [recogniser.choose(one) or PLAIN for one in recogniser.describe(utterances)]

    return {CHOICES: choose, **{name: way_of(recogniser, name) for name in SETS}}


def way_of_selector(recogniser: SetRecogniser) -> Way:
    """Return how the sets recognise that the selector chooses, without running the others."""
    ways = ways_of_sets(recogniser) | {PLAIN: way_of_plain(recogniser)}

    def recognise(utterances: Sequence[Utterance]) -> list[str]:
        texts = [""] * len(utterances)
        chosen = ways[CHOICES](utterances)
        for name in dict.fromkeys(chosen):
            places = [place for place, one in enumerate(chosen) if one == name]
            found = ways[name]([utterances[place] for place in places])
            for place, text in zip(places, found, strict=True):
                texts[place] = text
        return texts

    return recognise


def way_of_plain(recogniser: SetRecogniser) -> Way:
    """Return how the frozen model recognises."""
    return lambda utterances: [one.text for one in recogniser.plain(utterances)]


def way_of(recogniser: SetRecogniser, name: str) -> Way:
    """Return how one set recognises, or gates over several."""
    return lambda utterances: [one.text for one in recogniser.with_set(utterances, name)]
