"""Which segmenter to evaluate on which masks, as a YAML file says it."""

from dataclasses import dataclass
from typing import Any

from data_prep.datasets.masks.catalog import MASK_DATASETS
from fusion.contract.options import check_choice
from tasks.segmentation.config import RANDOM
from tasks.segmentation.request import THRESHOLD

ALL = "all"
PARTS = ("train", "validation", "test", ALL)
MOST = 60  # masks on a sheet


@dataclass(frozen=True)
class MaskSetOptions:
    """Where images with masks lie.

    Attributes:
        dataset: A name of `MASK_DATASETS`.
        folder: Where the data set lies, laid out as it was published.
    """

    dataset: str = "folder"
    folder: str = ""

    def __post_init__(self):
        check_choice("dataset", self.dataset, MASK_DATASETS)


@dataclass(frozen=True)
class SegmentationEvaluationConfig:
    """An evaluation.

    Attributes:
        task: "segmentation_evaluation".
        segmenter: Folder that training wrote, or the name of one that comes with the package.
        masks: Manifest of images with masks, as `mcgurk prepare` writes it, or its folder; empty
            takes `data`.
        data: A data set as it was published, instead of a manifest.
        part: "train", "validation", "test" or "all"; empty is "test" where the images are parted.
        prompts: Key of the prompts that are asked, as "p5"; or "random": for each mask one of its
            keys but p0, then one of that key's wordings, as the paper does.
        text: One sentence that is asked of every image instead, in which "{label}" stands for the
            class.
        unrelated: A sentence, or a list of several, about what no image shows: the report sets the
            scores of the right prompt beside those of these. Empty to leave it out.
        threshold: Probability above which a pixel is of the mask, 0 to 1.
        seed: Fixes which prompts are drawn; a mask's does not depend on which others there are.
        worst: How many masks the picture sheet of the worst holds; 0 for no sheet.
        skip_bad: Leave out images and masks that cannot be used, instead of stopping.
        device: auto, cpu, cuda or mps.
    """

    task: str = "segmentation_evaluation"
    segmenter: str = ""
    masks: str = ""
    data: MaskSetOptions | None = None
    part: str = ""
    prompts: str = RANDOM
    text: str = ""
    unrelated: Any = ""
    threshold: float = THRESHOLD
    seed: int = 0
    worst: int = 12
    skip_bad: bool = False
    device: str = "auto"

    def __post_init__(self):
        _read_unrelated(self.unrelated)
        if self.part:
            check_choice("part", self.part, PARTS)
        if self.masks and self.data is not None:
            raise ValueError("Both masks and data are given; expected one of them at most.")
        if not 0 <= self.threshold <= 1:
            raise ValueError(f"threshold is {self.threshold}; expected a probability, 0 to 1.")
        if not 0 <= self.worst <= MOST:
            raise ValueError(f"worst is {self.worst}; expected 0 to {MOST} masks, 0 for no sheet.")

    @property
    def unrelated_prompts(self) -> tuple[str, ...]:
        """The unrelated sentences, none for an empty entry."""
        return _read_unrelated(self.unrelated)


def _read_unrelated(unrelated: Any) -> tuple[str, ...]:
    several = [unrelated] if isinstance(unrelated, str) else [] if unrelated is None else unrelated
    if not isinstance(several, list | tuple) or not all(isinstance(one, str) for one in several):
        raise ValueError(f"unrelated is {unrelated!r}; expected a sentence, or a list of some.")
    return tuple(one for one in several if one)
