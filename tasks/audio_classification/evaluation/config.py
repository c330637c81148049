"""Which classifier to evaluate on which sounds, as a YAML file says it."""

from dataclasses import dataclass

from data_prep.sounds.labelled import PARTS
from fusion.contract.options import check_choice
from tasks.audio_classification.config import SoundDataOptions

ALL = "all"


@dataclass(frozen=True)
class SoundEvaluationConfig:
    """An evaluation.

    Attributes:
        task: "audio_classification_evaluation".
        classifier: Folder that training wrote.
        sounds: A folder with a folder for each class, or a .csv file with the columns path and
            label; empty takes `data`.
        data: A data set, and how it is parted; None takes what the classifier was trained on.
        part: "train", "validation", "test" or "all"; empty is "test" of `data`, all of `sounds`.
        model: Another name or place of the classifier's frozen model; None takes its own.
        skip_bad: Leave out what cannot be read or is silent, instead of stopping.
        device: auto, cpu, cuda or mps.
    """

    task: str = "audio_classification_evaluation"
    classifier: str = ""
    sounds: str = ""
    data: SoundDataOptions | None = None
    part: str = ""
    model: str | None = None
    skip_bad: bool = False
    device: str = "auto"

    def __post_init__(self):
        if self.part:
            check_choice("part", self.part, (*PARTS, ALL))
        if self.sounds and self.data is not None:
            raise ValueError("Both sounds and data are given; expected one of them at most.")
