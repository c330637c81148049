"""Teach a lip encoder which word is being spoken, frame by frame or by transcripts alone."""

from collections.abc import Sequence
from copy import deepcopy
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from data_prep.clips.samples import Sample
from modalities.network_file import save_network
from modalities.rates import VIDEO_RATE_HZ
from modalities.vision.lips import (
    LipNetwork,
    LipOptions,
    frame_loss,
    load_lip_encoder,
    normalise,
)
from tasks.avsr.training.clips import find_clips, load_clips
from tasks.avsr.training.config import LipConfig
from tasks.avsr.training.mouth_changes import change_pictures
from tasks.scoring.normalisers import split_words
from tasks.scoring.word_errors import count_errors
from tasks.training.loop import to_device

UNLEARNT = -100  # of frames in which a word is said that the encoder has no class for


class LipReading:
    """The task; see `tasks.training.loop.Trainable`.

    Args:
        config: Clips, sizes of the encoder, and how it is trained.

    Raises:
        FileNotFoundError: The data, or the encoder to start with, are not there.
        ValueError: Clips have no mouth, or no word times or transcripts to learn from; or none has
            a word that the encoder to start with knows.
    """

    def __init__(self, config: LipConfig):
        self.config = config
        data = config.data
        self.training = load_clips(find_clips(data, data.train), data.folder)
        self.validation = load_clips(find_clips(data, data.validation), data.folder)
        for sample in (*self.training, *self.validation):
            _check(sample, config.objective)
        words = sorted({w for sample in self.training for w in words_of(sample)})
        torch.manual_seed(config.loop.seed)
        self.network = _begin(config, words)
        self.options = self.network.options
        kept = find_clips(data, config.keep) if config.keep else []
        self.kept = {clip.id for clip in kept}
        self.module: nn.Module = _learner(self.network, config)
        self.size = len(self.training)

    def load(self, index: int, random: np.random.Generator) -> dict[str, Any]:
        """Return pictures, mask and what is said, changed at random; unchanged ones to hold."""
        sample = self.training[index]
        example = self._example(sample, random)
        if self.config.unchanged and example["kept"]:
            plain = self._example(sample, None)
            example |= {"plain": plain["pictures"], "plain_mask": plain["mask"]}
        return example

    def _example(self, sample: Sample, random: np.random.Generator | None) -> dict[str, Any]:
        frames = len(sample.crops)
        mask = sample.clip.mask()
        unknown = UNLEARNT if self.config.start else len(self.options.words)
        labels = label_frames(sample, self.options.words, frames, unknown)
        crops = torch.from_numpy(sample.crops)[None]
        seen = torch.from_numpy(mask)[None]
        if random is None:
            pictures = normalise(crops, seen, self.options)[0]
            kept = np.arange(frames)
        else:
            pictures, kept, mask = change_pictures(
                sample.crops, mask, self.options, self.config.augment, random
            )
        ids = [self.options.words.index(w) for w in words_of(sample) if w in self.options.words]
        return {
            "pictures": pictures,
            "mask": torch.from_numpy(mask),
            "labels": torch.from_numpy(labels[kept]),
            "words": ids,
            "kept": sample.clip.id in self.kept,
        }

    def collate(self, examples: Sequence[dict[str, Any]]) -> dict[str, Any]:
        """Pad to the longest; unchanged pictures are those of kept clips alone."""
        plain = [e for e in examples if "plain" in e]
        held = {
            name: _pad([e[name] for e in plain], value)
            for name, value in (("plain", 0.0), ("plain_mask", False))
            if plain
        }
        return held | {
            "pictures": _pad([e["pictures"] for e in examples], 0.0),
            "mask": _pad([e["mask"] for e in examples], False),
            "labels": _pad([e["labels"] for e in examples], len(self.options.words)),
            "real": _pad([torch.ones(len(e["mask"]), dtype=torch.bool) for e in examples], False),
            "words": [e["words"] for e in examples],
            "kept": torch.tensor([e["kept"] for e in examples]),
        }

    @torch.no_grad()
    def measure(self) -> dict[str, float]:
        """Share of frames that are right, and word errors of the frames' words in a row."""
        right = frames = 0
        spoken: list[str] = []
        read: list[str] = []
        loss = 0.0
        for start in range(0, len(self.validation), 16):
            samples = self.validation[start : start + 16]
            batch = self.collate([self._example(sample, None) for sample in samples])
            batch = to_device(batch, next(self.network.parameters()).device)
            logits = self.network.classify(self.network(batch["pictures"], batch["mask"]))
            loss += float(frame_loss(logits, batch["labels"], _learnt(batch))) * len(samples)
            best = logits.argmax(2)
            right += int(((best == batch["labels"]) & _learnt(batch)).sum())
            frames += int(_learnt(batch).sum())
            for row, expected, real in zip(best, batch["words"], batch["real"], strict=True):
                found = collapse(row[real].tolist(), len(self.options.words))
                spoken.append(" ".join(map(str, expected)))
                read.append(" ".join(map(str, found)))
        errors = count_errors(spoken, read, split_words)  # of the words' numbers
        return {
            "validation_loss": loss / len(self.validation),
            "frame_accuracy": 100 * right / max(1, frames),
            "word_error_rate": 100 * int(errors.edits.sum()) / max(1, int(errors.words.sum())),
        }

    def export(self, folder: Path, measured: dict[str, float]) -> None:
        """Write lips.safetensors."""
        save_network(self.network, folder / "lips.safetensors")


class _Learner(nn.Module):
    def __init__(self, network: LipNetwork, objective: str):
        super().__init__()
        self.network = network
        self.objective = objective

    def forward(self, batch: dict[str, Any]) -> dict[str, Tensor]:
        return {"loss": self.word_loss(batch, self.network(batch["pictures"], batch["mask"]))}

    def word_loss(self, batch: dict[str, Any], features: Tensor) -> Tensor:
        """Return how far what is read is from what is said, scalar."""
        logits = self.network.classify(features)
        if self.objective == "frames":
            return frame_loss(logits, batch["labels"], _learnt(batch))
        targets = torch.tensor([w for row in batch["words"] for w in row], device=logits.device)
        lengths = torch.tensor([len(row) for row in batch["words"]])
        return functional.ctc_loss(
            logits.log_softmax(2).transpose(0, 1),
            targets,
            batch["real"].sum(1).cpu(),
            lengths,
            blank=logits.shape[2] - 1,
            zero_infinity=True,
        )


class _FurtherLearner(_Learner):
    """Trains an encoder on, near the one that it was.

    Its head and the statistics of its batch norms stay, so that a feature goes on meaning what it
    meant; features of clips that are kept are held besides, of their unchanged pictures where those
    are there.
    """

    def __init__(self, network: LipNetwork, objective: str, hold: float):
        super().__init__(network, objective)
        network.head.requires_grad_(False)
        self.before = deepcopy(network).requires_grad_(False)
        self.hold = hold

    def train(self, mode: bool = True) -> "_FurtherLearner":
        """Let all learn but what stays."""
        super().train(mode)
        self.before.eval()
        for part in self.network.modules():
            if isinstance(part, nn.BatchNorm2d):
                part.eval()
        return self

    def forward(self, batch: dict[str, Any]) -> dict[str, Tensor]:
        features = self.network(batch["pictures"], batch["mask"])
        words = self.word_loss(batch, features)
        if not self.hold or not bool(batch["kept"].any()):
            return {"loss": words}
        held = self._move(batch, features)
        return {"loss": words + self.hold * held, "words": words, "held": held}

    def _move(self, batch: dict[str, Any], features: Tensor) -> Tensor:
        """Return how far what is kept has moved: the mean square of features' changes, scalar."""
        pictures, mask = batch["pictures"], batch["mask"]
        counted = mask & batch["kept"][:, None]
        if "plain" in batch:
            pictures = batch["plain"]
            counted = mask = batch["plain_mask"]
            features = self.network(pictures, mask)
        with torch.no_grad():
            before = self.before(pictures, mask)
        apart = (features - before).square().mean(2)
        return (apart * counted).sum() / counted.sum().clamp_min(1)


def _begin(config: LipConfig, words: Sequence[str]) -> LipNetwork:
    """Return the network that is trained: a fresh one for these words, or the one to start with."""
    if not config.start:
        return LipNetwork(LipOptions(**{**vars(config.lips), "words": tuple(words)}))
    network = load_lip_encoder(config.start).network.requires_grad_(True)
    if not set(words) & set(network.options.words):
        raise ValueError(
            f"None of the words in the clips ({', '.join(words[:5])}, ...) is one that "
            f"{config.start} reads, such as {network.options.words[0]}; expected some. Record "
            "sentences of its words."
        )
    if config.mean_removed is not None:
        network.options = replace(network.options, mean_removed=config.mean_removed)
    return network


def _learner(network: LipNetwork, config: LipConfig) -> _Learner:
    if config.start:
        return _FurtherLearner(network, config.objective, config.hold)
    return _Learner(network, config.objective)


def _learnt(batch: dict[str, Any]) -> Tensor:
    """Return the frames that count, bool [batch, frames]: with a word that there is a class for."""
    return batch["real"] & (batch["labels"] != UNLEARNT)


def words_of(sample: Sample) -> list[str]:
    """Return the words that are said, in lower case."""
    return split_words(sample.clip.text or "").split()


def label_frames(
    sample: Sample, words: Sequence[str], frames: int, unknown: int | None = None
) -> np.ndarray:
    """Return the word spoken at each frame, int64 [frames]; after the last index is silence.

    Args:
        sample: Its clip has word times.
        words: Those that there are classes for.
        frames: How many there are.
        unknown: Label of other words; None takes them for silence.
    """
    unknown = len(words) if unknown is None else unknown
    labels = np.full(frames, len(words), np.int64)
    numbers = {word: number for number, word in enumerate(words)}
    for word in sample.clip.words:
        first, stop = round(word.start_s * VIDEO_RATE_HZ), round(word.end_s * VIDEO_RATE_HZ)
        labels[first : max(stop, first + 1)] = numbers.get(word.text.strip().lower(), unknown)
    return labels


def collapse(labels: Sequence[int], silence: int, shortest: int = 2) -> list[int]:
    """Turn frames into words: runs of a label, without silence and what is too short for a word."""
    runs: list[list[int]] = []
    for label in labels:
        if runs and runs[-1][0] == label:
            runs[-1][1] += 1
        else:
            runs.append([label, 1])
    words: list[int] = []
    for label, length in runs:
        if label != silence and length >= shortest and (not words or words[-1] != label):
            words.append(label)
    return words


def _check(sample: Sample, objective: str) -> None:
    clip = sample.clip
    if not len(sample.crops):
        raise ValueError(f"Clip {clip.id} has no mouth video; lips cannot be learnt from it.")
    if objective == "frames" and not clip.words:
        raise ValueError(f"Clip {clip.id} has no word times; take objective: ctc.")
    if not (clip.text or "").split():
        lacks = "transcript" if clip.text is None else "word in its transcript"
        raise ValueError(f"Clip {clip.id} has no {lacks}; lips cannot be learnt from it.")


def _pad(rows: Sequence[Tensor], value: float) -> Tensor:
    return nn.utils.rnn.pad_sequence(list(rows), batch_first=True, padding_value=value)
