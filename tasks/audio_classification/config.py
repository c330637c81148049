"""What there is to set in an experiment of audio classification."""

from dataclasses import dataclass, field
from typing import Any

from data_prep.datasets.sounds.catalog import SOUND_DATASETS
from data_prep.sounds.labelled import Fold, Sound
from data_prep.sounds.protocols import few_shot, held_back, hold_out_speakers, k_folds, official
from fusion.contract.options import check_choice
from fusion.papers.table import check_method
from tasks.training.options import LoopOptions

PROTOCOLS = ("official", "folds", "speakers")
FULL = "full"  # all of the encoder is trained; with no method, nothing of it


@dataclass(frozen=True)
class SoundDataOptions:
    """Sounds, and which of them train.

    Attributes:
        dataset: A name of `SOUND_DATASETS`.
        folder: Where the data set lies, laid out as it was published.
        protocol: "official" takes its own parts, "folds" lets `fold` test and the next one choose,
            "speakers" tests on those of `speakers`.
        fold: The fold that tests, with protocol "folds".
        speakers: The speakers that test, with protocol "speakers"; one or more.
        validation: Share of the training part that chooses, where the data set has no part for it.
        shots: Sounds of each class to train on, drawn at random; 0 for all.
        seed: Fixes which sounds are drawn, for validation and for `shots`.
        skip_bad: Leave out what cannot be read or is silent, instead of stopping.
    """

    dataset: str = "classes"
    folder: str = ""
    protocol: str = "official"
    fold: str = "1"
    speakers: tuple[str, ...] = ()
    validation: float = 0.1
    shots: int = 0
    seed: int = 0
    skip_bad: bool = False

    def __post_init__(self):
        check_choice("dataset", self.dataset, SOUND_DATASETS)
        check_choice("protocol", self.protocol, PROTOCOLS)


@dataclass(frozen=True)
class SpecAugmentOptions:
    """Stretches of the spectrogram that are blanked in training; 0 for none.

    Attributes:
        frequency: Largest number of bins, once a clip.
        time: Largest number of frames, once a clip.
    """

    frequency: int = 0
    time: int = 0


@dataclass(frozen=True)
class ClassificationConfig:
    """An experiment.

    Attributes:
        task: "audio_classification".
        data: Sounds.
        encoder: Name, folder or hub id of the frozen encoder.
        method: A name of `fusion.methods.METHODS`; empty for a head alone, "full" to train all.
        options: Fields of the method's dataclass that differ from their defaults.
        where: Roles; empty for the method's own.
        norms: Whether the normalisations of the sub-layers with adapters are trained as well.
        pooling: "mean" over all tokens that are real, or "special" over the encoder's own.
        window_s: Seconds of sound that are classified at once; longer sounds take several.
        augment: How much of spectrograms is blanked in training.
        loop: How long and how fast it is trained.
        features: Folder in which what the encoder makes of sounds is kept for further trainings,
            where it stays the same: with no method and nothing blanked. "" keeps it in memory.
        licence: What the weights are licensed under, for the card; "" for nothing.
    """

    task: str = "audio_classification"
    data: SoundDataOptions = field(default_factory=SoundDataOptions)
    encoder: str = "whisper-tiny.en"
    method: str = ""
    options: dict[str, Any] = field(default_factory=dict)
    where: tuple[str, ...] = ()
    norms: bool = False
    pooling: str = "mean"
    window_s: float = 10.0
    augment: SpecAugmentOptions = field(default_factory=SpecAugmentOptions)
    loop: LoopOptions = field(default_factory=LoopOptions)
    features: str = ""
    licence: str = ""

    def __post_init__(self):
        check_choice("pooling", self.pooling, ("mean", "special"))
        if self.method in ("", FULL) and (self.options or self.where or self.norms):
            raise ValueError(
                f"method is {self.method!r}, which has no options, where or norms; name another "
                "method, or leave them out."
            )
        if self.method not in ("", FULL):
            check_method(self.method, self.options)
        if self.window_s <= 0:
            raise ValueError(f"window_s is {self.window_s}; expected some seconds.")
        self.loop.check_goals(self.measures)

    @property
    def measures(self) -> tuple[str, ...]:
        """What a training can end with, by name."""
        scores = ("accuracy", "class_accuracy", "calibration_error", "calibration_error_raw")
        return ("loss", "accuracy", "validation_loss", *(f"test_{name}" for name in scores))


def find_fold(options: SoundDataOptions) -> Fold:
    """Find the sounds of an experiment, and part them.

    Raises:
        FileNotFoundError: There is no such folder.
        ValueError: It holds something else, or cannot be parted in this way.
    """
    sounds = SOUND_DATASETS[options.dataset](options.folder)
    fold = _part(sounds, options)
    return few_shot(fold, options.shots, options.seed) if options.shots else fold


def _part(sounds: list[Sound], options: SoundDataOptions) -> Fold:
    if options.protocol == "folds":
        return k_folds(sounds, options.fold)[0][1]
    if options.protocol == "speakers":
        speakers, share = options.speakers, options.validation
        return hold_out_speakers(sounds, speakers, share=share, seed=options.seed)
    if all(not sound.fold for sound in sounds):
        return _without_parts(sounds, options)
    return official(sounds, options.validation, options.seed)


def _without_parts(sounds: list[Sound], options: SoundDataOptions) -> Fold:
    """Hold a share back for validation, and one for the test, of sounds that nobody has parted."""
    tested = held_back(Fold(tuple(sounds), (), ()), options.validation, options.seed)
    chosen = held_back(Fold(tested.train, (), ()), options.validation, options.seed + 1)
    return Fold(chosen.train, chosen.validation, tested.validation)
