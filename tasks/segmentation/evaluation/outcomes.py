"""What a segmenter makes of images with masks: a score for each mask, and the worst to look at."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from time import perf_counter
from typing import Protocol

import numpy as np

from data_prep.masks.images import ReadImage, read_image, read_row_mask
from data_prep.masks.manifest import MaskedImage, by_image
from tasks.scoring.masks import MILLIMETRES, PIXELS, MaskScore, score_mask
from tasks.segmentation.request import THRESHOLD

Progress = Callable[[float, float | None], None]
Read = tuple[MaskedImage, ReadImage, np.ndarray]  # of a row, with the mask, [height, width]


class Segments(Protocol):
    """What is asked of a segmenter."""

    def probability(
        self, image: np.ndarray, prompts: Sequence[str], labels: Sequence[str]
    ) -> np.ndarray:
        """Return float32 [prompts, height, width], 0 to 1, of an image [height, width, 3].

        `labels` are the classes of the prompts, for what reads none.
        """
        ...


@dataclass(frozen=True)
class MaskOutcome:
    """One mask, as it was found.

    Attributes:
        id: The mask's, in its manifest.
        label: Its class.
        prompt: What was asked.
        score: Dice, IoU and HD95 of what was found by the prompt.
        unit: Of the score's HD95: "mm" where the spacing of pixels is known, else "px".
        seconds: Wall time of the segmenter, shared evenly by all that was asked of the image.
        unrelated: Scores of what was found by the unrelated prompts, in their order.
    """

    id: str
    label: str
    prompt: str
    score: MaskScore
    unit: str
    seconds: float
    unrelated: tuple[MaskScore, ...] = ()


@dataclass(frozen=True)
class Case:
    """All that a picture of an outcome shows.

    Attributes:
        outcome: The mask, and its score.
        image: Float32 [height, width, 3], 0 to 1.
        truth: Bool [height, width].
        predicted: Bool [height, width].
    """

    outcome: MaskOutcome
    image: np.ndarray
    truth: np.ndarray
    predicted: np.ndarray


@dataclass
class Measured:
    """What came of a run.

    Attributes:
        outcomes: In the order of the images in the manifest.
        unlabelled: Ids of rows without a mask, which nothing is said about.
        left_out: What is wrong with those that could not be used, by their id.
        notes: What reading an image had to decide, by the id of its first mask.
    """

    outcomes: list[MaskOutcome] = field(default_factory=list)
    unlabelled: list[str] = field(default_factory=list)
    left_out: dict[str, str] = field(default_factory=dict)
    notes: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Asked:
    """What is asked, and how the answer is read.

    Attributes:
        prompts: Sentences by the masks' ids.
        unrelated: Sentences that are asked of every image as well.
        threshold: Probability above which a pixel is of the mask.
        skip_bad: Whether to go on without what cannot be used.
    """

    prompts: Mapping[str, str]
    unrelated: Sequence[str] = ()
    threshold: float = THRESHOLD
    skip_bad: bool = False


def measure_masks(
    segmenter: Segments,
    rows: Sequence[MaskedImage],
    asked: Asked,
    look: Callable[[Case], None] | None = None,
    show: Progress | None = None,
) -> Measured:
    """Segment images and score what is found; each image is asked about once, for all its masks.

    Args:
        segmenter: Takes an image and several prompts at once.
        rows: Images with masks; those of one image need not be neighbours.
        asked: The prompts, and how the answer is read.
        look: Called with each case while it is in memory.
        show: Called with the rows done, and all.

    Raises:
        ValueError: A file is not there or cannot be used, and is not to be skipped; or nothing is
            left to score.
    """
    found = Measured(unlabelled=[row.id for row in rows if not row.mask])
    labelled = [row for row in rows if row.mask]
    done = 0
    for group in by_image(labelled):
        for case in _segment(segmenter, _read(group, asked.skip_bad, found), asked, found):
            found.outcomes.append(case.outcome)
            if look:
                look(case)
        done += len(group)
        if show:
            show(done, len(labelled))
    if not found.outcomes:
        raise ValueError(_tell_nothing(rows, found))
    return found


def _read(rows: Sequence[MaskedImage], skip_bad: bool, found: Measured) -> list[Read]:
    """Read an image and its masks; what cannot be used is noted, or stops the run."""
    read: list[Read] = []
    image: ReadImage | None = None
    for row in rows:
        try:
            image = image or read_image(row.image)
            truth = read_row_mask(row, image.values.shape[:2])
        except (ValueError, OSError) as error:
            _leave_out(row, error, skip_bad, found)
            continue
        spaced = replace(image, spacing_mm=row.spacing_mm or image.spacing_mm)
        read.append((row, spaced, truth))
    if read and read[0][1].note:
        found.notes[read[0][0].id] = f"{read[0][0].image}: {read[0][1].note}"
    return read


def _segment(
    segmenter: Segments, read: Sequence[Read], asked: Asked, found: Measured
) -> Iterator[Case]:
    """Ask about one image, and yield its cases."""
    if not read:
        return
    prompts = [*(asked.prompts[row.id] for row, _, _ in read), *asked.unrelated]
    labels = [*(row.label for row, _, _ in read), *[read[0][0].label] * len(asked.unrelated)]
    start = perf_counter()
    try:
        masks = segmenter.probability(read[0][1].values, prompts, labels) > asked.threshold
    except ValueError as error:
        for row, _, _ in read:
            _leave_out(row, error, asked.skip_bad, found)
        return
    seconds = (perf_counter() - start) / len(prompts)
    others = masks[len(read) :]
    for (row, image, truth), mask in zip(read, masks, strict=False):  # the others come after
        spacing = image.spacing_mm or (1.0, 1.0)
        outcome = MaskOutcome(
            row.id,
            row.label,
            asked.prompts[row.id],
            score_mask(mask, truth, spacing),
            MILLIMETRES if image.spacing_mm else PIXELS,
            seconds,
            tuple(score_mask(other, truth, spacing) for other in others),
        )
        yield Case(outcome, image.values, truth, mask)


def _leave_out(row: MaskedImage, error: Exception, skip_bad: bool, found: Measured) -> None:
    reason = " ".join(str(error).split())
    if not any(path in reason for path in (row.image, row.mask)):
        reason = f"{row.image} cannot be used: {reason}"
    if not skip_bad:
        raise ValueError(f"{reason} Mend it, or leave it out with --skip-bad.") from error
    found.left_out[row.id] = reason


def _tell_nothing(rows: Sequence[MaskedImage], found: Measured) -> str:
    told = next(iter(found.left_out.values()), "")
    return (
        f"Of {len(rows)} images there is nothing to score: {len(found.unlabelled)} have no mask, "
        f"{len(found.left_out)} cannot be used{f', as {told}' if told else ''}. Expected one image "
        "with a mask or more."
    )
