"""What there is to set in a training to paint."""

import re
from dataclasses import dataclass, field
from math import inf

from fusion.contract.options import check_choice
from modalities.diffusion.audio_adapter import AudioAdapterOptions
from modalities.diffusion.measure.times import Late, LevelSampler
from modalities.diffusion.sampling import GUIDANCE, STEPS, check_sampling
from modalities.diffusion.small import SmallDenoiserOptions
from modalities.diffusion.small_mmdit import SmallMmditOptions
from tasks.training.measures import MeasureOptions
from tasks.training.options import LoopOptions

BASE, ADAPTER = "base", "adapter"
STAGES = (BASE, ADAPTER)


@dataclass(frozen=True)
class PictureDataOptions:
    """Pictures, in the second stage with embeddings of their sounds.

    Attributes:
        folder: Holds a manifest of mixtures with pictures, which are heard before the training; or
            what `write_examples` wrote, which was heard before.
        sizes: Sizes in which pictures are learnt, as "288x512", height by width; each picture takes
            that whose shape is nearest to its own. Empty for the denoiser's own size alone.
        flip: Whether half of the pictures, drawn anew each time, are turned left to right.
        validation: Share of the training pictures that is measured, where no row is called so.
        seed: Fixes which these are.
    """

    folder: str = ""
    sizes: tuple[str, ...] = ()
    flip: bool = False
    validation: float = 0.1
    seed: int = 0

    def __post_init__(self):
        if not 0 <= self.validation < 1:
            raise ValueError(f"data.validation is {self.validation}; expected 0 to below 1.")
        if self.seed < 0:
            raise ValueError(f"data.seed is {self.seed}; expected 0 or more.")
        for size in self.sizes:
            read_size(size)


@dataclass(frozen=True)
class PaintingConfig:
    """An experiment.

    Attributes:
        task: "painting".
        stage: "base" trains a small denoiser on pictures alone; "adapter" lets a frozen one read
            embeddings of sounds.
        data: Pictures.
        separator: Folder or name of what takes mixtures apart, in the second stage.
        audio_text: Without a separator, name or folder of the model of sound and text by which
            mixtures are heard as a whole; with one, another place of the model that it ranks by.
            With neither, `data.folder` holds what was heard before.
        embeddings: Folder where what is heard of mixtures is kept, of one separator or model alone:
            a training that is started again hears nothing twice. Hearing takes the training's
            device.
        denoiser: Name, folder or hub id of the frozen one, in the second stage.
        small: How a small one is built, in the first.
        mmdit: How a small MM-DiT is built in its place, trained by flow matching; None for a U-Net.
        adapter: How embeddings become tokens, in the second stage.
        drop: Share of the examples whose embeddings are taken for none, each drawn for itself, so
            that guidance has something to lead away from; 0 to below 1.
        confused: Up to how much of another sound's embedding is added to each that trains, drawn
            for each, in the second stage; 0 to below 1. Voices and recordings that were not heard
            lie further from what was meant, towards other sounds, than those that teach.
        hints: Share of the pictures about which a denoiser is told in the first stage, each drawn
            for itself, by a few tokens of the picture itself; 0 to below 1. Without, it never
            learns to follow tokens, and hardly follows those of sounds afterwards.
        late: How much more often late times, near noise alone, are learnt: times go as a number
            drawn evenly from 0..1 to the power of 1 / late. 1 draws all as often, as published.
            Which of some things a picture shows is settled late, in a small share of all times,
            so that little of what is learnt evenly is about what sounds tell.
        measure: Other ways to draw times, how much examples count, and which noise goes with which;
            None for times as `late` says, all alike, any noise with any picture. The validation is
            measured at the same times, and not weighted.
        steps: How often the denoiser looks at a picture, unless the painter is told a number.
        guidance: How far it goes beyond what is painted without sounds, unless it is told.
        shown: How many pictures are painted into samples.png when the training ends; 0 for none.
        loop: How long and how fast it is trained.
        licence: What the weights are licensed under, for the card; "" for nothing.
    """

    task: str = "painting"
    stage: str = ADAPTER
    data: PictureDataOptions = field(default_factory=PictureDataOptions)
    separator: str = ""
    audio_text: str = ""
    embeddings: str = ""
    denoiser: str = ""
    small: SmallDenoiserOptions = field(default_factory=SmallDenoiserOptions)
    mmdit: SmallMmditOptions | None = None
    adapter: AudioAdapterOptions = field(default_factory=AudioAdapterOptions)
    drop: float = 0.1
    confused: float = 0.0
    hints: float = 0.0
    late: float = 1.0
    measure: MeasureOptions | None = None
    steps: int = STEPS
    guidance: float = GUIDANCE
    shown: int = 8
    loop: LoopOptions = field(default_factory=LoopOptions)
    licence: str = ""

    def __post_init__(self):
        check_choice("stage", self.stage, STAGES)
        if (self.stage == ADAPTER) != bool(self.denoiser):
            raise ValueError(
                f"stage is {self.stage!r} and denoiser {self.denoiser!r}; expected the name of a "
                "frozen one with 'adapter', and none with 'base', which trains its own."
            )
        if self.mmdit is not None and self.stage == ADAPTER:
            raise ValueError("mmdit is set in stage 'adapter', whose denoiser is there already.")
        self._check_hearing()
        if not 0 <= self.drop < 1:
            raise ValueError(f"drop is {self.drop}; expected 0 to below 1.")
        if not 0 <= self.hints < 1 or (self.hints and self.stage == ADAPTER):
            raise ValueError(
                f"hints is {self.hints} in stage {self.stage!r}; expected 0 to below 1, and 0 in "
                "'adapter', whose denoiser is frozen."
            )
        if not 0 <= self.confused < 1 or (self.confused and self.stage == BASE):
            raise ValueError(
                f"confused is {self.confused} in stage {self.stage!r}; expected 0 to below 1, and "
                "0 in 'base', which hears nothing."
            )
        if not 0 < self.late < inf:
            raise ValueError(f"late is {self.late}; expected above 0 and finite, 1 for evenly.")
        if self.late != 1 and self.measure is not None and self.measure.time != "uniform":
            raise ValueError(
                f"late is {self.late:g} and measure.time {self.measure.time!r}, two ways to say "
                "one thing; expected late of 1, or measure.time 'uniform'."
            )
        if self.shown < 0:
            raise ValueError(f"shown is {self.shown}; expected 0 or more pictures.")
        check_sampling(self.steps, self.guidance)
        self.loop.check_goals(self.measures)

    def _check_hearing(self) -> None:
        if self.hears and self.stage == BASE:
            raise ValueError(
                "stage is 'base', which hears nothing; expected no separator and no audio_text. "
                "They belong to 'adapter'."
            )
        if self.hears and not self.embeddings:
            raise ValueError("embeddings is empty; expected a folder to keep what is heard in.")

    @property
    def hears(self) -> bool:
        """Whether mixtures are heard before the training, and were not before."""
        return bool(self.separator or self.audio_text)

    @property
    def sampler(self) -> LevelSampler:
        """What draws times, as shares of the way to noise."""
        if self.measure is None or self.measure.time == "uniform":
            return Late(self.late)
        return self.measure.sampler

    @property
    def measures(self) -> tuple[str, ...]:
        """What a training can end with, by name."""
        silent = ("validation_loss_without_sounds",) if self.stage == ADAPTER else ()
        return ("loss", "validation_loss", *silent)


def read_size(text: str) -> tuple[int, int]:
    """Read a size, as "288x512".

    Returns:
        Height and width in pixels.

    Raises:
        ValueError: It is none.
    """
    found = re.fullmatch(r"([1-9]\d*)x([1-9]\d*)", text)
    if not found:
        raise ValueError(f"{text!r} is no size; expected height by width, as '288x512'.")
    return int(found[1]), int(found[2])
