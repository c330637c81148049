"""Train a classifier of sounds."""

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from data_prep.sounds.labelled import Fold, classes_of
from modalities.catalog import load_audio_encoder
from modalities.tensor_hash import hash_weights
from tasks.audio_classification.card import ClassifierCard
from tasks.audio_classification.classifier_files import save_classifier
from tasks.audio_classification.config import ClassificationConfig, find_fold
from tasks.audio_classification.evaluation.classify import classify_sounds
from tasks.audio_classification.model import SoundModel, spec_augment
from tasks.audio_classification.pooled_sounds import PooledSounds
from tasks.audio_classification.windows import Kept, Progress, SoundSource
from tasks.scoring.calibration import fit_temperature
from tasks.scoring.classification import accuracy, score
from tasks.training.kept_features import KeptFeatures


class SoundClassification:
    """The task; see `tasks.training.loop.Trainable`.

    Args:
        config: Encoder, method, sounds, and how they are trained.
        fold: Its sounds; None finds them.
        progress: Called with the sounds read, and all.
        kept: Windows of sounds, where some have been prepared for this encoder.

    Raises:
        FileNotFoundError: Data or the encoder are not there.
        ValueError: Sounds cannot be used, or the method does not fit.
    """

    def __init__(
        self,
        config: ClassificationConfig,
        fold: Fold | None = None,
        progress: Progress | None = None,
        kept: Kept | None = None,
    ):
        self.config = config
        fold = fold or find_fold(config.data)
        self.classes = classes_of(fold.train)
        if len(self.classes) < 2:
            raise ValueError(
                f"All sounds are {self.classes[0]!r}; expected two classes or more to tell apart."
            )
        encoder = load_audio_encoder(config.encoder)
        if config.window_s > encoder.max_s:
            raise ValueError(
                f"window_s is {config.window_s:g}; {encoder.name} takes up to {encoder.max_s:g} s."
            )
        torch.manual_seed(config.loop.seed)
        self.model = SoundModel(encoder, len(self.classes), config)
        self.module: nn.Module = self.model
        kept = kept or Kept()
        self.parts = {
            name: SoundSource(getattr(fold, name), encoder, config.window_s, kept)
            for name in ("train", "validation", "test")
        }
        self.left_out = [
            line
            for source in self.parts.values()
            if len(source)
            for line in source.check(config.data.skip_bad, progress)
        ]
        self.size = len(self.parts["train"])
        self.features = self._keep_features()
        self.pooled = {
            name: PooledSounds(self.model, source, self.features)
            for name, source in self.parts.items()
        }
        self.test_scores: dict[str, float] = {}  # percent, once it is exported
        self._measured: tuple[Tensor, Tensor] | None = None

    @property
    def keeps_features(self) -> bool:
        """Whether the encoder's output is computed once: nothing in front of it changes."""
        augment = self.config.augment
        return self.model.untouched and not (augment.frequency or augment.time)

    def _keep_features(self) -> KeptFeatures:
        """Return what the encoder's output is kept by, on disk where that is asked for."""
        config, encoder = self.config, self.model.encoder
        if not (config.features and self.keeps_features):
            return KeptFeatures(None, {})
        identity = {
            "encoder": config.encoder,
            "weights": hash_weights(encoder),
            "window_s": config.window_s,
            "pooling": config.pooling,
        }
        return KeptFeatures(Path(config.features), identity)

    def load(self, index: int, random: np.random.Generator) -> dict[str, Tensor]:
        """Return a window of a sound, and its class."""
        source = self.parts["train"]
        label = torch.tensor(self.classes.index(source.sounds[index].label))
        if self.keeps_features:
            pooled = self.pooled["train"].of(index)
            return {"pooled": pooled[int(random.integers(len(pooled)))], "label": label}
        windows = source.windows(index)
        window = int(random.integers(len(windows.inputs)))
        inputs = self._blank(windows.inputs[window], random)
        return {"inputs": inputs, "mask": windows.mask[window], "label": label}

    def _blank(self, inputs: Tensor, random: np.random.Generator) -> Tensor:
        """Blank parts of a spectrogram where that is asked for."""
        augment = self.config.augment
        if not (augment.frequency or augment.time):
            return inputs
        axis = self.model.encoder.frequency_axis
        return spec_augment(inputs, augment.frequency, augment.time, random, axis)

    def collate(self, examples: Sequence[dict[str, Tensor]]) -> dict[str, Tensor]:
        """Stack what `load` returned."""
        return {name: torch.stack([e[name] for e in examples]) for name in examples[0]}

    def measure(self) -> dict[str, float]:
        """Accuracy and loss on the validation sounds."""
        if not len(self.parts["validation"]):
            return {}
        self._measured = logits, labels = self.classify("validation")
        loss = nn.functional.cross_entropy(logits, labels)
        return {"accuracy": accuracy(logits, labels), "validation_loss": float(loss)}

    def classify(self, part: str) -> tuple[Tensor, Tensor]:
        """Classify the sounds of a part; see `classify_sounds`."""
        kept = self.pooled[part] if self.keeps_features else None
        return classify_sounds(self.model, self.parts[part], self.classes, kept)

    def export(self, folder: Path, measured: dict[str, float]) -> None:
        """Write the classifier, calibrated on the validation sounds and measured on the test."""
        config = self.config
        temperature = 1.0
        if len(self.parts["validation"]):
            # The last step of a training is measured: nothing has changed since, unless an earlier
            # one was the best.
            last = None if config.loop.best else self._measured
            temperature = fit_temperature(*(last or self.classify("validation")))
        scores = score(*self.classify("test"), self.classes, temperature)
        self.features.flush()
        self.test_scores = scores
        steps = measured.get("step", config.loop.steps)
        card = ClassifierCard(
            encoder=config.encoder,
            classes=tuple(self.classes),
            method=config.method,
            pooling=config.pooling,
            window_s=config.window_s,
            temperature=temperature,
            data=f"{self.size} sounds of {config.data.dataset}, {config.data.protocol}",
            licence=config.licence,
            command=f"mcgurk train, {steps:.0f} steps, seed {config.loop.seed}",
            parameters=self.model.counts(),
            scores=scores,
            left_out=tuple(self.left_out),
            sounds=asdict(config.data),
        )
        save_classifier(folder, self.model, card)
