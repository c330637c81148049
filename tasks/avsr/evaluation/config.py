"""What to evaluate on what, as a YAML file says it."""

from dataclasses import dataclass, field

from data_prep.noise import CATEGORIES, RECIPES
from data_prep.noise.scenes import BABBLE_VOICES
from tasks.scoring import find_normaliser

SNR_DB = (-10.0, -5.0, 0.0, 5.0, 10.0)  # where none are given: the field's


@dataclass(frozen=True)
class ConditionOptions:
    """A kind of noise with a name of its own.

    Attributes:
        name: What results call it; empty for its category.
        category: babble, sidespeaker, music or natural.
        folder: Folder of recordings; empty for the evaluation's `noise`.
        only: Names (stems) of the recordings to use; all where empty.
        voices_from_clips: Whether voices of babble and sidespeaker are those of the other clips;
            None does so where the folder has no voices.
        rooms: Folder of impulse responses; empty for none.
        voices: How many speak at once in babble.
    """

    name: str = ""
    category: str = ""
    folder: str = ""
    only: tuple[str, ...] = ()
    voices_from_clips: bool | None = None
    rooms: str = ""
    voices: int = BABBLE_VOICES


@dataclass(frozen=True)
class EvaluationConfig:
    """An evaluation.

    Attributes:
        task: "avsr_evaluation".
        target: Folder of clips: as `mcgurk prepare` wrote it, or raw.
        split: JSON with lists of clips by name, as {"test": [...]}; empty for all clips.
        part: Name of the split.
        clips: How many of them, drawn by the seed; None for all.
        model: The frozen model.
        sets: Adapter sets; None for the frozen model alone.
        device: auto, cpu, cuda or mps.
        noise: Folder of noise recordings, see `data_prep.noise.find_recordings`; empty for none.
        categories: Kinds of noise; those that there are recordings for where empty.
        only: Names (stems) of the recordings to use, as those that training left out; all where
            empty.
        voices_from_clips: Whether voices of babble and sidespeaker are those of the other clips;
            None does so where the folder has no voices.
        rooms: Folder of impulse responses; empty for none.
        conditions: Further kinds of noise.
        snr_db: Signal-to-noise ratios, for each kind of noise.
        recipe: How power is measured, see `data_prep.noise.levels.RECIPES`.
        seed: Fixes all that is drawn: clips, noise, exchanged faces and resamples.
        normaliser: A name of `tasks.scoring.NORMALISERS`; None is "grid" for transcripts that are
            names of GRID clips, else "whisper".
        batch: Clips that are recognised at once.
        workers: Processes that prepare raw clips; one per core without.
        processes: That recognise, one core each; each holds the model. The results are the same.
    """

    task: str = "avsr_evaluation"
    target: str = ""
    split: str = ""
    part: str = "test"
    clips: int | None = None
    model: str = "whisper-tiny.en"
    sets: str | None = None
    device: str = "auto"
    noise: str = ""
    categories: tuple[str, ...] = ()
    only: tuple[str, ...] = ()
    voices_from_clips: bool | None = None
    rooms: str = ""
    # A list, for OmegaConf checks and builds the entries of these, but not of tuples.
    conditions: list[ConditionOptions] = field(default_factory=list)
    snr_db: tuple[float, ...] = ()
    recipe: str = "rms"
    seed: int = 0
    normaliser: str | None = None
    batch: int = 16
    workers: int | None = None
    processes: int = 1

    def __post_init__(self):
        for option, least in (("clips", 1), ("batch", 1), ("seed", 0), ("processes", 1)):
            value = getattr(self, option)
            if value is not None and value < least:
                raise ValueError(f"{option} is {value}; expected {least} or more.")
        if self.recipe not in RECIPES:
            raise ValueError(f"No recipe {self.recipe!r}; known: {', '.join(RECIPES)}.")
        if self.normaliser is not None:
            find_normaliser(self.normaliser)
        for category in (*self.categories, *(c.category for c in self.conditions)):
            if category not in CATEGORIES:
                raise ValueError(f"No noise category {category!r}; known: {', '.join(CATEGORIES)}.")
