"""Many experiments that differ in a few entries: methods, tasks, shots, seeds; a table, a plot."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from data_prep.sounds.labelled import Fold
from modalities.catalog import load_audio_encoder
from tasks.audio_classification.classifier_files import CARD, read_card
from tasks.audio_classification.config import ClassificationConfig, SoundDataOptions, find_fold
from tasks.audio_classification.model import attach_method
from tasks.audio_classification.study_report import Result, write_report
from tasks.audio_classification.training import SoundClassification
from tasks.audio_classification.windows import Kept
from tasks.config import changed
from tasks.training.loop import CHECKPOINT
from tasks.training.study import plain, write_results
from tasks.training.study_runs import Progress, Run, run_all, train_run


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
                    of_shots = f"{shots}_shots" if shots else "all"
                    place = Path(plain(task), of_shots, plain(method), str(seed))
                    runs.append(Run(method, task, shots, seed, place, found))
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
    found = run_all(runs, _Trainer(device), folder, progress)
    results = [
        Result(one.row, one.group, one.value, one.seed, **one.measures)  # type: ignore[arg-type]
        for one in found
    ]
    write_results(results, folder)
    write_report(results, folder)
    return results


def _check_methods(runs: Sequence[Run]) -> None:
    """Put each method on its encoder once: what does not fit is told before hours of work."""
    for run in {run.row: run for run in runs}.values():
        attach_method(load_audio_encoder(run.config.encoder), run.config)


class _Trainer:
    """Trains runs; sounds are found and cut once for all that share them."""

    def __init__(self, device: str):
        self.device = device
        self.folds: dict[SoundDataOptions, Fold] = {}
        self.kept: dict[tuple[str, float, str], Kept] = {}

    def __call__(self, run: Run, place: Path) -> dict[str, float]:
        """Return what an experiment came to.

        Earlier versions kept no record; there, one with a card and no checkpoint is finished.
        """
        timing = place / "seconds.json"
        if (place / CARD).exists() and not (place / CHECKPOINT).exists():
            seconds = json.loads(timing.read_text()) if timing.exists() else float("nan")
        else:
            seconds = train_run(self._build(run.config), run, place, self.device)["seconds"]
        card = read_card(place)
        counts = card.parameters
        return {
            "accuracy": card.scores["accuracy"],
            "parameters": counts.method + counts.norms,
            "head": counts.head,
            "seconds": seconds,
        }

    def _build(self, config: ClassificationConfig) -> SoundClassification:
        data = config.data
        if data not in self.folds:
            self.folds[data] = find_fold(data)
        key = config.encoder, config.window_s, data.folder
        kept = self.kept.setdefault(key, Kept())
        return SoundClassification(config, self.folds[data], kept=kept)
