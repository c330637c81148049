"""Where a selector, adapter sets and a fusion module plug into the pipeline.

None of them is a must: with none the pipeline is the frozen Whisper, bit for bit.
"""

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from torch import Tensor


@dataclass(frozen=True)
class Mouths:
    """The talker's mouth over one window.

    Attributes:
        crops: [video_frames, 96, 96], uint8 grey, 25 frames per second.
        mask: [video_frames], bool, True where a mouth is seen.
    """

    crops: np.ndarray
    mask: np.ndarray


@dataclass(frozen=True)
class Choice:
    """What a selector made of a window.

    Attributes:
        adapter_set: The set to switch on; None leaves the model frozen and plain.
        scenario: The noise category heard, or None.
        snr_db: The signal-to-noise ratio estimated, or None.
    """

    adapter_set: str | None = None
    scenario: str | None = None
    snr_db: float | None = None


class Selector(Protocol):
    """Chooses the adapter set of a window."""

    def select(self, mel: Tensor, mouths: Mouths | None) -> Choice:
        """Choose.

        Args:
            mel: [mel_bins, 3000].
            mouths: None without video.
        """
        ...


class AdapterSets(Protocol):
    """Named sets of adapters that live in one Whisper."""

    def use(self, name: str | None) -> None:
        """Switch one set on, or with None all off."""
        ...

    def fuse(self, mel: Tensor, mouths: Mouths | None) -> tuple[Tensor, bool]:
        """Let the set's fusion module work on a window.

        Args:
            mel: [mel_bins, 3000].
            mouths: None without video; the module is then bypassed.

        Returns:
            The log-mel for the encoder, and whether the mouths took part.
        """
        ...


@dataclass(frozen=True)
class Slots:
    """What is plugged in; by default nothing."""

    selector: Selector | None = None
    adapter_sets: AdapterSets | None = None

    @property
    def wants_mouths(self) -> bool:
        """Whether mouth crops have to be ready before a window is decoded."""
        return self.adapter_sets is not None or self.selector is not None

    def prepare(self, mel: Tensor, mouths: Mouths | None) -> tuple[Tensor, Choice, bool]:
        """Select, switch and fuse for one window.

        Args:
            mel: [mel_bins, 3000].
            mouths: None without video.

        Returns:
            The log-mel for the encoder, the choice, and whether the mouths took part.
        """
        choice = self.selector.select(mel, mouths) if self.selector else Choice()
        if self.adapter_sets is None:
            return mel, choice, False
        self.adapter_sets.use(choice.adapter_set)
        if choice.adapter_set is None:
            return mel, choice, False
        fused, video_used = self.adapter_sets.fuse(mel, mouths)
        return fused, choice, video_used
