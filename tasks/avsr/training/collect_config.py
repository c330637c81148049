"""What there is to set where trained sets are put together, read without torch."""

from dataclasses import dataclass, field

from fusion.scenarios.options import VerifierOptions
from tasks.avsr.training.config import DataOptions, NoiseOptions


@dataclass(frozen=True)
class CollectConfig:
    """What belongs together.

    Attributes:
        task: "avsr_collection".
        name: What the collection is called.
        model: The frozen Whisper.
        lips: A lip encoder by name or file; a file is copied.
        agreement: File.
        selector: File.
        sets: Folders of sets by group, see `tasks.avsr.sets.collection.GROUPS`;
            of "level" the one for high noise comes first.
        choose_by: How the pipeline chooses a set: "category", "level" or "category_level".
        border_db: Between high and low noise.
        data: Clips that the sets were trained on.
        noise: Heard besides.
        clips: How many noisy clips show what the sets are for, and four times as many what kinds of
            noise sound like; 0 leaves the checks, kind and level to the selector alone.
        doubt: How unsure the decoder may be on known sound, as mean negative log-probability of a
            token, above 0.
        speech: Recordings of other speech, from which the sets' own sentences in unknown voices are
            told; none leaves all unknown windows to plain Whisper.
        verifier: What they are told by, and how sure is sure enough.
        unknown: How many windows of each kind show it.
        described: Data and licence, as a reader should find them.
        licence: What the weights are licensed under, for the card; "" for nothing.
        command: That trains all of it.
        seed: Fixes which noise is drawn for which clips.
    """

    task: str = "avsr_collection"
    name: str = ""
    model: str = "whisper-tiny.en"
    lips: str = "lips-grid"
    agreement: str = ""
    selector: str = ""
    sets: dict[str, list[str]] = field(default_factory=dict)
    choose_by: str = "category"
    border_db: float = 2.5
    data: DataOptions = field(default_factory=DataOptions)
    noise: NoiseOptions = field(default_factory=NoiseOptions)
    clips: int = 1460
    doubt: float = 0.25
    speech: tuple[str, ...] = ()
    verifier: VerifierOptions = field(default_factory=VerifierOptions)
    unknown: int = 400
    described: str = ""
    licence: str = ""
    command: str = ""
    seed: int = 0
