"""What there is to set of an enrolment, read without torch."""

from dataclasses import dataclass, field

from tasks.avsr.training.config import AugmentOptions
from tasks.training.options import LoopOptions

HELD_OUT = 6  # one piece in so many is held back
LEAST_HELD = 2
LEAST_PIECES = 5  # with fewer nothing can be learnt and held back as well
MOUTHS = AugmentOptions(
    shift=5,
    jitter=0.5,
    zoom=0.15,
    turn=8,
    contrast=0.4,
    noise=5,
    blanks=1,
    blank_frames=5,
    erase=0.2,
)
# Lips of 25 clips are learnt by heart after some 40 steps: the best on pieces held back is taken.
LIPS_LOOP = LoopOptions(
    steps=80,
    batch=8,
    learning_rate=1e-3,
    warmup=5,
    weight_decay=0.05,
    clip_norm=5.0,
    checkpoint_every=20,
    measure_every=10,
    best="-validation_loss",
)
AGREEMENT_LOOP = LoopOptions(
    steps=50, batch=12, learning_rate=5e-4, warmup=5, checkpoint_every=25, measure_every=50
)
SET_LOOP = LoopOptions(
    steps=100, batch=8, learning_rate=5e-4, warmup=10, checkpoint_every=20, measure_every=100
)


@dataclass(frozen=True)
class EnrolOptions:
    """Who is enrolled, and how.

    Attributes:
        name: What the talker is called.
        clips: Folder with the talker's videos, with transcripts beside them or without.
        noise: Folder of noise that the talker is heard in, recordings of any kind or in folders
            music, natural and voices; empty for noise made by rule and other voices alone.
        leave_out: Names (stems) of recordings in it that are not used.
        old: Folder that `mcgurk prepare` wrote of clips of the collection's own talkers; some are
            mixed in. Empty for none.
        split: JSON with lists of clips, of which those of "train" are taken from `old`.
        old_clips: How many of them at most.
        anyway: Enrol a face that is known already, too, or pieces that seem to show two.
        lips: How long and how fast the lip encoder is trained on.
        agreement: How long and how fast the network that compares lips and sound is.
        sets: How long and how fast the set for every noise is.
        draws: Noises that each piece held back is heard in, for each kind and level.
        workers: Processes that look at the clips; as many as cores without.
        seed: Fixes all that is drawn.
    """

    name: str
    clips: str
    noise: str = ""
    leave_out: tuple[str, ...] = ()
    old: str = ""
    split: str = ""
    old_clips: int = 60
    anyway: bool = False
    lips: LoopOptions = field(default_factory=lambda: LIPS_LOOP)
    agreement: LoopOptions = field(default_factory=lambda: AGREEMENT_LOOP)
    sets: LoopOptions = field(default_factory=lambda: SET_LOOP)
    draws: int = 2
    workers: int | None = None
    seed: int = 0

    def __post_init__(self):
        if not self.name.isidentifier():
            raise ValueError(
                f"The talker is called {self.name!r}; expected letters, digits and _, the first of "
                "them no digit, as me."
            )
        if self.seed < 0:
            raise ValueError(f"The seed is {self.seed}; expected 0 or more.")
        for option in ("old_clips", "draws"):
            if getattr(self, option) < 1:
                raise ValueError(f"{option} is {getattr(self, option)}; expected 1 or more.")
        if self.workers is not None and self.workers < 1:
            raise ValueError(f"Processes are {self.workers}; expected 1 or more.")
        if self.split and not self.old:
            raise ValueError(
                "A split says which old clips are mixed in, and there are none; give their folder, "
                "as a command --old FOLDER."
            )
