"""What a configuration in YAML can be for, by the name of the task in it, and for which command.

Names are known at once; what they stand for is loaded when it is asked for, as most of it brings
torch. A new task is a function here and a line in a table.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Any

from modalities.spelling import did_you_mean
from tasks.config import read_name


def _later(module: str, name: str) -> Callable[..., Any]:
    """Return what loads a function when it is called: mistakes in configurations come first."""

    def call(*values: Any) -> Any:
        return getattr(import_module(module), name)(*values)

    return call


def _lips():
    from tasks.avsr.training.config import LipConfig

    return LipConfig, _later("tasks.avsr.training.lips", "LipReading")


def _agreement():
    from tasks.avsr.training.config import AgreementConfig

    return AgreementConfig, _later("tasks.avsr.training.agreement", "AgreementTraining")


def _selector():
    from tasks.avsr.training.config import SelectorConfig

    return SelectorConfig, _later("tasks.avsr.training.selector", "SelectorTraining")


def _avsr():
    from tasks.avsr.training.config import SetConfig

    return SetConfig, _later("tasks.avsr.training.adapter_set", "AdapterSetTraining")


def _audio_classification():
    from tasks.audio_classification.config import ClassificationConfig

    return ClassificationConfig, _later(
        "tasks.audio_classification.training", "SoundClassification"
    )


def _segmentation():
    from tasks.segmentation.config import SegmentationConfig

    return SegmentationConfig, _later("tasks.segmentation.training", "Segmentation")


def _vision_language():
    from tasks.vision_language.config import VisionLanguageConfig

    return VisionLanguageConfig, _later("tasks.vision_language.training", "VisionLanguageTraining")


def _separation():
    from tasks.audio_to_image.separation.config import SeparationConfig

    return SeparationConfig, _later("tasks.audio_to_image.separation.training", "Separation")


def _painting():
    from tasks.audio_to_image.painting.config import PaintingConfig

    return PaintingConfig, _later("tasks.audio_to_image.painting.training", "Painting")


def _painting_condition():
    from tasks.audio_to_image.painting.condition_training.config import ConditionConfig

    return ConditionConfig, _later(
        "tasks.audio_to_image.painting.condition_training.training", "ConditionTraining"
    )


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


def _segmentation_evaluation():
    from tasks.segmentation.evaluation.config import SegmentationEvaluationConfig
    from tasks.segmentation.evaluation.run import run_evaluation

    # Handed in, so that a segmenter can evaluate itself without a circle of imports.
    return SegmentationEvaluationConfig, partial(run_evaluation, load=_load_segmenter)


def _load_segmenter(folder_or_name: str, device: str) -> Any:
    return import_module("tasks.segmentation.segmenter").Segmenter.load(folder_or_name, device)


def _vision_language_evaluation():
    from tasks.vision_language.evaluation.config import VisionLanguageEvaluationConfig
    from tasks.vision_language.evaluation.run import run_evaluation

    return VisionLanguageEvaluationConfig, partial(run_evaluation, load=_load_answerer)


def _load_answerer(folder_or_name: str, device: str) -> Any:
    return import_module("tasks.vision_language.answerer").Answerer.load(folder_or_name, device)


def _painting_evaluation():
    from tasks.audio_to_image.painting.evaluation.config import PaintingEvaluationConfig

    return PaintingEvaluationConfig, _later(
        "tasks.audio_to_image.painting.evaluation.run", "run_evaluation"
    )


def _avsr_collection():
    from tasks.avsr.training.collect_config import CollectConfig

    return CollectConfig, _later("tasks.avsr.training.collect", "collect")


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
        writes: Names of the files that it writes in its folder.
        one_folder: Entries in which two evaluations have to agree to share a default folder, where
            the evaluation itself does not look.
    """

    load: Loader
    target: str
    options: Mapping[str, str]
    holds: str = ""
    writes: tuple[str, ...] = ()
    one_folder: tuple[str, ...] = ()


EXPERIMENTS: dict[str, Loader] = {
    "lips": _lips,
    "agreement": _agreement,
    "selector": _selector,
    "avsr": _avsr,
    "audio_classification": _audio_classification,
    "segmentation": _segmentation,
    "vision_language": _vision_language,
    "separation": _separation,
    "painting": _painting,
    "painting_condition": _painting_condition,
}


def find_experiment(name: str) -> tuple[type, Callable[[Any], Any]]:
    """Return the configuration of a task, and what is trained of one.

    Raises:
        ValueError: There is no such task.
    """
    if name not in EXPERIMENTS:
        guess = did_you_mean(name, EXPERIMENTS)
        raise ValueError(f"of: no task {name!r}; known: {', '.join(EXPERIMENTS)}.{guess}")
    return EXPERIMENTS[name]()


# What trainings write in their folder; a name with a slash is a folder, replaced as a whole.
OF_EACH = ("checkpoint.pt", "metrics.jsonl", "curves.png")
WRITES: dict[str, tuple[str, ...]] = {
    "lips": (*OF_EACH, "lips.safetensors"),
    "agreement": (*OF_EACH, "agreement.safetensors"),
    "selector": (*OF_EACH, "selector.safetensors"),
    "avsr": (*OF_EACH, "set/"),
    "audio_classification": (
        *OF_EACH,
        *("classifier.json", "head.safetensors", "encoder.safetensors", "adapter/"),
    ),
    "segmentation": (
        *OF_EACH,
        *("segmenter.json", "model.safetensors", "decoder.safetensors", "adapter/"),
    ),
    "vision_language": (*OF_EACH, "answerer.json", "tuned/"),
    "separation": (*OF_EACH, "separator.json", "network.safetensors", "audio_text/"),
    "painting": (
        *OF_EACH,
        *("painter.json", "adapter.safetensors", "denoiser/", "denoiser.safetensors"),
        "samples.png",
    ),
    "painting_condition": (
        *OF_EACH,
        *("condition.json", "condition.safetensors", "samples.png"),
    ),
    "study": ("results.json", "table.md", "parameters.png", "sweep.png"),
    "audio_classification_study": ("results.json", "table.md", "parameters.png", "shots.png"),
}
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
        writes=(
            *("results.jsonl", "settings.json", "rows.json", "summary.json", "report.md"),
            *("heat_map.png", "confusion.png"),
        ),
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
        writes=("scores.json", "report.md"),
        one_folder=("classifier", "model", "sounds", "data", "part"),
    ),
    "segmentation_evaluation": Evaluation(
        _segmentation_evaluation,
        target="segmenter",
        options={
            "masks": "masks",
            "part": "part",
            "seed": "seed",
            "skip_bad": "skip_bad",
            "device": "device",
        },
        holds="segmenter.json",
        writes=("scores.json", "masks.csv", "report.md", "worst.png"),
        one_folder=("segmenter", "masks", "data", "part", "prompts", "text", "unrelated"),
    ),
    "vision_language_evaluation": Evaluation(
        _vision_language_evaluation,
        target="answerer",
        options={
            "questions": "questions",
            "part": "part",
            "skip_bad": "skip_bad",
            "device": "device",
        },
        holds="answerer.json",
        writes=("scores.json", "answers.jsonl", "report.md", "mistakes.png"),
        one_folder=("answerer", "questions", "part", "rules", "beams", "longest"),
    ),
    "painting_evaluation": Evaluation(
        _painting_evaluation,
        target="painter",
        options={"part": "part", "seed": "seed", "clips": "clips", "device": "device"},
        holds="painter.json",
        writes=("scores.json", "report.md", "pictures.png"),
        one_folder=(
            *("painter", "mixtures", "part", "clips", "seed", "steps", "guidance"),
            *("image_text", "inception", "sounds"),
        ),
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
    guess = did_you_mean(name, known)
    raise ValueError(f"{path}: no task {name!r}; known: {', '.join(known)}.{guess}")
