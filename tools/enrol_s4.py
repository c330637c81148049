"""Enrol GRID's talker s4 and measure what that is worth: `python -m tools.enrol_s4`.

The weights are for measuring alone: what s4's clips are licensed under is stated nowhere.
"""

import json
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Annotated

import torch
import typer

from data_prep.clips.manifest import read_manifest
from data_prep.clips.prepare import prepare
from data_prep.clips.samples import Sample, load_sample
from data_prep.clips.splits import choose_clips, read_split
from data_prep.datasets.speech.folder import find_folder_clips
from data_prep.datasets.speech.grid import find_grid_clips
from data_prep.noise import Recordings, find_recordings, render_scene
from modalities.text_file import read_text
from modalities.whole_file import folder_when_whole
from tasks.avsr.evaluation.conditions import NoiseSource, draw_noise
from tasks.avsr.sets.collection import find_collection, read_collection, write_collection
from tasks.avsr.sets.contract import Utterance
from tasks.avsr.sets.row_reader import level_all
from tasks.avsr.sets.set_recogniser import SetRecogniser
from tasks.avsr.sets.talker_card import TalkerCard, find_talkers, read_talker
from tasks.avsr.sets.talker_sets import TalkerSets, load_all
from tasks.avsr.training.enrolment.enrol import enrol
from tasks.avsr.training.enrolment.options import EnrolOptions
from tasks.reports import write_text
from tasks.scoring.intervals import mean_interval, ratio_interval
from tasks.scoring.word_errors import WordErrors
from tools.changing_noise import CLIPS as TALKER_1
from tools.changing_noise import DATA, KEPT_FOR_TEST, ROOT, SPLIT, add_errors
from tools.enrol_s4_page import (
    AFTER,
    AUDIO,
    BEFORE,
    BLIND,
    PLAIN,
    WAYS,
    Found,
    Row,
    draw_crops,
    write_page,
)
from tools.routers_switching import tell_rate

PEOPLE = DATA / "grid_people"
BUILT = ROOT / "build/enrol"
Way = Callable[[Sequence[Utterance]], list[str]]  # writes a text for each clip
MODEL, COLLECTION, NAME = "whisper-tiny.en", "grid", "s4"
LIPS = "lips.safetensors"
LEVELS = (5.0, 0.0, -5.0, -10.0)
LOUD = (-5.0, -10.0)


@dataclass(frozen=True)
class Cell:
    """Noise of a test.

    Attributes:
        condition: Name of a kind of noise; "" for clean speech.
        snr_db: Signal-to-noise ratio; 0 of clean speech.
        draw: Number of the noise that is drawn.
    """

    condition: str = ""
    snr_db: float = 0.0
    draw: int = 0

    @property
    def name(self) -> str:
        """As results call it."""
        return f"{self.condition} {self.snr_db:g} dB, {self.draw}" if self.condition else "clean"


class Test:
    """Six clips of s4 that no enrolment sees, in noise that no training hears."""

    @cached_property
    def folder(self) -> Path:
        """Where all 36 clips are prepared."""
        prepare(find_grid_clips(PEOPLE / NAME), BUILT / NAME)
        return BUILT / NAME

    @cached_property
    def samples(self) -> list[Sample]:
        """The clips."""
        names = frozenset(split_of_s4()["test"])
        clips = choose_clips(read_manifest(self.folder / "manifest.jsonl"), names)
        return [load_sample(clip, self.folder) for clip in clips]

    @cached_property
    def sources(self) -> dict[str, NoiseSource]:
        """Kinds of noise by name: recordings and voices kept for tests."""
        found = find_recordings(DATA / "noise")
        stems = {path.stem for files in found.by_category.values() for path in files}
        kept = found.without(stems - set(KEPT_FOR_TEST)).by_category
        read = choose_clips(read_manifest(TALKER_1 / "manifest.jsonl"), read_split(SPLIT, "test"))
        voices = Recordings({}, tuple(Path(clip.media) for clip in read))
        others = find_recordings(DATA)
        sources = [
            NoiseSource("babble", "babble", voices),
            NoiseSource("sidespeaker", "sidespeaker", voices),
            *(NoiseSource(kind, kind, Recordings(kept)) for kind in ("music", "natural")),
            NoiseSource("babble, other voices", "babble", others, voices=3),
            NoiseSource("sidespeaker, other voices", "sidespeaker", others),
        ]
        return {source.name: source for source in sources}

    def cells(self, levels: Sequence[float], draws: int) -> list[Cell]:
        """Return clean speech, and every noise at each level."""
        noisy = [Cell(c, s, d) for c in self.sources for s in levels for d in range(draws)]
        return [Cell(), *noisy]

    def utter(self, cell: Cell) -> list[Utterance]:
        """Return the clips as they are heard and seen."""
        found = []
        for sample in self.samples:
            wave, clip = sample.waveform, sample.clip
            if cell.condition:
                source = self.sources[cell.condition]
                scene = draw_noise(clip, source, cell.snr_db, len(wave), cell.draw, "rms")
                wave = render_scene(scene, wave).waveform
            found.append(Utterance(wave, sample.crops, clip.mask()))
        return found


def split_of_s4() -> dict[str, list[str]]:
    return json.loads(read_text(PEOPLE / "splits.json"))[NAME]


def exchange_lips(lips: Path) -> Path:
    """Copy the collection with another lip encoder; return its folder, under build/enrol."""
    folder = BUILT / f"{COLLECTION}_{lips.resolve().parent.name}"
    if not folder.exists():
        source = find_collection(COLLECTION)
        with folder_when_whole(folder) as partial:
            shutil.copytree(source, partial, dirs_exist_ok=True)
            shutil.copyfile(lips, partial / LIPS)
            write_collection(partial, replace(read_collection(source), lips=LIPS))
    return folder


def enrol_some(
    count: int, seed: int, name: str = "", collection: str | Path = COLLECTION
) -> tuple[Path, TalkerCard]:
    """Enrol s4 from some of the 30 clips, unless that is done.

    Args:
        count: How many clips.
        seed: The enrolment's.
        name: What the folder is called; "" for one that tells count and seed.
        collection: That s4 is put into a copy of, by name or folder.
    """
    everything = split_of_s4()["train"]
    chosen = [everything[place * len(everything) // count] for place in range(count)]
    clips, output = BUILT / f"clips_{count}", BUILT / (name or f"{count}_clips_seed_{seed}")
    clips.mkdir(parents=True, exist_ok=True)
    for stem in chosen:
        link = clips / f"{stem}.mp4"
        if not link.exists():
            link.symlink_to((PEOPLE / NAME / link.name).resolve())
    options = EnrolOptions(
        NAME,
        str(clips),
        str(DATA / "noise"),
        KEPT_FOR_TEST,
        workers=1,
        seed=seed,
    )
    if not output.exists():
        enrol(collection, options, output, "cpu", _tell(output.name))
    return output, read_talker(find_talkers(output)[NAME])


def _tell(name: str):
    last = [-30.0]

    def tell(done: float, total: float | None) -> None:
        if done - last[0] >= 30:
            last[0] = done
            print(f"{name}: {done:.0f} of {total or 0:.0f} s", flush=True)

    return tell


def ways_of(enrolled: TalkerSets) -> dict[str, Way]:
    """Return how the clips are recognised, with the enrolled collection and without."""
    talker = enrolled.talkers[NAME]
    return {
        PLAIN: lambda clips: [one.text for one in enrolled.plain(clips)],
        AUDIO: lambda clips: [one.text for one in enrolled.with_set(clips, "audio")],
        BEFORE: lambda clips: recognise(enrolled.own, clips),
        AFTER: lambda clips: recognise(enrolled, clips),
        BLIND: lambda clips: hear_alone(talker, "all", clips),
    }


def recognise(sets: SetRecogniser | TalkerSets, clips: Sequence[Utterance]) -> list[str]:
    """Recognise as the pipeline does: with the set that is chosen, else with the frozen model."""
    found = [one.text for one in sets.recognise(clips)]
    left = [row for row, text in enumerate(found) if text is None]
    plain = iter(sets.plain([clips[row] for row in left]) if left else ())
    return [next(plain).text if text is None else text for text in found]


@torch.inference_mode()
def hear_alone(sets: SetRecogniser, name: str, clips: Sequence[Utterance]) -> list[str]:
    """Recognise with a set's adapters, and no lips."""
    adapted = sets.adapted
    with sets.sets.held([name]) as held, sets.sets.turn(), adapted.using(held[0].adapter):
        states = adapted.encoder(adapted.hear(level_all(clips))).values
        return [adapted.spell(said) for said in adapted.decode(states)]


class Results:
    """What ways of recognising wrote, in a JSON file; what is in it is not recognised again.

    Args:
        path: The file.
        test: The clips.
    """

    def __init__(self, path: Path, test: Test):
        self.path, self.test = path, test
        self.texts: dict[str, dict[str, list[str]]] = (
            json.loads(read_text(path)) if path.is_file() else {}
        )

    def fill(self, ways: Mapping[str, Way], cells: Sequence[Cell]) -> None:
        """Recognise what is missing."""
        for cell in cells:
            missing = [way for way in ways if cell.name not in self.texts.setdefault(way, {})]
            if missing:
                utterances = self.test.utter(cell)
                for way in missing:
                    self.texts[way][cell.name] = ways[way](utterances)
                write_text(self.path, json.dumps(self.texts, indent=1))

    def errors(self, way: str, cells: Sequence[Cell]) -> WordErrors:
        """Return the word errors of each clip, over cells."""
        spoken = [sample.clip.text or "" for sample in self.test.samples]
        return add_errors(spoken, [self.texts[way][cell.name] for cell in cells])


def recognise_all(
    folder: Path, test: Test, cells: Sequence[Cell], some: Sequence[str]
) -> tuple[TalkerSets, Results]:
    """Recognise what is missing by some of the ways; return the enrolled collection, and texts."""
    enrolled = load_all(MODEL, folder, "cpu")
    assert isinstance(enrolled, TalkerSets)
    results, ways = Results(BUILT / f"{folder.name}_texts.json", test), ways_of(enrolled)
    results.fill({way: ways[way] for way in some}, cells)
    return enrolled, results


def count_routes(enrolled: TalkerSets, test: Test) -> dict[str, tuple[int, int]]:
    """Count whose clips the sets of s4 are taken for, and all; by who is seen."""
    read = choose_clips(read_manifest(TALKER_1 / "manifest.jsonl"), read_split(SPLIT, "test"))
    seen = {"s4, test clips": test.samples}
    seen["talker 1, test clips"] = [load_sample(clip, TALKER_1) for clip in read]
    others = {name: find_grid_clips(PEOPLE / name) for name in ("s5", "s26", "s31")}
    others["three more talkers of GRID"] = find_grid_clips(DATA / "grid_talkers")
    others["a speech that is no sentence of GRID"] = find_folder_clips(DATA / "video")
    for name, clips in others.items():
        folder = BUILT / "others" / name.replace(" ", "_")
        prepare(clips, folder, workers=1)
        found = read_manifest(folder / "manifest.jsonl")
        seen[name] = [load_sample(clip, folder) for clip in found]
    routes = {}
    for name, samples in seen.items():
        windows = [Utterance(one.waveform, one.crops, one.clip.mask()) for one in samples]
        routes[name] = sum(one == NAME for one in enrolled.route(windows)), len(windows)
    return routes


def describe(results: Results, way: str, draws: int, levels: Sequence[float]) -> Row:
    """Return the rates of a way by level, and how they stand to the set that hears only."""
    conditions = list(results.test.sources)

    def cells(of: str, level: float) -> list[WordErrors]:
        return [
            results.errors(of, [Cell(condition, level, draw) for draw in range(draws)])
            for condition in conditions
        ]

    rates = {"clean": mean_interval([results.errors(way, [Cell()])])}
    rates |= {f"{level:g} dB": mean_interval(cells(way, level)) for level in levels}
    own, alone = ([e for level in LOUD for e in cells(of, level)] for of in (way, AUDIO))
    return Row(way, rates, ratio_interval(own, alone), mean_interval(own))


def describe_with(lips: Path, count: int, test: Test, draws: int) -> str:
    """Enrol from a collection with another lip encoder; return a line of Markdown."""
    source = exchange_lips(lips)
    folder, card = enrol_some(count, 0, f"{source.name}_{count}_clips", source)
    _, results = recognise_all(folder, test, test.cells(LOUD, draws), (AUDIO, AFTER))
    row = describe(results, AFTER, draws, LOUD)
    pieces = card.pieces - card.held_back
    return f"| {count} | {pieces} | {row.loud.value:.1f} % | {tell_rate(row.ratio, 2)} |"


def main(
    clips: Annotated[list[int], typer.Option(help="How many clips are enrolled, each.")] = [30],  # noqa: B006
    draws: Annotated[int, typer.Option(help="Noises for each clip, kind and level.")] = 2,
    seeds: Annotated[int, typer.Option(help="How often most clips are enrolled.")] = 3,
    lips: Annotated[Path | None, typer.Option(help="Print what another lip encoder does.")] = None,
) -> None:
    """Enrol, recognise, and write table, curve and picture."""
    torch.set_num_threads(1)
    test, curve = Test(), []
    if lips:
        for count in clips:
            print(describe_with(lips, count, test, draws))
        return
    rows: list[Row] = []
    routes: dict[str, tuple[int, int]] = {}
    counts = sorted(clips, reverse=True)
    for count, seed in [(counts[0], seed) for seed in range(seeds)] + [(c, 0) for c in counts[1:]]:
        folder, card = enrol_some(count, seed)
        whole = not curve
        levels, some = (LEVELS, WAYS) if whole else (LOUD, (AUDIO, AFTER))
        enrolled, results = recognise_all(folder, test, test.cells(levels, draws), some)
        if whole:
            rows = [describe(results, way, draws, levels) for way in WAYS]
            routes = count_routes(enrolled, test)
        curve.append((card, describe(results, AFTER, draws, levels)))
    write_page(Found(rows, curve, routes, draws))
    draw_crops(test.samples)


if __name__ == "__main__":
    typer.run(main)
