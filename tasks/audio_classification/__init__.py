"""Audio classification: adapters on frozen audio encoders, trained on any folder of sounds."""

from typing import TYPE_CHECKING

from modalities.lazy_names import hand_on

if TYPE_CHECKING:
    from tasks.audio_classification.classifier import (
        Classification,
        Classified,
        Guess,
        SoundClassifier,
    )

__all__ = ["Classification", "Classified", "Guess", "SoundClassifier"]
__getattr__ = hand_on(__name__, dict.fromkeys(__all__, "tasks.audio_classification.classifier"))
