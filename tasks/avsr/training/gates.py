"""Train gates over the sets of a collection: which one counts how far, token by token."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from data_prep.clips.samples import Sample
from data_prep.noise import mix
from data_prep.noise.changing import join_noises, label_stretches
from fusion.routing.losses import IGNORED
from fusion.routing.report import Trace
from fusion.routing.training import router_loss
from modalities.rates import PIECE_SAMPLES, PIECE_STATES, SAMPLES_PER_STATE
from tasks.avsr.sets.adapted_whisper import Sight
from tasks.avsr.sets.gated_sets import GatedSets
from tasks.avsr.sets.set_recogniser import SetRecogniser, load_recogniser
from tasks.avsr.training.clips import find_clips, load_clips
from tasks.avsr.training.config import (
    AugmentOptions,
    DataOptions,
    LossOptions,
    NoiseOptions,
    SightOptions,
)
from tasks.avsr.training.noise_maker import NoiseMaker, Noisy
from tasks.avsr.training.shown_mouths import SightSource
from tasks.avsr.training.targets import Teacher, token_loss
from tasks.training.options import LoopOptions

MOST_CHANGES = 2  # of the noise within a clip
SHORTEST = 0.2  # share of a clip that a stretch of noise lasts at least
TRIES = 20  # a stretch of a recording that is silent is drawn anew


@dataclass(frozen=True)
class GateConfig:
    """An experiment.

    Attributes:
        collection: Name or folder of the sets.
        model: The frozen Whisper that they are for.
        sets: Names of those that are weighed.
        bank: Settings of the bank that differ, see `tasks.avsr.sets.gated_sets.GatedSets`.
        labels: Factor of the cross-entropy with the noise of each frame, for gates that read frames
            and whose set is called as the noise; 0 learns from transcripts alone.
        changing: Share of noisy clips whose noise changes once or twice.
        data: Clips.
        every: Of those of the split every so manyth is learnt from, as clips lie by what is said.
        noise: Heard besides.
        sight: What is seen of the lips.
        augment: How pictures are changed.
        loop: How long and how fast the gates are trained.
    """

    collection: str = "grid"
    model: str = "whisper-tiny.en"
    sets: tuple[str, ...] = ("babble", "sidespeaker", "music", "natural", "all")
    bank: Mapping[str, Any] = field(default_factory=dict)
    labels: float = 0.0
    changing: float = 0.5
    data: DataOptions = field(default_factory=DataOptions)
    every: int = 1
    noise: NoiseOptions = field(default_factory=NoiseOptions)
    sight: SightOptions = field(
        default_factory=lambda: SightOptions(dropout=0.1, wrong=0, frozen=0, variants=1)
    )
    augment: AugmentOptions = field(default_factory=AugmentOptions)
    loop: LoopOptions = field(default_factory=LoopOptions)


@dataclass(frozen=True)
class Changing:
    """A clip in noise that may change.

    Attributes:
        noisy: The clip with its noise.
        labels: Which set is made for the noise of each frame, int64 [frames]; -100 for none.
    """

    noisy: Noisy
    labels: np.ndarray


class GateTraining:
    """The task; see `tasks.training.loop.Trainable`.

    Args:
        config: Clips, noise, sets, and how the gates are trained.

    Raises:
        FileNotFoundError: Data or weights are not there.
        ValueError: Clips without transcripts, or sets that do not go together.
    """

    def __init__(self, config: GateConfig):
        self.config = config
        torch.manual_seed(config.loop.seed)
        self.recogniser = load_recogniser(config.model, config.collection, "cpu")
        self.recogniser.adapted.requires_grad_(False)
        self.gated = GatedSets(self.recogniser, config.sets, config.bank)
        for parameter in self.gated.gates():
            parameter.requires_grad_(True)
        clips = find_clips(config.data, config.data.train)[:: config.every]
        self.training = load_clips(clips, config.data.folder)
        voices = [sample.waveform for sample in self.training]
        self.noise = NoiseMaker(config.noise, voices)
        self.teacher = Teacher(self.recogniser.adapted, LossOptions())
        for sample in self.training:
            self.teacher.check(sample.clip)
        lips = self.recogniser.adapted.lips
        seed = config.loop.seed
        self.sights = SightSource(self.training, lips, config.sight, config.augment, seed)
        self.module: nn.Module = _Learner(self.recogniser, self.gated, config.labels)
        self.size = len(self.training)

    def load(self, index: int, random: np.random.Generator) -> dict[str, Any]:
        """Return a clip in noise that may change, and what is seen of its mouth."""
        sample = self.training[index]
        heard = self._add_noise(sample, index, random)
        return {
            "waveform": heard.noisy.waveform[:PIECE_SAMPLES],
            "labels": heard.labels[:PIECE_STATES],
            "sight": self.sights.draw(index, 0, random),
            "clip": sample,
        }

    def _add_noise(self, sample: Sample, own: int, random: np.random.Generator) -> Changing:
        config, speech = self.config, sample.waveform
        if random.random() >= config.changing:
            noisy = self.noise.add(speech, own, random)
            return Changing(noisy, self._labels([noisy.category], [], len(speech)))
        count = int(random.integers(1, MOST_CHANGES + 1))
        places = draw_places(len(speech), count, random)
        options = config.noise
        categories = draw_in_turn(options.categories, count + 1, random)
        snr_db = float(random.uniform(options.snr_low_db, options.snr_high_db))
        noise = self._draw_stretches(categories, places, len(speech), own, random)
        mixed = mix(speech, noise, snr_db, options.recipe)
        noisy = Noisy(mixed.waveform, mixed.speech, "/".join(categories), snr_db)
        return Changing(noisy, self._labels(categories, places, len(speech)))

    def _draw_stretches(
        self,
        categories: Sequence[str],
        places: Sequence[int],
        samples: int,
        own: int,
        random: np.random.Generator,
    ) -> np.ndarray:
        for _ in range(TRIES):
            drawn = [self.noise.draw(category, samples, own, random) for category in categories]
            try:
                return join_noises(drawn, places, self.config.noise.recipe)
            except ValueError:  # a stretch is silent
                continue
        raise ValueError(
            f"Noise of {', '.join(categories)} is silent in most places; take other recordings."
        )

    def _labels(
        self, categories: Sequence[str | None], places: Sequence[int], samples: int
    ) -> np.ndarray:
        sets = self.config.sets
        labels = [sets.index(c) if c is not None and c in sets else IGNORED for c in categories]
        return label_stretches(labels, places, samples, SAMPLES_PER_STATE)

    def collate(self, examples: Sequence[dict[str, Any]]) -> dict[str, Any]:
        """Compute log-mels and targets."""
        adapted = self.recogniser.adapted
        labels = np.full((len(examples), PIECE_STATES), IGNORED)
        for row, example in enumerate(examples):
            labels[row, : len(example["labels"])] = example["labels"]
        clips = [example["clip"] for example in examples]
        return {
            "mel": adapted.hear([example["waveform"] for example in examples]),
            "labels": torch.from_numpy(labels),
            **SightSource.collate([example["sight"] for example in examples]),
            **self.teacher.targets(clips, []),
        }

    def measure(self) -> dict[str, float]:
        """Measure nothing: which gates are taken is decided on whole validation clips."""
        return {}

    def export(self, folder: Path, measured: dict[str, float]) -> None:
        """Write the gates."""
        self.gated.save(folder / "gates")


class _Learner(nn.Module):
    def __init__(self, recogniser: SetRecogniser, gated: GatedSets, labels: float):
        super().__init__()
        self.adapted, self.fusion = recogniser.adapted, gated.fusion
        self.gated, self.labels = gated, labels

    def train(self, mode: bool = True) -> "_Learner":
        """Let the gates train, and nothing else."""
        super().train(mode)
        for frozen in (self.adapted.lips, self.adapted.agreement):
            if frozen is not None:
                frozen.eval()
        return self

    def forward(self, batch: dict[str, Tensor]) -> dict[str, Tensor]:
        adapted, bank = self.adapted, self.gated.bank
        sight = Sight(batch["mask"], batch["lips"], batch["confidence"])
        with adapted.using(self.gated.name), bank.route() as trace:
            states, _ = adapted.encode(batch["mel"], sight, self.fusion)
            losses = {"transcript": token_loss(adapted, states, batch["transcript"])}
        if self.labels:
            heard = Trace([pair for pair in trace.taken if not bank.sites[pair[0]].decodes])
            losses["labels"] = router_loss(bank, heard, {"labels": 1.0}, labels=batch["labels"])
        total = losses["transcript"] + self.labels * losses.get("labels", 0.0)
        return {"loss": total, **losses}


def draw_places(samples: int, count: int, random: np.random.Generator) -> list[int]:
    """Draw where noise changes, so that each stretch lasts a fifth of the clip or more.

    Args:
        samples: Length of the clip.
        count: How often it changes, 1 to 3.
        random: Draws.

    Returns:
        Samples, rising, [count].
    """
    spare = 1 - SHORTEST * (count + 1)
    shares = np.sort(random.random(count)) * spare + SHORTEST * np.arange(1, count + 1)
    return [int(share * samples) for share in shares]


def draw_in_turn(choices: Sequence[str], count: int, random: np.random.Generator) -> list[str]:
    """Draw so many, none twice in a row; of one choice alone that one.

    Args:
        choices: What is drawn from.
        count: How many are drawn.
        random: Draws.
    """
    drawn: list[str] = []
    while len(drawn) < count:
        others = [one for one in choices if [one] != drawn[-1:]] or list(choices)
        drawn.append(others[int(random.integers(len(others)))])
    return drawn
