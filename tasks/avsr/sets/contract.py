"""What a recogniser with adapter sets can do, as the evaluation sees it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

import numpy as np

from modalities.speech.timed_text import Word

if TYPE_CHECKING:
    from fusion.scenarios.classifier import Scenario


@dataclass(frozen=True, eq=False)
class Utterance:
    """A clip as it is heard and seen.

    Attributes:
        waveform: float32 [samples], 16 kHz.
        crops: Mouth crops, uint8 [video_frames, 96, 96], 25 per second; None without video.
        mask: bool [video_frames], True where a mouth is seen; None without video.
    """

    waveform: np.ndarray
    crops: np.ndarray | None = None
    mask: np.ndarray | None = None


@dataclass(frozen=True)
class Heard:
    """What was recognised.

    Attributes:
        text: As the model wrote it.
        agreement: How well lips and sound belong together, higher for better; None without video.
    """

    text: str
    agreement: float | None = None


@dataclass(frozen=True)
class Recognised:
    """What became of a piece of sound.

    Attributes:
        scenario: The noise category heard, or None where nobody listened.
        snr_db: The signal-to-noise ratio estimated, or None.
        distance: How unlike what the sets are for the sound is; above 1 it is unknown.
        adapter_set: The set that was switched on, or None: the frozen model has to do it.
        text: As written with the set, or None.
        words: With their times, seconds from the start of the piece.
        agreement: Probability that lips and sound belong together, or None where no lips were
            compared.
        video_used: Whether the text rests on the lips, too: not where they do not belong to the
            sound, or the set only hears.
        log_probability: Mean over the tokens of the text, or None.
        enrolled: The talker whose sets these are, or None: the collection's own.
    """

    scenario: str | None = None
    snr_db: float | None = None
    distance: float | None = None
    adapter_set: str | None = None
    text: str | None = None
    words: tuple[Word, ...] = ()
    agreement: float | None = None
    video_used: bool = False
    log_probability: float | None = field(default=None, compare=False)
    enrolled: str | None = None


class PieceRecogniser(Protocol):
    """What the pipeline asks of adapter sets."""

    def recognise(self, utterances: Sequence[Utterance]) -> list[Recognised]:
        """Choose a set for each piece of at most 3.2 s and recognise it, or abstain."""
        ...


class Recogniser(Protocol):
    """A frozen model with adapter sets, and a selector that chooses among them."""

    @property
    def groups(self) -> Mapping[str, tuple[str, ...]]:
        """Names of the sets by what they are trained for; a group without sets is missing.

        "audio" hears only, "all" is one set for every noise, "category" has one per kind of noise,
        "level" one for high and one for low noise, "category_level" those two per kind.
        """
        ...

    def plain(self, utterances: Sequence[Utterance]) -> list[Heard]:
        """Recognise with the frozen model alone."""
        ...

    def with_set(self, utterances: Sequence[Utterance], name: str) -> list[Heard]:
        """Recognise with one adapter set, the same for all."""
        ...

    def describe(self, utterances: Sequence[Utterance]) -> list["Scenario"]:
        """Say what noise is heard in each."""
        ...

    def choose(self, scenario: "Scenario", by: str) -> str | None:
        """Choose a set of a group; None for the frozen model alone."""
        ...
