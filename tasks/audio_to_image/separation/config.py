"""What there is to set in an experiment of separation."""

from dataclasses import dataclass, field
from math import inf

import numpy as np

from data_prep.datasets.sounds.catalog import SOUND_DATASETS
from fusion.contract.options import check_choice
from modalities.separation.network import SeparatorOptions
from tasks.audio_to_image.separation.losses import MOST_DB
from tasks.audio_to_image.separation.ranking import SIGNIFICANCES
from tasks.training.options import LoopOptions

APART = ("clip", "label", "data")
MANIFEST_DATA = "manifest"
SCHEDULES = ("fixed", "handed_over")
MOST_GAIN_DB = 100  # of a gain: beyond it the softer of two clips is lost beside the other


@dataclass(frozen=True)
class ClipOptions:
    """Sounds to mix, and which of them train.

    Attributes:
        dataset: A name of `SOUND_DATASETS`, or "manifest" for recordings of several sounds.
        folder: Where the data set lies, laid out as it was published, or with a manifest that
            `mcgurk prepare` or a tool wrote; its rows say themselves what trains.
        speakers: Those that are only measured, never trained on; () goes by the data set's parts,
            of numbered ones the last is measured.
        validation: Share of each class that is measured, where the data set has no parts.
        seed: Fixes which.
        skip_bad: Leave out what cannot be read or is silent, instead of stopping.
        whole: Of a manifest, take recordings as they are, also those whose sources are known;
            otherwise each known source is a sound of its own.
    """

    dataset: str = "classes"
    folder: str = ""
    speakers: tuple[str, ...] = ()
    validation: float = 0.1
    seed: int = 0
    skip_bad: bool = False
    whole: bool = False

    def __post_init__(self):
        check_choice("dataset", self.dataset, (*SOUND_DATASETS, MANIFEST_DATA))
        if not 0 < self.validation < 1:
            raise ValueError(f"validation is {self.validation}; expected above 0 and below 1.")
        if self.seed < 0:
            raise ValueError(f"seed is {self.seed}; expected 0 or more.")
        if not self.folder.strip():
            raise ValueError("folder is empty; expected that of a data set, as it was published.")


@dataclass(frozen=True)
class MixtureOptions:
    """What is mixed.

    Attributes:
        fewest: How many references a training mixture has at least, 1 or more.
        most: How many at most. With 2 of both and no gain it is what was published; the references
            that a mixture has less are silent ones.
        weights: How often each number of references from `fewest` to `most` comes, one weight of 0
            or more for each; () for all alike.
        clips: How many clips are added up to one reference at most, at random; the separator is not
            told their number, as MixIT can be taught by recordings of several sounds.
        apart: Clips of a mixture are different ones ("clip"), of different labels ("label"), or
            of different entries of `data` ("data").
        gain_db: Each clip is made louder or softer by up to so much, 0 to 100, at random.
        equal_levels: Bring clips to one level, 0.1 of full scale by the root of the mean square,
            before the gain.
        measured: How many sources the held-out mixtures have, for each of these a measurement.
        count: How many held-out mixtures there are of each, 1 or more.
    """

    fewest: int = 2
    most: int = 2
    weights: tuple[float, ...] = ()
    clips: int = 1
    apart: str = "label"
    gain_db: float = 0.0
    equal_levels: bool = False
    speed: float = 1.0
    measured: tuple[int, ...] = (2, 3)
    count: int = 50

    def __post_init__(self):
        check_choice("apart", self.apart, APART)
        if not 1 <= self.fewest <= self.most:
            raise ValueError(
                f"mixtures.fewest is {self.fewest} and mixtures.most {self.most}; expected 1 or "
                "more, and no fewer at most than at least."
            )
        self._check_weights()
        if self.clips < 1 or self.count < 1 or not 0 <= self.gain_db <= MOST_GAIN_DB:
            raise ValueError(
                f"mixtures has clips {self.clips}, count {self.count} and gain_db "
                f"{self.gain_db:g}; expected 1 or more, 1 or more, and 0 to {MOST_GAIN_DB}."
            )
        if not 1 <= self.speed <= 2:
            raise ValueError(f"mixtures.speed is {self.speed:g}; expected 1 to 2.")
        if not self.measured or min(self.measured) < 1:
            raise ValueError(f"mixtures.measured is {self.measured}; expected numbers above 0.")

    def _check_weights(self) -> None:
        numbers, sound = self.most - self.fewest + 1, all(0 <= w < inf for w in self.weights)
        if self.weights and not (len(self.weights) == numbers and sound and sum(self.weights)):
            raise ValueError(
                f"mixtures.weights is {self.weights}; expected {numbers} numbers of 0 or more, one "
                f"for each from {self.fewest} to {self.most}, not all 0."
            )

    def draw_count(self, random: np.random.Generator) -> int:
        """Return how many references a mixture has."""
        if not self.weights:
            return int(random.integers(self.fewest, self.most + 1))
        shares = np.asarray(self.weights) / sum(self.weights)
        return self.fewest + int(random.choice(len(shares), p=shares))


@dataclass(frozen=True)
class LossOptions:
    """What a separator is taught by.

    Attributes:
        reconstruction: Weight of the MixIT loss, in dB, above 0.
        alignment: Weight of the loss by which sources find their texts; 0 for none.
        ranking: Weight of the loss by which the first source becomes the most significant one; 0
            for none.
        schedule: "fixed", as the paper's equation; "handed_over", as its software: the
            reconstruction's part falls from 1 over the training while that of the others rises
            from 0.
        least: What is left of the reconstruction's part at the end of "handed_over", above 0, so
            that separation is not forgotten; the software went down to 0.
        temperature: How far apart cosines are ranked for certain; see `soft_rank`.
        split: Whether several sources may make up one sound, as MixIT lets them; without, each
            sound that was mixed is one source, and sources without one are silent. That takes
            mixtures of single sounds (`mixtures.clips` 1).
        most_db: SI-SDR in dB that the reconstruction comes close to but does not pass, above 0 to
            60. Where mixtures of one sound are not split, they would go on to teach masks of
            exactly 0 and 1 for the sake of ever more dB; 20 leaves the say to what is mixed.
    """

    reconstruction: float = 1.0
    alignment: float = 0.0
    ranking: float = 0.0
    schedule: str = "fixed"
    least: float = 0.1
    temperature: float = 0.1
    split: bool = True
    most_db: float = MOST_DB

    def __post_init__(self):
        check_choice("schedule", self.schedule, SCHEDULES)
        if not 0 < self.reconstruction < inf or not 0 < self.least <= 1:
            raise ValueError(
                f"loss.reconstruction is {self.reconstruction:g} and loss.least {self.least:g}; "
                "expected above 0 and finite, and above 0 to 1: without it nothing is taken apart."
            )
        if not 0 < self.most_db <= MOST_DB:
            raise ValueError(
                f"loss.most_db is {self.most_db:g}; expected above 0 to {MOST_DB:g} dB."
            )
        weights = (self.alignment, self.ranking)
        if not all(0 <= weight < inf for weight in weights) or not 0 < self.temperature < inf:
            raise ValueError(
                f"loss has alignment {self.alignment:g}, ranking {self.ranking:g} and temperature "
                f"{self.temperature:g}; expected 0 or more, 0 or more, and above 0, all finite."
            )

    @property
    def listens(self) -> bool:
        """Whether sources have to be embedded."""
        return self.alignment > 0 or self.ranking > 0

    def parts(self, progress: float) -> tuple[float, float]:
        """Return the parts of the reconstruction, and of the others.

        Args:
            progress: How much of the training is done, 0 to 1.
        """
        if self.schedule == "fixed":
            return 1.0, 1.0
        handed_over = min(progress, 1.0) * (1 - self.least)
        return 1 - handed_over, handed_over


@dataclass(frozen=True)
class SeparationConfig:
    """An experiment.

    Attributes:
        task: "separation".
        data: Sounds to mix, of one folder or several, by names of your own.
        network: Sizes; the defaults are the published ones.
        start: Name or folder of a separator whose weights the training begins with, one of the same
            sizes; "" to begin with random ones.
        audio_text: Name, folder or checkpoint of the frozen model of sound and text by which
            sources find their texts and are ranked; "" for none.
        significance: What makes a source significant: "likeness", how like the mixture it sounds,
            as published; "loud_likeness", that times its amplitude; "loudness", the amplitude
            alone.
        keep_audio_text: Whether a copy of it is written beside the separator, so that the folder
            can move.
        prompt: How a label is told to it, with "{label}" in it.
        mixtures: What is mixed of the sounds.
        loss: What is learnt from it.
        loop: How long and how fast it is trained.
        licence: What the weights are licensed under, for the card; "" for nothing.
    """

    task: str = "separation"
    data: dict[str, ClipOptions] = field(default_factory=dict)
    network: SeparatorOptions = field(default_factory=SeparatorOptions)
    start: str = ""
    audio_text: str = ""
    significance: str = "likeness"
    keep_audio_text: bool = False
    prompt: str = "The sound of {label}"
    mixtures: MixtureOptions = field(default_factory=MixtureOptions)
    loss: LossOptions = field(default_factory=LossOptions)
    loop: LoopOptions = field(default_factory=LoopOptions)
    licence: str = ""

    def __post_init__(self):
        if not self.data:
            raise ValueError(
                "data is empty; expected one or more data sets by name, each with a folder."
            )
        if self.loss.listens and not self.audio_text:
            raise ValueError(
                "audio_text is '', while loss.alignment or loss.ranking is above 0; name the model "
                "that embeds sounds, or set both to 0."
            )
        check_choice("significance", self.significance, SIGNIFICANCES)
        if not self.loss.split and self.mixtures.clips > 1:
            raise ValueError(
                f"loss.split is false and mixtures.clips {self.mixtures.clips}; expected 1: "
                "several clips are more than one source. Let them be split, or mix single sounds."
            )
        most = max(self.mixtures.most, *self.mixtures.measured)
        if most > self.network.sources:
            raise ValueError(
                f"network.sources is {self.network.sources} and a mixture has {most}; expected as "
                "many sources or more."
            )
        if "{label}" not in self.prompt:
            raise ValueError(f"prompt is {self.prompt!r}; expected {{label}} in it.")
        self.loop.check_goals(self.measures)

    @property
    def measures(self) -> tuple[str, ...]:
        """What a training can end with, by name."""
        learnt = [name for name in ("alignment", "ranking") if getattr(self.loss, name)]
        losses = ("loss", *(f"{name}_loss" for name in ("reconstruction", *learnt)))
        kinds = ("sisdri", "grouped_sisdri", "bound_sisdri")
        kinds += ("rank_agreement",) if self.audio_text else ()
        counts = [count for count in self.mixtures.measured if count > 1]  # one is not improved
        return (*losses, *(f"{kind}_{count}" for count in counts for kind in kinds))
