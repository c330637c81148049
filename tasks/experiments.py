"""All that `mcgurk train` can train, by the name of the task in its configuration."""

from collections.abc import Callable
from functools import partial
from typing import Any

from tasks.audio_classification.config import ClassificationConfig
from tasks.audio_classification.study import StudyConfig as SoundStudyConfig
from tasks.audio_classification.study import run_study as run_sound_study
from tasks.audio_classification.training import SoundClassification
from tasks.avsr.training.adapter_set import AdapterSetTraining, SetConfig
from tasks.avsr.training.agreement import AgreementConfig, AgreementTraining
from tasks.avsr.training.lips import LipConfig, LipReading
from tasks.avsr.training.selector import SelectorConfig, SelectorTraining
from tasks.training.study import StudyConfig, run_study

EXPERIMENTS: dict[str, tuple[type, Callable[[Any], Any]]] = {
    "lips": (LipConfig, LipReading),
    "agreement": (AgreementConfig, AgreementTraining),
    "selector": (SelectorConfig, SelectorTraining),
    "avsr": (SetConfig, AdapterSetTraining),
    "audio_classification": (ClassificationConfig, SoundClassification),
}


def find_experiment(name: str) -> tuple[type, Callable[[Any], Any]]:
    """Return the configuration of a task, and what is trained of one.

    Raises:
        ValueError: There is no such task.
    """
    if name not in EXPERIMENTS:
        raise ValueError(f"of: no task {name!r}; known: {', '.join(EXPERIMENTS)}.")
    return EXPERIMENTS[name]


# Many experiments in one file: run in a folder, with progress and a device.
STUDIES: dict[str, tuple[type, Callable[..., Any]]] = {
    "study": (StudyConfig, partial(run_study, find=find_experiment)),
    "audio_classification_study": (SoundStudyConfig, run_sound_study),
}
