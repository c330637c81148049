"""Which answerer to evaluate on which questions, as a YAML file says it."""

from dataclasses import dataclass

from data_prep.questions.manifest import FOLDS
from fusion.contract.options import check_choice
from tasks.vision_language.config import MOST_BEAMS

ALL = "all"
PARTS = (*FOLDS, ALL)
RULES = ("official", "vl_t5")
MOST = 24  # pictures on a sheet


@dataclass(frozen=True)
class VisionLanguageEvaluationConfig:
    """An evaluation.

    Attributes:
        task: "vision_language_evaluation".
        answerer: Folder that training wrote, or the name of one that comes with the package.
        questions: Manifest of questions, as `mcgurk prepare` writes it, or its folder; empty takes
            those that it was trained and tested with.
        part: "train", "validation", "test" or "all"; empty is "test" where the rows are parted.
        rules: "official", or "vl_t5" for VQA accuracy as VL-Adapter's paper computed it.
        beams: Width of the search for captions; 0 as it was trained to be scored.
        longest: Tokens of a caption at most; 0 as it was trained to be scored.
        mistakes: How many wrong answers the picture sheet shows; 0 for no sheet.
        skip_bad: Leave out rows whose pictures are missing or cannot be read, instead of stopping.
        device: auto, cpu, cuda or mps.
    """

    task: str = "vision_language_evaluation"
    answerer: str = ""
    questions: str = ""
    part: str = ""
    rules: str = "official"
    beams: int = 0
    longest: int = 0
    mistakes: int = 8
    skip_bad: bool = False
    device: str = "auto"

    def __post_init__(self):
        if self.part:
            check_choice("part", self.part, PARTS)
        check_choice("rules", self.rules, RULES)
        if not 0 <= self.beams <= MOST_BEAMS or self.longest < 0:
            raise ValueError(
                f"beams is {self.beams} and longest {self.longest}; expected 1 to {MOST_BEAMS} "
                "beams and 1 token or more, or 0 for those of the training."
            )
        if not 0 <= self.mistakes <= MOST:
            raise ValueError(
                f"mistakes is {self.mistakes}; expected 0 to {MOST} answers, 0 for no sheet."
            )
