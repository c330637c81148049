"""Audio classification: adapters on frozen audio encoders, trained on any folder of sounds."""

from tasks.audio_classification.classifier import Classification, Classified, Guess, SoundClassifier

__all__ = ["Classification", "Classified", "Guess", "SoundClassifier"]
