"""Recognise every clip in every condition in every way, each once."""

import signal
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache, partial
from itertools import product
from pathlib import Path
from typing import Protocol

from data_prep.clips.manifest import Clip
from data_prep.clips.samples import Sample, load_sample
from data_prep.noise import Scene, render_scene
from data_prep.workers.processes import run_in_processes
from fusion.scenarios.classifier import Scenario
from tasks.avsr.evaluation.conditions import Cell, NoiseSource, draw_noise, lay_out_cells
from tasks.avsr.evaluation.exchanged_faces import exchange_faces, fit_face
from tasks.avsr.evaluation.results import NO_VIDEO, RIGHT, WRONG, Key, Result, ResultFile
from tasks.avsr.evaluation.set_groups import SetNames
from tasks.avsr.sets.collection import CATEGORY
from tasks.avsr.sets.contract import Heard, Recogniser, Utterance

Way = tuple[str | None, str]  # a set, None for none, and which video
Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class Plan:
    """What is to be recognised.

    Attributes:
        clips: Prepared, with transcripts.
        folder: That their files are relative to.
        sources: Kinds of noise.
        snr_db: Signal-to-noise ratios.
        seed: Fixes what is drawn: noise and exchanged faces.
        recipe: How power is measured.
        batch: Clips at once.
    """

    clips: tuple[Clip, ...]
    folder: Path
    sources: tuple[NoiseSource, ...] = ()
    snr_db: tuple[float, ...] = ()
    seed: int = 0
    recipe: str = "rms"
    batch: int = 16

    @property
    def cells(self) -> list[Cell]:
        """Clean speech, then every kind of noise at every level."""
        return lay_out_cells(self.sources, self.snr_db)


def recognise_all(
    plan: Plan,
    recogniser: Recogniser,
    names: SetNames,
    results: ResultFile,
    progress: Progress | None = None,
    processes: int = 1,
    load: Callable[[], Recogniser] | None = None,
) -> None:
    """Recognise what the results lack, and add it to them in batches.

    The selector only chooses among outputs of sets, so each set is run once and rows are put
    together later. Only another face, and none, are shown to the chosen set alone.

    Args:
        plan: What is to be recognised.
        recogniser: That does it.
        names: What the recogniser's sets are called, and what for.
        results: On disk; a run that was interrupted goes on with them.
        progress: Called with the clips and conditions done, and all.
        processes: How many recognise, one core each.
        load: Loads the recogniser once more in each of several processes; a function of a module,
            or `functools.partial` of one.

    Raises:
        OSError: A file is not there, or results cannot be written.
        ValueError: A clip is silent or damaged, or there are too few recordings.
    """
    recognition = _Recognition(plan, recogniser, names, results)
    starts = range(0, len(plan.clips), plan.batch)
    batches = [plan.clips[start : start + plan.batch] for start in starts]
    parts = [(clips, cell) for clips in batches for cell in plan.cells]
    total = sum(len(clips) for clips, _ in parts)
    todo = [part for part in parts if recognition.lacks(*part)]
    done = total - sum(len(clips) for clips, _ in todo)

    def tell(clips: int) -> None:
        nonlocal done
        done += clips
        if progress:
            progress(done, total)

    tell(0)
    if load is None or min(processes, len(todo)) <= 1:
        for clips, cell in todo:
            recognition.run_cell(clips, cell)
            tell(len(clips))
    else:
        jobs = [_Job(clips, cell, tuple(recognition.known(clips, cell))) for clips, cell in todo]
        work = partial(_run_job, plan, names, load)
        for clips, found in run_in_processes(work, jobs, processes):
            results.append(found)
            tell(clips)
    results.tidy()


class _Results(Protocol):
    by_key: dict[Key, Result]

    def append(self, results: Iterable[Result]) -> None: ...


@dataclass
class _Memory:
    """Results of a process that writes no file."""

    by_key: dict[Key, Result]
    new: list[Result] = field(default_factory=list)

    def append(self, results: Iterable[Result]) -> None:
        found = list(results)
        self.new += found
        self.by_key |= {result.key: result for result in found}


@dataclass(frozen=True)
class _Job:
    """A batch in a condition, with the results that there are."""

    clips: tuple[Clip, ...]
    cell: Cell
    known: tuple[Result, ...]


_here: dict[str, "_Recognition"] = {}  # of a process that does jobs


def _run_job(
    plan: Plan, names: SetNames, load: Callable[[], Recogniser], job: _Job
) -> tuple[int, list[Result]]:
    """Do a job in a process of its own; return how many clips it had, and new results."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # it writes nothing: end at once
    results = _Memory({result.key: result for result in job.known})
    if "recognition" not in _here:
        _here["recognition"] = _Recognition(plan, load(), names, results)
    recognition = _here["recognition"]
    recognition.results = results
    recognition.run_cell(job.clips, job.cell)
    return len(job.clips), results.new


@dataclass(frozen=True)
class _Trial:
    """A clip in a condition, with what the selector made of it."""

    clip: Clip
    cell: Cell
    scene: Scene | None
    utterance: Utterance
    scenario: Scenario | None
    chosen: dict[str, str | None]


class _Recognition:
    """The parts of one run that belong together."""

    def __init__(self, plan: Plan, recogniser: Recogniser, names: SetNames, results: _Results):
        self.plan, self.recogniser, self.names, self.results = plan, recogniser, names, results
        self.by_id = {clip.id: clip for clip in plan.clips}
        self.sources = {source.name: source for source in plan.sources}
        with_video = [clip.id for clip in plan.clips if clip.mouth]
        self.faces = exchange_faces(with_video, plan.seed)
        # The clips of a batch and those whose faces they get stay in memory from cell to cell.
        self.load = lru_cache(maxsize=2 * plan.batch)(self._load)

    def lacks(self, clips: Sequence[Clip], cell: Cell) -> bool:
        """Return whether a result of some clips in one condition is missing."""
        return any(self._is_missing(clip, cell) for clip in clips)

    def known(self, clips: Sequence[Clip], cell: Cell) -> list[Result]:
        """Return the results that there are of some clips in one condition."""
        return [found for clip in clips for found in self._results_of(clip, cell)]

    def run_cell(self, clips: Sequence[Clip], cell: Cell) -> None:
        """Recognise what is missing of some clips in one condition."""
        trials = self._describe([self._set_up(clip, cell) for clip in clips])
        self.results.append(result for trial in trials for result in self._renew(trial))
        todo: dict[Way, list[_Trial]] = {}
        for trial in trials:
            for way in self._missing(trial.clip, cell, trial.chosen):
                todo.setdefault(way, []).append(trial)
        for (name, video), group in todo.items():
            shown = [self._show(trial, video) for trial in group]
            heard = self._recognise(shown, name)
            self.results.append(
                self._note(trial, (name, video), found)
                for trial, found in zip(group, heard, strict=True)
            )

    def _recognise(self, shown: list[Utterance], name: str | None) -> list[Heard]:
        if name is None:
            return self.recogniser.plain(shown)
        return self.recogniser.with_set(shown, name)

    def _known(self, clip: Clip, cell: Cell) -> Result | None:
        """Return the result that every clip has first, if it says what was chosen."""
        found = self.results.by_key.get((clip.id, cell.condition, cell.snr_db, None, NO_VIDEO))
        return None if found and self.names.selected and not found.scenario else found

    def _is_missing(self, clip: Clip, cell: Cell) -> bool:
        known = self._known(clip, cell)
        return known is None or bool(self._missing(clip, cell, known.chosen))

    def _missing(self, clip: Clip, cell: Cell, chosen: dict[str, str | None]) -> list[Way]:
        place = clip.id, cell.condition, cell.snr_db
        return [
            way for way in self._ways(clip, chosen) if (*place, *way) not in self.results.by_key
        ]

    def _ways(self, clip: Clip, chosen: dict[str, str | None]) -> list[Way]:
        """Return in which ways a clip is to be recognised, the frozen model first."""
        video = RIGHT if clip.mouth else NO_VIDEO
        ways: list[Way] = [(None, NO_VIDEO), *((name, video) for name in self.names.every)]
        selected = chosen.get(CATEGORY)
        if clip.mouth and selected is not None:
            ways.append((selected, NO_VIDEO))
        watching = selected or self.names.watching
        if clip.id in self.faces and watching is not None:
            ways.append((watching, WRONG))
        return ways

    def _set_up(self, clip: Clip, cell: Cell) -> _Trial:
        sample = self.load(clip.id)
        waveform, scene = sample.waveform, None
        if cell.snr_db is not None:
            source = self.sources[cell.condition]
            plan = self.plan
            scene = draw_noise(clip, source, cell.snr_db, len(waveform), plan.seed, plan.recipe)
            waveform = render_scene(scene, waveform).waveform
        seen = (sample.crops, clip.mask()) if clip.mouth else (None, None)
        return _Trial(clip, cell, scene, Utterance(waveform, *seen), None, {})

    def _describe(self, trials: list[_Trial]) -> list[_Trial]:
        """Add what the selector makes of each; what was written down before stands."""
        if not self.names.selected:
            return trials
        known = [self._known(trial.clip, trial.cell) for trial in trials]
        new = [t.utterance for t, before in zip(trials, known, strict=True) if before is None]
        found = iter(self.recogniser.describe(new) if new else [])
        return [
            replace(trial, **self._choose(next(found)))
            if before is None
            else replace(trial, scenario=before.scenario, chosen=before.chosen)
            for trial, before in zip(trials, known, strict=True)
        ]

    def _renew(self, trial: _Trial) -> list[Result]:
        """Return what was recognised before another selector chose, with its choice."""
        return [
            replace(result, scenario=trial.scenario, chosen=trial.chosen)
            for result in self._results_of(trial.clip, trial.cell)
            if trial.scenario and not result.scenario
        ]

    def _results_of(self, clip: Clip, cell: Cell) -> list[Result]:
        place = clip.id, cell.condition, cell.snr_db
        ways = product((None, *self.names.every), (RIGHT, WRONG, NO_VIDEO))
        found = (self.results.by_key.get((*place, *way)) for way in ways)
        return [result for result in found if result]

    def _choose(self, scenario: Scenario) -> dict:
        chosen = {group: self.recogniser.choose(scenario, group) for group in self.names.selected}
        return {"scenario": scenario, "chosen": chosen}

    def _show(self, trial: _Trial, video: str) -> Utterance:
        if video == NO_VIDEO:
            return Utterance(trial.utterance.waveform)
        if video == RIGHT:
            return trial.utterance
        other = self.load(self.faces[trial.clip.id])
        assert trial.utterance.crops is not None
        seen = fit_face(other.crops, other.clip.mask(), len(trial.utterance.crops))
        return Utterance(trial.utterance.waveform, *seen)

    def _note(self, trial: _Trial, way: Way, heard: Heard) -> Result:
        name, video = way
        return Result(
            trial.clip.id,
            trial.cell.condition,
            trial.cell.category,
            trial.cell.snr_db,
            name,
            video,
            heard.text,
            trial.clip.text or "",
            heard.agreement,
            self.faces[trial.clip.id] if video == WRONG else None,
            trial.scenario,
            trial.chosen,
            trial.scene,
            self.plan.seed,
        )

    def _load(self, name: str) -> Sample:
        return load_sample(self.by_id[name], self.plan.folder)
