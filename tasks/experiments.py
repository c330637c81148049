"""What a configuration in YAML can be for, by the name of the task in it, and for which command.

Names are known at once; what they stand for is loaded when it is asked for, as most of it brings
torch. A new task is a function here and a line in a table.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from functools import partial
from pathlib import Path
from typing import Any

from tasks.config import read_name


def _lips():
    from tasks.avsr.training.lips import LipConfig, LipReading

    return LipConfig, LipReading


def _agreement():
    from tasks.avsr.training.agreement import AgreementConfig, AgreementTraining

    return AgreementConfig, AgreementTraining


def _selector():
    from tasks.avsr.training.selector import SelectorConfig, SelectorTraining

    return SelectorConfig, SelectorTraining


def _avsr():
    from tasks.avsr.training.adapter_set import AdapterSetTraining, SetConfig

    return SetConfig, AdapterSetTraining


def _audio_classification():
    from tasks.audio_classification.config import ClassificationConfig

    def build(config: ClassificationConfig):  # mistakes in the configuration are told before torch
        from tasks.audio_classification.training import SoundClassification

        return SoundClassification(config)

    return ClassificationConfig, build


def _study():
    from tasks.training.study import StudyConfig, run_study

    return StudyConfig, partial(run_study, find=find_experiment)


def _audio_classification_study():
    from tasks.audio_classification.study import StudyConfig, run_study

    return StudyConfig, run_study


def _avsr_evaluation():
    from tasks.avsr.evaluation.config import EvaluationConfig
    from tasks.avsr.evaluation.run import run_evaluation

    return EvaluationConfig, run_evaluation


def _audio_classification_evaluation():
    from tasks.audio_classification.evaluation.config import SoundEvaluationConfig
    from tasks.audio_classification.evaluation.run import run_evaluation

    return SoundEvaluationConfig, run_evaluation


def _avsr_collection():
    from tasks.avsr.training.collect import CollectConfig, collect

    return CollectConfig, collect


Loader = Callable[[], tuple[type, Callable[..., Any]]]


@dataclass(frozen=True)
class Evaluation:
    """What `mcgurk evaluate` can measure.

    Attributes:
        load: Returns the dataclass of its configuration, and what runs it: called with a
            configuration, a folder to write to and a function that opens a progress bar, it
            returns `tasks.reports.Evaluated`.
        target: Entry of the configuration that a folder on the command line sets.
        options: Entries that the command's options set, by the option's name without dashes.
        holds: Name of a file by which a folder is known to be for it; "" takes all others.
    """

    load: Loader
    target: str
    options: Mapping[str, str]
    holds: str = ""


EXPERIMENTS: dict[str, Loader] = {
    "lips": _lips,
    "agreement": _agreement,
    "selector": _selector,
    "avsr": _avsr,
    "audio_classification": _audio_classification,
}


def find_experiment(name: str) -> tuple[type, Callable[[Any], Any]]:
    """Return the configuration of a task, and what is trained of one.

    Raises:
        ValueError: There is no such task.
    """
    if name not in EXPERIMENTS:
        raise ValueError(f"of: no task {name!r}; known: {', '.join(EXPERIMENTS)}.")
    return EXPERIMENTS[name]()


# Many experiments in one file: run in a folder, with progress and a device.
STUDIES: dict[str, Loader] = {
    "study": _study,
    "audio_classification_study": _audio_classification_study,
}
EVALUATIONS: dict[str, Evaluation] = {
    "avsr_evaluation": Evaluation(
        _avsr_evaluation,
        target="target",
        options={
            "model": "model",
            "sets": "sets",
            "noise": "noise",
            "category": "categories",
            "snr": "snr_db",
            "voices_from_clips": "voices_from_clips",
            "seed": "seed",
            "normaliser": "normaliser",
            "clips": "clips",
            "device": "device",
            "processes": "processes",
        },
    ),
    "audio_classification_evaluation": Evaluation(
        _audio_classification_evaluation,
        target="classifier",
        options={
            "model": "model",
            "sounds": "sounds",
            "part": "part",
            "skip_bad": "skip_bad",
            "device": "device",
        },
        holds="classifier.json",
    ),
}
# Trained parts that belong together: written to a folder, with progress and a device.
COLLECTIONS: dict[str, Loader] = {
    "avsr_collection": _avsr_collection,
}
USES: tuple[tuple[str, str, Mapping[str, Any]], ...] = (
    ("train", "an experiment", EXPERIMENTS),
    ("train", "a study", STUDIES),
    ("evaluate", "an evaluation", EVALUATIONS),
    ("sets collect", "a collection", COLLECTIONS),
)


def read_task(path: str | Path, command: str) -> str:
    """Return the task of a configuration, if it is for a command.

    Args:
        path: A YAML file.
        command: As "train".

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: It is no YAML, names no task, an unknown one, or one of another command.
    """
    known = [name for of, _, table in USES if of == command for name in table]
    name = read_name(path, "task", known)
    if name in known:
        return name
    for other, what, table in USES:
        if name in table:
            raise ValueError(f"{path} is {what} ({name}); use `mcgurk {other} {path}`.")
    alike = get_close_matches(name, known, 1)
    guess = f" Did you mean {alike[0]!r}?" if alike else ""
    raise ValueError(f"{path}: no task {name!r}; known: {', '.join(known)}.{guess}")
