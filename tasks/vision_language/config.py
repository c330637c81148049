"""What there is to set in an experiment of vision and language."""

from dataclasses import dataclass, field
from typing import Any

from data_prep.questions.manifest import TASKS
from fusion.contract.options import check_choice
from tasks.training.options import LoopOptions
from tasks.vision_language.variants import SHARINGS, find_tuning

PROPORTIONAL, BALANCED, MIXED = "proportional", "balanced", "mixed"
AVERAGE = "average"
MOST_BEAMS = 100  # wider searches find little more, and need memory for each beam


@dataclass(frozen=True)
class QuestionDataOptions:
    """Questions and captions, and which of them train.

    Attributes:
        manifests: Manifests that `mcgurk prepare` wrote, or their folders, one or more.
        tasks: Which of their tasks are learnt; empty takes all that are there.
        validation: Share of the pictures of the training rows that chooses the best weights, where
            no row is of that fold.
        also_learnt: Tasks whose rows of the fold validation are learnt from, too, as published runs
            do with those of GQA.
        seed: Fixes which pictures these are.
        measured: Rows of each task at most that are looked at during training; 0 takes all.
        tested: Rows of each task at most that are scored at the end; 0 takes all.
        skip_bad: Leave out rows whose pictures cannot be read or whose answers the model cannot
            write, instead of stopping.
    """

    manifests: tuple[str, ...] = ()
    tasks: tuple[str, ...] = ()
    validation: float = 0.1
    also_learnt: tuple[str, ...] = ()
    seed: int = 0
    measured: int = 0
    tested: int = 0
    skip_bad: bool = False

    def __post_init__(self):
        for task in (*self.tasks, *self.also_learnt):
            check_choice("task", task, TASKS)
        if not 0 <= self.validation < 1:
            raise ValueError(f"data.validation is {self.validation}; expected 0 to below 1.")
        for name in ("measured", "tested"):
            if getattr(self, name) < 0:
                raise ValueError(f"data.{name} is {getattr(self, name)}; expected 0 or more.")


@dataclass(frozen=True)
class SamplingOptions:
    """How the tasks take turns.

    A step of the loop is `loop.batch` batches; each is of one task, and as large as its task says.

    Attributes:
        kind: "proportional": each row once an epoch, batches of all tasks shuffled (VL-Adapter's
            code calls it "roundrobin"); "balanced": as many batches of each task, the mean of
            their numbers, so that rows of small tasks come more than once; "mixed": each row once
            an epoch, in batches that hold rows of all tasks in their proportion.
        batch: Rows of a batch, 1 or more.
        batches: Rows of a batch of some tasks, by name, that differ from `batch`.
    """

    kind: str = PROPORTIONAL
    batch: int = 32
    batches: dict[str, int] = field(default_factory=dict)

    def __post_init__(self):
        check_choice("sampling.kind", self.kind, (PROPORTIONAL, BALANCED, MIXED))
        for name, rows in {"batch": self.batch, **self.batches}.items():
            if rows < 1:
                raise ValueError(f"sampling: {name} is {rows}; expected 1 row or more.")
        for task in self.batches:
            check_choice("sampling.batches", task, TASKS)
        if self.kind == MIXED and self.batches:
            raise ValueError("sampling.batches is for batches of one task; expected none in mixed.")


@dataclass(frozen=True)
class WritingOptions:
    """How captions are written; answers are always written greedily.

    Attributes:
        beams: Width of the beam search, 1 for greedy, up to 100; 5 in the paper.
        longest: Tokens of a caption at most, its marks among them. The paper's captions are cut at
            20, as its software read another option than it set; 40 lets nearly all end.
    """

    beams: int = 5
    longest: int = 20

    def __post_init__(self):
        if not 1 <= self.beams <= MOST_BEAMS:
            raise ValueError(f"writing.beams is {self.beams}; expected 1 to {MOST_BEAMS}.")
        if self.longest < 3:
            raise ValueError(f"writing.longest is {self.longest}; expected 3 tokens or more.")


@dataclass(frozen=True)
class VisionLanguageConfig:
    """An experiment.

    Attributes:
        task: "vision_language".
        data: Questions and captions.
        model: Name, folder or hub id of the frozen language model.
        images: Name of what sees the pictures, as `load_grid_encoder` takes it; "frames" for the
            features of videos, which are read from files; "sound:whisper-tiny.en", or another name
            of an encoder, for sounds in the place of pictures.
        fresh_embedding: Whether a new embedding shows the pictures in place of the model's own: for
            another encoder than the model was made with, and for sounds.
        method: A name of `tasks.vision_language.variants.TUNINGS`, as "adapter", "lora" or "full".
        sharing: "single" lets all tasks share one adapter, "multiple" gives each its own,
            "half_up" and "half_down" let them share one of its two projections.
        options: Of the method, where they differ from the published ones, and "norms" and "prefix",
            see `tune`.
        sampling: How the tasks take turns.
        writing: How captions are written.
        features: Folder for what the frozen encoder makes of the pictures; empty keeps it in
            memory.
        loop: How long and how fast it is trained; an example is a batch of `sampling`.
        licence: What the weights are licensed under, for the card; "" for nothing.
    """

    task: str = "vision_language"
    data: QuestionDataOptions = field(default_factory=QuestionDataOptions)
    model: str = "scenes"
    images: str = "shapes"
    fresh_embedding: bool = False
    method: str = "adapter"
    sharing: str = "single"
    options: dict[str, Any] = field(default_factory=dict)
    sampling: SamplingOptions = field(default_factory=SamplingOptions)
    writing: WritingOptions = field(default_factory=WritingOptions)
    features: str = ""
    loop: LoopOptions = field(default_factory=lambda: LoopOptions(batch=1))
    licence: str = ""

    def __post_init__(self):
        check_choice("sharing", self.sharing, SHARINGS)
        find_tuning(self.method, self.sharing, "bart")
        self.loop.check_goals(self.measures)

    @property
    def measures(self) -> tuple[str, ...]:
        """What a training can end with, by name."""
        known = (*TASKS, AVERAGE)
        return ("loss", "validation_loss", *known, *(f"test_{name}" for name in known))
