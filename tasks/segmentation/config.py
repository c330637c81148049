"""What there is to set in an experiment of segmentation."""

from dataclasses import dataclass, field
from typing import Any

from fusion.contract.options import check_choice
from fusion.papers.table import check_method, read_methods
from modalities.spelling import did_you_mean
from tasks.segmentation.variants import (
    DECODER,
    FULL,
    NOTHING,
    UNET,
    VARIANTS,
    check_variant_options,
)
from tasks.training.options import LoopOptions

LOSSES = ("dice_bce", "paper")
FIXED, RANDOM = "fixed", "random"
# What is not in a picture, for negative examples and to see whether a prompt matters.
UNRELATED = (
    "a red bus in the street",
    "a green tree at the right",
    "the yellow chair",
    "a dog with a white ball",
    "the blue door of a house",
)


@dataclass(frozen=True)
class MaskDataOptions:
    """Images with masks, and which of them train.

    Attributes:
        dataset: A name of `data_prep.datasets.masks.catalog.MASK_DATASETS`, or "manifest".
        folder: Where the data set lies, or the folder of a manifest that `mcgurk prepare` wrote.
        validation: Share of the training images that chooses the best weights, where the data set
            has no part for it.
        test: Share that tests, where it has no part for that.
        seed: Fixes which images these are.
        clean_splits: Leave images out of the training that are in validation or test as well.
        skip_bad: Leave out what cannot be read, instead of stopping.
    """

    dataset: str = "manifest"
    folder: str = ""
    validation: float = 0.1
    test: float = 0.1
    seed: int = 0
    clean_splits: bool = False
    skip_bad: bool = False


@dataclass(frozen=True)
class PromptOptions:
    """Which of an image's prompts are given with it.

    Attributes:
        use: "random" draws one of those after p0 each time, and of several wordings one, as the
            paper does; a name as "p6" takes that one; "fixed" always gives `text`.
        text: The prompt, with "fixed"; "{label}" in it is the class.
        each: Prompts of an image in one step, where it has several; they share what is seen.
        unrelated: Share of the examples whose prompt is about something else, and whose mask is
            empty; 0 as published. A U-Net, which reads no prompts, is spared them in training.
        unrelated_texts: These prompts.
    """

    use: str = RANDOM
    text: str = ""
    each: int = 1
    unrelated: float = 0.0
    unrelated_texts: tuple[str, ...] = UNRELATED

    def __post_init__(self):
        if (self.use == FIXED) != bool(self.text):
            raise ValueError(
                f"prompts.use is {self.use!r} and prompts.text {self.text!r}; expected a text with "
                "'fixed', and none else."
            )
        if self.each < 1:
            raise ValueError(f"prompts.each is {self.each}; expected 1 or more.")
        if not 0 <= self.unrelated < 1:
            raise ValueError(f"prompts.unrelated is {self.unrelated}; expected 0 to below 1.")
        if self.unrelated and not self.unrelated_texts:
            raise ValueError("prompts.unrelated_texts is empty; expected some prompts.")


@dataclass(frozen=True)
class SegmentationConfig:
    """An experiment.

    Attributes:
        task: "segmentation".
        data: Images and masks.
        model: Name, folder or hub id of the frozen CLIPSeg.
        method: A name of `VARIANTS` (as "da_vl"), "decoder" to train that alone, "full" to train
            all, "unet" for a plain U-Net in its place, or a name of `fusion.methods.METHODS`. ""
            trains nothing: a study measures the model as it is, the row to compare others with.
        options: Of a variant `rank` and `condition_rank`; of a method the fields of its dataclass
            that differ from their defaults; of "unet" its `encoder`; of "full" `text`, false to
            leave the text encoder as it is.
        where: Roles, for a name of METHODS; empty for the method's own.
        train_decoder: Whether the decoder is trained as well, beside adapters.
        prompts: Which prompts are given.
        loss: "dice_bce": 1.5 times the Dice loss of the probabilities, and binary cross-entropy of
            the logits, as the paper says; "paper": 1.5 times the Dice loss alone, which is what
            its software computed.
        features: Folder for what the frozen encoders make of the images, where nothing in front
            changes; empty keeps it in memory.
        loop: How long and how fast it is trained.
        licence: What the weights are licensed under, for the card; "" for nothing.
    """

    task: str = "segmentation"
    data: MaskDataOptions = field(default_factory=MaskDataOptions)
    model: str = "scenes"
    method: str = "da_vl"
    options: dict[str, Any] = field(default_factory=dict)
    where: tuple[str, ...] = ()
    train_decoder: bool = False
    prompts: PromptOptions = field(default_factory=PromptOptions)
    loss: str = "dice_bce"
    features: str = ""
    loop: LoopOptions = field(default_factory=LoopOptions)
    licence: str = ""

    def __post_init__(self):
        check_choice("loss", self.loss, LOSSES)
        own = (*VARIANTS, DECODER, FULL, UNET)
        if self.method in (*own, NOTHING):
            check_variant_options(self.method, self.options)
            if self.where:
                raise ValueError(
                    f"method is {self.method!r}, which says itself where it goes; leave 'where' "
                    "out, or take a name of METHODS."
                )
            if self.train_decoder and self.method not in VARIANTS:
                raise ValueError(
                    f"method is {self.method!r} and train_decoder true; that goes with adapters "
                    "alone. Leave it out."
                )
        else:
            _check_method(self.method, self.options, own)
        self.loop.check_goals(self.measures)

    @property
    def measures(self) -> tuple[str, ...]:
        """What a training can end with, by name."""
        tested = ("test_dice", "test_iou", "test_hd95_px", "test_hd95_mm", "test_dice_unrelated")
        losses = ("loss", "dice_loss", "cross_entropy", "validation_loss")
        return (*losses, "dice", "iou", *tested)


def _check_method(name: str, options: dict[str, Any], own: tuple[str, ...]) -> None:
    try:
        check_method(name, options)
    except ValueError as error:
        if name in (row.method for row in read_methods()):
            raise
        guess = did_you_mean(name, own)
        raise ValueError(f"{error} Of segmentation itself: {', '.join(own)}.{guess}") from error
