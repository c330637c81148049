"""Many experiments that differ in a few entries: methods, tasks, shots, seeds; a table, a plot."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from time import perf_counter

from data_prep.sounds.labelled import Fold
from modalities.catalog import load_audio_encoder
from modalities.whole_file import replace_when_whole
from tasks.audio_classification.classifier_files import CARD, read_card
from tasks.audio_classification.config import ClassificationConfig, SoundDataOptions, find_fold
from tasks.audio_classification.model import attach_method
from tasks.audio_classification.study_report import Result, write_report
from tasks.audio_classification.training import SoundClassification
from tasks.audio_classification.windows import Kept, Progress
from tasks.config import changed
from tasks.training.loop import CHECKPOINT, train

RESULTS = "results.json"


@dataclass(frozen=True)
class StudyConfig:
    """Experiments to run.

    Attributes:
        task: "audio_classification_study".
        base: What they have in common.
        methods: Entries that each method changes, as {"lora": ["method=lora"]}.
        tasks: Entries that each task changes, as {"digit": ["data.dataset=fsdd_digit"]}.
        shots: Sounds of each class; 0 for all. Those above 0 are run on `few_shot` alone.
        few_shot: Tasks that are run with few sounds.
        few_shot_methods: Methods that are; empty for all.
        few_shot_changes: Entries that change there.
        seeds: One run for each: it fixes the start, what is drawn and which few sounds are taken.
    """

    task: str = "audio_classification_study"
    base: ClassificationConfig = field(default_factory=ClassificationConfig)
    methods: dict[str, list[str]] = field(default_factory=dict)
    tasks: dict[str, list[str]] = field(default_factory=dict)
    shots: tuple[int, ...] = (0,)
    few_shot: tuple[str, ...] = ()
    few_shot_methods: tuple[str, ...] = ()
    few_shot_changes: tuple[str, ...] = ()
    seeds: tuple[int, ...] = (0, 1, 2)

    def __post_init__(self):
        if not (self.methods and self.tasks and self.seeds):
            raise ValueError("A study needs methods, tasks and seeds; name one of each or more.")
        for name, known in (("few_shot", self.tasks), ("few_shot_methods", self.methods)):
            unknown = set(getattr(self, name)) - set(known)
            if unknown:
                raise ValueError(f"{name}: no {min(unknown)!r}; known: {', '.join(known)}.")


@dataclass(frozen=True)
class Run:
    """One experiment of a study.

    Attributes:
        method: What the study calls the method.
        task: What the study calls the task.
        shots: Sounds of each class, 0 for all.
        seed: Fixes the start, what is drawn and which few sounds are taken.
        config: All of it.
    """

    method: str
    task: str
    shots: int
    seed: int
    config: ClassificationConfig

    @property
    def place(self) -> Path:
        """Its folder in that of the study."""
        shots = f"{self.shots}_shots" if self.shots else "all"
        return Path(_plain(self.task), shots, _plain(self.method), str(self.seed))


def plan_runs(config: StudyConfig) -> list[Run]:
    """Return the experiments of a study.

    Raises:
        ValueError: A change is of an entry that is not there.
    """
    runs = []
    for task, of_task in config.tasks.items():
        for shots in config.shots:
            for method, of_method in config.methods.items():
                if shots and not _in_few_shot(config, task, method):
                    continue
                changes = [*of_task, *of_method, *(config.few_shot_changes if shots else ())]
                for seed in config.seeds:
                    drawn = [f"data.shots={shots}", f"data.seed={seed}", f"loop.seed={seed}"]
                    found = changed(config.base, [*changes, *drawn])
                    runs.append(Run(method, task, shots, seed, found))
    return runs


def _in_few_shot(config: StudyConfig, task: str, method: str) -> bool:
    methods = config.few_shot_methods or tuple(config.methods)
    return task in config.few_shot and method in methods


def run_study(
    config: StudyConfig,
    folder: str | Path,
    progress: Progress | None = None,
    device: str = "auto",
) -> list[Result]:
    """Run the experiments that have not been run, and write results.json, table.md and plots.

    Args:
        config: Which methods, tasks, shots and seeds to run.
        folder: For it; each experiment has a folder in it.
        progress: Called with the experiments done, and all.
        device: "cpu", or "auto" for a GPU where there is one.

    Raises:
        FileNotFoundError: Data or weights are not there.
        ValueError: They do not fit.
        OSError: The folder cannot be written.
    """
    folder = Path(folder)
    runs = plan_runs(config)
    _check_methods(runs)
    folds: dict[SoundDataOptions, Fold] = {}
    kept: dict[tuple[str, float, str], Kept] = {}
    found = []
    for number, run in enumerate(runs):
        found.append(_result(run, folder, folds, kept, device))
        if progress:
            progress(number + 1, len(runs))
    with replace_when_whole(folder / RESULTS) as partial:
        partial.write_text(json.dumps([asdict(r) for r in found], indent=1) + "\n")
    write_report(found, folder)
    return found


def _check_methods(runs: Sequence[Run]) -> None:
    """Put each method on its encoder once: what does not fit is told before hours of work."""
    for run in {run.method: run for run in runs}.values():
        attach_method(load_audio_encoder(run.config.encoder), run.config)


def _result(
    run: Run,
    folder: Path,
    folds: dict[SoundDataOptions, Fold],
    kept: dict[tuple[str, float, str], Kept],
    device: str,
) -> Result:
    """Return what an experiment came to, once it has been run."""
    place = folder / run.place
    timing = place / "seconds.json"
    if not (place / CARD).exists():
        data = run.config.data
        if data not in folds:
            folds[data] = find_fold(data)
        key = run.config.encoder, run.config.window_s, data.folder
        task = SoundClassification(run.config, folds[data], kept=kept.setdefault(key, Kept()))
        start = perf_counter()
        train(task, run.config.loop, place, None, device, asdict(run.config))
        with replace_when_whole(timing) as partial:
            partial.write_text(json.dumps(perf_counter() - start))
        (place / CHECKPOINT).unlink(missing_ok=True)  # three times the size of what was trained
    card = read_card(place)
    counts = card.parameters
    return Result(
        run.method,
        run.task,
        run.shots,
        run.seed,
        card.scores["accuracy"],
        counts.method + counts.norms,
        counts.head,
        json.loads(timing.read_text()) if timing.exists() else float("nan"),
    )


def _plain(name: str) -> str:
    return "".join(c if c.isalnum() else "_" for c in name)
