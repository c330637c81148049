"""Train the network that says whether lips and sound belong together."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from data_prep.clips.samples import Sample
from fusion.audio_visual.agreement import AgreementNetwork, AgreementOptions, smooth
from modalities.audio.log_mel import LogMel
from modalities.network_file import load_network, save_network
from modalities.rates import PIECE_PICTURES, PIECE_SAMPLES, SAMPLES_PER_PICTURE
from modalities.vision.lips import load_lip_encoder
from tasks.avsr.training.clips import find_clips, load_clips
from tasks.avsr.training.config import (
    AGREEMENT_DB,
    AgreementConfig,
    SightOptions,
)
from tasks.avsr.training.mouth_changes import NO_CHANGE
from tasks.avsr.training.noise_maker import NoiseMaker, Noisy
from tasks.avsr.training.shown_mouths import SightExample, SightSource


class AgreementTraining:
    """The task; see `tasks.training.loop.Trainable`.

    Args:
        config: Clips, noise, lips, and how the network is trained.

    Raises:
        FileNotFoundError: Data, the lip encoder or the network to start with are not there.
        ValueError: The network to start with is for another lip encoder.
    """

    def __init__(self, config: AgreementConfig):
        self.config = config
        data = config.data
        self.training = load_clips(find_clips(data, data.train), data.folder)
        self.validation = load_clips(find_clips(data, data.validation), data.folder)
        self.noise = NoiseMaker(config.noise, [sample.waveform for sample in self.training])
        lips = load_lip_encoder(config.lips)
        seed = config.loop.seed
        self.sights = SightSource(self.training, lips, config.sight, config.augment, seed)
        plain = SightOptions(0, 0, 0, 0, 1, 1)
        self.shown = SightSource(self.validation, lips, plain, NO_CHANGE, seed)
        torch.manual_seed(seed)
        self.network = _begin(config, lips.dim)
        self.module: nn.Module = _Learner(self.network)
        self.log_mel = LogMel(self.network.options.mel_bins)
        self.size = len(self.training)

    def load(self, index: int, random: np.random.Generator) -> tuple[Noisy, SightExample]:
        """Return a noisy clip and its own lips."""
        sample = self.training[index]
        first = int(random.integers(9))
        noisy = self.noise.add(sample.waveform, index, random)
        start = first * SAMPLES_PER_PICTURE
        part = Noisy(
            noisy.waveform[start : start + PIECE_SAMPLES],
            noisy.speech[start : start + PIECE_SAMPLES],
            noisy.category,
            noisy.snr_db,
        )
        return part, self.sights.draw(index, first, random)

    def collate(self, examples: Sequence[tuple[Noisy, SightExample]]) -> dict[str, Any]:
        """Compute log-mels, and the ratio of each frame."""
        return {
            "mel": self._hear([noisy.waveform for noisy, _ in examples]),
            "snr_db": torch.stack([frame_ratio(noisy) for noisy, _ in examples]),
            **SightSource.collate([sight for _, sight in examples]),
        }

    def _hear(self, waveforms: Sequence[np.ndarray]) -> Tensor:
        padded = [np.pad(w, (0, PIECE_SAMPLES - len(w))) for w in waveforms]
        return self.log_mel(torch.from_numpy(np.stack(padded)))

    @torch.no_grad()
    def measure(self) -> dict[str, float]:
        """Area under the curve, own lips against another clip's, by level of babble."""
        found = {}
        shown = [
            self.shown.draw(n, 0, np.random.default_rng(0)) for n in range(len(self.validation))
        ]
        sight = SightSource.collate(shown)
        for level in (None, *AGREEMENT_DB):
            heard = [
                self._noisy(sample, number, level) for number, sample in enumerate(self.validation)
            ]
            mel = self._hear(heard)
            right = self.network(mel, sight["lips"], sight["mask"]).score
            order = torch.arange(len(heard)).roll(len(heard) // 2)
            wrong = self.network(mel, sight["lips"][order], sight["mask"][order]).score
            name = "auc clean" if level is None else f"auc {level:g} dB"
            found[name] = float((right[:, None] > wrong).float().mean())
        return found

    def _noisy(self, sample: Sample, number: int, level: float | None) -> np.ndarray:
        waveform = sample.waveform[:PIECE_SAMPLES]
        if level is None:
            return waveform
        return self.noise.at(waveform, "babble", level, [9, number]).waveform

    def export(self, folder: Path, measured: dict[str, float]) -> None:
        """Write agreement.safetensors."""
        save_network(self.network, folder / "agreement.safetensors")


def frame_ratio(noisy: Noisy) -> Tensor:
    """Return the ratio of speech to noise at each video frame, dB in -20 to 30, [80]."""
    powers = []
    for part in (noisy.speech, noisy.waveform - noisy.speech):
        padded = np.pad(part, (0, PIECE_SAMPLES - len(part))).reshape(PIECE_PICTURES, -1)
        powers.append(np.mean(np.square(padded), 1) + 1e-9)
    ratio = 10 * np.log10(powers[0] / powers[1])
    return torch.from_numpy(ratio.clip(-20, 30).astype(np.float32))


def _begin(config: AgreementConfig, lip_dim: int) -> AgreementNetwork:
    """Return a fresh network, or the one to train on."""
    if config.start:
        network = load_network(AgreementNetwork, AgreementOptions, config.start)
        if network.options.lip_dim != lip_dim:
            raise ValueError(
                f"{config.start} compares lips of {network.options.lip_dim} features; "
                f"{config.lips} gives {lip_dim}. Take the encoder that it was trained with."
            )
        return network
    return AgreementNetwork(AgreementOptions(**{**vars(config.agreement), "lip_dim": lip_dim}))


class _Learner(nn.Module):
    """Own lips against those of the other clips of a batch, window by window and by the second."""

    def __init__(self, network: AgreementNetwork):
        super().__init__()
        self.network = network

    def forward(self, batch: dict[str, Tensor]) -> dict[str, Tensor]:
        network, mask = self.network, batch["mask"]
        sound, snr_db = network.hear(batch["mel"])
        lips = network.see(batch["lips"])
        count = len(lips)
        rows, columns = torch.meshgrid(torch.arange(count), torch.arange(count), indexing="ij")
        rows, columns = rows.flatten(), columns.flatten()
        evidence, weight = network.compare(sound[rows], lips[columns], mask[columns])
        total = (evidence * weight).sum(1) / weight.sum(1).clamp_min(1e-3)
        scores = total.view(count, count)
        own = torch.eye(count, device=scores.device)
        # As many right as wrong pairs, so that 0 is the border.
        share = torch.where(own > 0, 1 / count, 1 / (count * (count - 1)))
        window = functional.binary_cross_entropy_with_logits(scores, own, share, reduction="sum")
        local = smooth(evidence, weight)
        per_frame = functional.binary_cross_entropy_with_logits(
            local, own.flatten()[:, None].expand_as(local), reduction="none"
        )
        seen = mask[columns] & (weight > 0)
        second = ((per_frame * seen).sum(1) / seen.sum(1).clamp_min(1)).view(count, count)
        second = (second * share).sum()
        target = torch.arange(count, device=scores.device)
        contrast = functional.cross_entropy(scores, target) + functional.cross_entropy(
            scores.mT, target
        )
        level = functional.smooth_l1_loss(snr_db / 10, batch["snr_db"] / 10)
        loss = contrast + window + second + level
        return {"loss": loss, "contrast": contrast, "window": window, "level": level}
