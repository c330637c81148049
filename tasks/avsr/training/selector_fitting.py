"""Fit what a selector goes by besides its classifier: known sound, known faces, kind and level."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from data_prep.clips.samples import Sample
from fusion.scenarios.category import KindOptions, NoiseKind
from fusion.scenarios.domain import DomainCheck, DomainOptions, summarise
from fusion.scenarios.level import LevelEstimate, LevelOptions
from modalities.rates import PIECE_SAMPLES
from modalities.vision.lips import LipEncoder
from tasks.avsr.sets.selector import Selector
from tasks.avsr.training.config import AugmentOptions, NoiseOptions
from tasks.avsr.training.mouth_changes import NO_CHANGE
from tasks.avsr.training.noise_maker import NoiseMaker, Noisy
from tasks.avsr.training.shown_mouths import read_changed

SURE = 0.995  # share of validation windows that is to be known
DIRECTIONS = 64
LOUD_DB = 20.0  # up to here the level matters
STRANGE = 0.5  # share of noise that shows what other recordings sound like
CROWD = 0.12  # share of natural noise
VOICE_WEIGHT = 3.0  # of one voice as noise: training clips have fewer voices than there are
KIND_WINDOWS = 4  # for each of `SelectorFitting.clips`
BATCH = 20
FACE_MARGIN = 1.2  # a face in other light or turned away is still known

Progress = Callable[[float, float | None], None]


@dataclass(frozen=True, eq=False)
class SelectorFitting:
    """Fits the parts of a selector to noisy clips; the same clips and seed give the same parts.

    Where the selector is on a GPU it hears there; the parts are fitted, and stay, on the CPU.

    Attributes:
        training: Clips that the sets were trained on; their voices are among the noise.
        unseen: Clips of the same talkers that no set was trained on.
        noise: What is heard besides; `fit_kind` and `fit_level` change its levels.
        clips: How many noisy clips show what is known, and four times as many what kinds of noise
            sound like; 1 or more.
        doubt: How unsure the decoder may be on known sound, as mean negative log-probability of a
            token, above 0.
        seed: Fixes which noise is drawn for which clips.
    """

    training: Sequence[Sample]
    unseen: Sequence[Sample]
    noise: NoiseOptions
    clips: int
    doubt: float
    seed: int

    def fit_domain(self, selector: Selector, progress: Progress | None = None) -> DomainCheck:
        """Fit which sound is known, as the set that hears only makes it out.

        Args:
            selector: With such a set; only that is used.
            progress: Called with the windows heard, and all.
        """
        noise = self._make_noise(self.noise)
        width = selector.adapted.model.config.d_model
        count = min(self.clips, 4 * len(self.training))
        rows: list[Tensor] = []
        for noisy in add_noise(noise, self.training, count, [self.seed + 17], own=True):
            rows.append(_summaries(selector, noisy))
            if progress:
                progress(sum(map(len, rows)), count)
        check = DomainCheck(DomainOptions(width, min(DIRECTIONS, count // 4, 2 * width - 1)))
        check.fit(torch.cat(rows))
        total = 4 * len(self.unseen)
        others = add_noise(noise, self.unseen, total, [self.seed + 18], own=False)
        known = check.residual(torch.cat([_summaries(selector, noisy) for noisy in others]))
        return _with_limit(check, float(known.quantile(SURE)), self.doubt)

    def fit_faces(self, lips: LipEncoder) -> DomainCheck:
        """Fit which faces are known: training clips, changed a little, and unseen clips.

        Args:
            lips: Reads the faces, as it will when they are checked.
        """
        changes = AugmentOptions(pace=0.0, blanks=0, erase=0.0, flip=0.0)
        features = self._read_faces(self.training, lips, changes)
        directions = min(DIRECTIONS, len(features) // 4, 2 * lips.dim - 1)
        check = DomainCheck(DomainOptions(lips.dim, directions))
        check.fit(features)
        known = check.residual(self._read_faces(self.unseen, lips, NO_CHANGE))
        return _with_limit(check, float(known.quantile(SURE)) * FACE_MARGIN, self.doubt)

    def fit_kind(self, selector: Selector) -> NoiseKind:
        """Fit the kind of noise to what the encoder makes of it, half of it strange.

        Args:
            selector: With a set that hears only; the kinds are those of its classifier.
        """
        names = selector.classifier.options.categories
        noise = self._make_noise(
            replace(
                self.noise,
                categories=names,
                clean=0.0,
                snr_high_db=LOUD_DB,
                strange=STRANGE,
                crowd=CROWD,
            )
        )
        states, categories = [], []
        total = KIND_WINDOWS * self.clips
        for noisy in add_noise(noise, self.training, total, [self.seed + 21], own=True):
            states.append(selector.listen([n.waveform for n in noisy]).states.cpu())
            categories += [names.index(n.category) for n in noisy if n.category]
        kind = NoiseKind(KindOptions(names, states[0].shape[1]))
        weights = [VOICE_WEIGHT if name == "sidespeaker" else 1.0 for name in names]
        kind.fit(torch.cat(states), torch.tensor(categories), torch.tensor(weights))
        return kind

    def fit_level(self, selector: Selector) -> LevelEstimate:
        """Fit the level to lips and sound of unseen clips, which neither network was trained on.

        Args:
            selector: With a set that hears only, and the kind of noise it will have with this.
        """
        unseen = [sample for sample in self.unseen if sample.clip.mask().any()]
        noise = self._make_noise(replace(self.noise, clean=0.0, snr_high_db=LOUD_DB))
        adapted, kinds = selector.adapted, len(selector.classifier.options.categories)
        level = LevelEstimate(LevelOptions(kinds, 2 * adapted.model.config.d_model))
        sight = adapted.look([s.crops for s in unseen], [s.clip.mask() for s in unseen])
        features, levels = [], []
        for turn in range(-(-self.clips // len(unseen))):
            noisy = []
            for number, sample in enumerate(unseen):
                random = np.random.default_rng([self.seed + 20, turn, number])
                noisy.append(noise.add(sample.waveform[:PIECE_SAMPLES], -1, random))
            heard = selector.listen([n.waveform for n in noisy])
            features.append(selector.describe_level(level, heard, sight).cpu())
            levels += [n.snr_db for n in noisy]
        level.fit(torch.cat(features), torch.tensor(levels))
        return level

    def _make_noise(self, options: NoiseOptions) -> NoiseMaker:
        return NoiseMaker(options, [sample.waveform for sample in self.training])

    def _read_faces(
        self, samples: Sequence[Sample], lips: LipEncoder, augment: AugmentOptions
    ) -> Tensor:
        """Summarise the faces of clips that show one, [clips, 2 * dim]."""
        rows = []
        for number, sample in enumerate(samples):
            random = np.random.default_rng([self.seed + 19, number])
            features, _ = read_changed(sample, lips, augment, random)
            seen = torch.from_numpy(sample.clip.mask()[: len(features)])
            if int(seen.sum()) > 1:
                rows.append(summarise(features.float()[None, seen].cpu()))
        return torch.cat(rows)


def add_noise(
    noise: NoiseMaker, samples: Sequence[Sample], total: int, seed: Sequence[int], own: bool
) -> Iterator[list[Noisy]]:
    """Add noise to clips, over and over, in batches; `own` says that they are its voices too."""
    for start in range(0, total, BATCH):
        noisy = []
        for number in range(start, min(start + BATCH, total)):
            place = number % len(samples)
            speech = samples[place].waveform[:PIECE_SAMPLES]
            random = np.random.default_rng([*seed, number])
            noisy.append(noise.add(speech, place if own else -1, random))
        yield noisy


def _summaries(selector: Selector, noisy: Sequence[Noisy]) -> Tensor:
    heard = selector.listen([n.waveform for n in noisy])
    assert heard.encoded is not None
    windows = zip(heard.encoded, heard.counts, strict=True)
    return torch.cat([summarise(row[None, :count]) for row, count in windows]).cpu()


def _with_limit(check: DomainCheck, residual: float, doubt: float) -> DomainCheck:
    options = replace(check.options, residual=residual, doubt=doubt)
    final = DomainCheck(options)
    final.load_state_dict(check.state_dict())
    return final
