"""What there is to set in trainings of audio-visual speech recognition, read without torch."""

from dataclasses import dataclass, field, fields
from typing import Any

from data_prep.noise.recordings import CATEGORIES
from fusion.audio_visual.options import FUSION_NAMES, GATED, AgreementOptions
from fusion.papers.table import check_method
from fusion.scenarios.options import ScenarioOptions
from modalities.spelling import did_you_mean
from modalities.vision.lip_options import LipOptions
from tasks.training.options import LoopOptions

AGREEMENT_DB = (5.0, 0.0, -5.0, -10.0)  # levels at which what is trained is measured
SET_DB = (-5.0, 5.0)


@dataclass(frozen=True)
class DataOptions:
    """Where the clips are.

    Attributes:
        folder: A folder that `mcgurk prepare` wrote.
        split: JSON with lists of clips by name, as {"train": [...], "test": [...]}; names are ids,
            or what follows the speaker in an id. Empty: all clips are in every split.
        train: Name of the split that is learnt.
        validation: Name of the split that is looked at meanwhile, and not learnt.
        limit: At most so many clips of each split; 0 for all.
    """

    folder: str = ""
    split: str = ""
    train: str = "train"
    validation: str = "val"
    limit: int = 0


@dataclass(frozen=True)
class NoiseOptions:
    """What is heard besides the speech.

    Attributes:
        folder: With recordings in folders "music" and "natural", and perhaps "voices"; empty for
            none.
        own: Folder of recordings that are all the noise there is, under the one category that is
            named: no voices, nothing made by rule; empty for none.
        leave_out: Names (stems) of recordings that are kept for the test.
        rooms: Folder of impulse responses; empty for none.
        categories: That are drawn from, all alike.
        snr_low_db: Least signal-to-noise ratio.
        snr_high_db: Greatest; what is drawn in between is uniform.
        clean: Share of clips without noise.
        made: Share of music and natural noise that is made by rule.
        changed: Share of noise that is played faster or slower: other voices, other pieces.
        strange: Share of noise that sounds as if others had recorded it, see `strange`.
        crowd: Share of natural noise that is a crowd, as in a hall: of so many voices that it is
            no babble any more.
        room: Share of clips in a room.
        recipe: How power is measured.
    """

    folder: str = ""
    own: str = ""
    leave_out: tuple[str, ...] = ()
    rooms: str = ""
    categories: tuple[str, ...] = CATEGORIES
    snr_low_db: float = -12
    snr_high_db: float = 15
    clean: float = 0.1
    made: float = 0.4
    changed: float = 0.5
    strange: float = 0.0
    crowd: float = 0.0
    room: float = 0.1
    recipe: str = "rms"

    def __post_init__(self):
        unknown = set(self.categories) - set(CATEGORIES)
        if unknown or not self.categories:
            raise ValueError(
                f"noise.categories is {tuple(self.categories)}; expected some of "
                f"{', '.join(CATEGORIES)}."
            )
        if self.own and len(self.categories) != 1:
            raise ValueError(
                f"noise.own is {self.own!r} and noise.categories {tuple(self.categories)}; "
                "expected one category, which the recordings are called by."
            )
        if not self.snr_low_db <= self.snr_high_db:
            raise ValueError(
                f"noise.snr_low_db is {self.snr_low_db}, above snr_high_db {self.snr_high_db}."
            )


@dataclass(frozen=True)
class AugmentOptions:
    """How far pictures are changed; a zero leaves that alone.

    Attributes:
        shift: How far the whole clip is moved, pixels at most, each way.
        jitter: How far each frame is moved besides: twice the standard deviation, pixels.
        zoom: Share by which the clip grows or shrinks at most.
        turn: Degrees at most.
        flip: Probability of a mirrored clip.
        pace: Share by which the clip becomes faster or slower at most.
        contrast: Share by which brightness and contrast change at most.
        noise: Standard deviation of grey noise, levels of 255 at most.
        blanks: Stretches that are blanked, at most.
        blank_frames: Length of each, at most.
        erase: Probability of an erased rectangle.
        blur: Standard deviation of the blur of a whole clip, pixels at most.
        codec: Probability of pictures that were compressed hard.
    """

    shift: float = 4
    jitter: float = 0.5
    zoom: float = 0.1
    turn: float = 6
    flip: float = 0.5
    pace: float = 0.15
    contrast: float = 0.3
    noise: float = 4
    blanks: int = 3
    blank_frames: int = 6
    erase: float = 0.3
    blur: float = 0.0
    codec: float = 0.0


@dataclass(frozen=True)
class SightOptions:
    """How often what is seen is not what is heard.

    Attributes:
        dropout: Share of clips without video.
        wrong: Share of clips with the lips of another clip.
        frozen: Share of clips whose picture stands still from some moment on.
        blanks: Stretches without a mouth, at most.
        blank_frames: Length of each, at most.
        variants: How many times the lips of each clip are read before training, changed
            differently each time.
        harder: By how much pictures are changed more than `augment` says, so that lips are read
            about as well as those of clips the lip encoder never saw.
    """

    dropout: float = 0.3
    wrong: float = 0.25
    frozen: float = 0.05
    blanks: int = 2
    blank_frames: int = 10
    variants: int = 4
    harder: float = 1.0


@dataclass(frozen=True)
class LossOptions:
    """Weights of the losses; one of 0 is not computed.

    Attributes:
        transcript: Cross-entropy with the transcript.
        tokens: Cross-entropy with what the frozen Whisper writes for the clean sound: no
            transcripts are needed.
        encoder: Mean distance of encoder states to the frozen encoder's on clean sound.
        mel: Mean distance of the fused log-mel to the clean one; with fusion "upstream".

    Source:
        Simic et al. (2025, arXiv 2502.01709): 0.5 mel + encoder first, and tokens besides later.
    """

    transcript: float = 1.0
    tokens: float = 0.0
    encoder: float = 0.0
    mel: float = 0.0

    def __post_init__(self):
        if min(self.transcript, self.tokens, self.encoder, self.mel) < 0 or not any(
            (self.transcript, self.tokens, self.encoder, self.mel)
        ):
            raise ValueError(
                "losses: expected weights of 0 or more, and one above 0; transcript: 1 learns "
                "from transcripts, tokens: 1 without."
            )


@dataclass(frozen=True)
class LipConfig:
    """An experiment.

    Attributes:
        task: "lips".
        data: Clips.
        lips: Options of the encoder; its words are those of the training clips.
        augment: How pictures are changed.
        objective: "frames" learns from word times, "ctc" from transcripts.
        start: A lip encoder by name or file that is trained on, with its words; empty for a fresh
            one. Its head and statistics stay, so that features keep their meaning.
        mean_removed: Share of a clip's mean picture that is taken away, see `LipOptions`, where it
            is to be another than that of `start`; None for the same.
        keep: Split whose features are held where `start` has them; empty for none.
        hold: How strongly they are held, 0 or more.
        unchanged: Holds features of these clips' unchanged pictures, else of those that are learnt.
        loop: How long and how fast it is trained.
    """

    task: str = "lips"
    data: DataOptions = field(default_factory=DataOptions)
    lips: LipOptions = field(default_factory=LipOptions)
    augment: AugmentOptions = field(default_factory=AugmentOptions)
    objective: str = "frames"
    start: str = ""
    mean_removed: float | None = None
    keep: str = ""
    hold: float = 1.0
    unchanged: bool = False
    loop: LoopOptions = field(default_factory=LoopOptions)

    def __post_init__(self):
        if self.objective not in ("frames", "ctc"):
            raise ValueError(f"objective is {self.objective!r}; expected frames or ctc.")
        if self.keep and not self.start:
            raise ValueError(
                f"keep is {self.keep!r} without start; name the encoder to hold on to."
            )
        if self.mean_removed is not None and not self.start:
            raise ValueError("mean_removed is set without start; say lips.mean_removed.")
        if self.unchanged and not self.keep:
            raise ValueError("unchanged is true without keep; name the split whose pictures it is.")
        if self.hold < 0:
            raise ValueError(f"hold is {self.hold}; expected 0 or more.")
        self.loop.check_goals(self.measures)

    @property
    def measures(self) -> tuple[str, ...]:
        """What a training can end with, by name."""
        held = ("words", "held") if self.keep and self.hold else ()
        return ("loss", *held, "validation_loss", "frame_accuracy", "word_error_rate")


@dataclass(frozen=True)
class AgreementConfig:
    """An experiment.

    Attributes:
        task: "agreement".
        data: Clips.
        noise: Heard besides.
        lips: A lip encoder, by name or file.
        start: File of a network to train on; empty for a fresh one.
        sight: How often lips are read; nothing is dropped or exchanged, which is done by contrast.
        augment: How pictures are changed.
        agreement: Options of the network.
        loop: How long and how fast it is trained.
    """

    task: str = "agreement"
    data: DataOptions = field(default_factory=DataOptions)
    noise: NoiseOptions = field(default_factory=NoiseOptions)
    lips: str = "lips-grid"
    start: str = ""
    sight: SightOptions = field(
        default_factory=lambda: SightOptions(dropout=0, wrong=0, frozen=0, blanks=1)
    )
    augment: AugmentOptions = field(default_factory=AugmentOptions)
    agreement: AgreementOptions = field(default_factory=AgreementOptions)
    loop: LoopOptions = field(default_factory=LoopOptions)

    def __post_init__(self):
        self.loop.check_goals(self.measures)

    @property
    def measures(self) -> tuple[str, ...]:
        """What a training can end with, by name."""
        losses = ("loss", "contrast", "window", "level")
        return (*losses, "auc clean", *(f"auc {level:g} dB" for level in AGREEMENT_DB))


@dataclass(frozen=True)
class SelectorConfig:
    """An experiment.

    Attributes:
        task: "selector".
        data: Clips.
        noise: Heard besides.
        selector: Options of the network; its categories are the noise's.
        loop: How long and how fast it is trained.
        validation_clips: How many are looked at in each kind of noise and level.
    """

    task: str = "selector"
    data: DataOptions = field(default_factory=DataOptions)
    noise: NoiseOptions = field(default_factory=NoiseOptions)
    selector: ScenarioOptions = field(default_factory=lambda: ScenarioOptions(channels=32))
    loop: LoopOptions = field(default_factory=LoopOptions)
    validation_clips: int = 30

    def __post_init__(self):
        self.loop.check_goals(self.measures)

    @property
    def measures(self) -> tuple[str, ...]:
        """What a training can end with, by name."""
        return ("loss", "category", "level", "category_accuracy", "level_error_db")


@dataclass(frozen=True)
class SetConfig:
    """An experiment.

    Attributes:
        task: "avsr".
        name: What the set is called in its card and in a collection.
        model: Name, folder or hub id of the frozen Whisper.
        data: Clips.
        noise: Heard besides.
        lips: A lip encoder by name or file; empty for a set that hears only.
        agreement: File of the network that compares lips and sound; with fusion "joint" or
            "aligned".
        fusion: "joint", "aligned", "upstream", or empty for a set that hears only.
        fusion_options: Fields of the fusion module's dataclass that differ from their defaults.
        method: A name of `fusion.methods.METHODS`.
        options: Fields of the method's dataclass that differ from their defaults.
        where: Roles of the layers that get adapters.
        start: Folder of a set to start from; empty for a fresh one.
        sight: What is seen of the lips.
        augment: How pictures are changed.
        losses: What is learnt from.
        loop: How long and how fast it is trained.
        licence: What the weights are licensed under, for the card; "" for nothing.
        validation_clips: How many are looked at in each kind of noise.
    """

    task: str = "avsr"
    name: str = "all"
    model: str = "whisper-tiny.en"
    data: DataOptions = field(default_factory=DataOptions)
    noise: NoiseOptions = field(default_factory=NoiseOptions)
    lips: str = ""
    agreement: str = ""
    fusion: str = ""
    fusion_options: dict[str, Any] = field(default_factory=dict)
    method: str = "lora"
    options: dict[str, Any] = field(default_factory=dict)
    where: tuple[str, ...] = ("q", "k", "v", "o")
    start: str = ""
    sight: SightOptions = field(default_factory=SightOptions)
    augment: AugmentOptions = field(default_factory=AugmentOptions)
    losses: LossOptions = field(default_factory=LossOptions)
    loop: LoopOptions = field(default_factory=LoopOptions)
    licence: str = ""
    validation_clips: int = 20

    def __post_init__(self):
        check_method(self.method, self.options)
        if self.fusion and self.fusion not in FUSION_NAMES:
            guess, known = did_you_mean(self.fusion, FUSION_NAMES), ", ".join(FUSION_NAMES)
            raise ValueError(f"No fusion {self.fusion!r}; known: {known}, or ''.{guess}")
        if self.fusion in GATED and not (self.lips and self.agreement):
            raise ValueError(
                f"Fusion {self.fusion!r} needs lips and agreement; name a file of each."
            )
        self.loop.check_goals(self.measures)

    @property
    def measures(self) -> tuple[str, ...]:
        """What a training can end with, by name."""
        heard = ["clean", *(f"{k} {db:g} dB" for db in SET_DB for k in self.noise.categories)]
        faces = ("", ", no face", ", wrong face") if self.fusion else ("",)
        losses = [f.name for f in fields(LossOptions) if getattr(self.losses, f.name)]
        return ("loss", *losses, *(f"{what}{face}" for face in faces for what in heard))
