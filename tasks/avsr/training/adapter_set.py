"""Train an adapter set: adapters in a frozen Whisper, and the fusion of lips and sound."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from data_prep.clips.samples import Sample
from fusion.adapters.interface import attach
from fusion.audio_visual.agreement import AgreementNetwork, AgreementOptions
from fusion.audio_visual.catalog import FUSIONS
from fusion.audio_visual.options import GATED
from fusion.contract.options import build_options
from fusion.methods.catalog import find_method
from fusion.sets.card import SetCard
from fusion.sets.files import load_set, save_set
from modalities.network_file import load_network
from modalities.rates import PIECE_SAMPLES, SAMPLES_PER_PICTURE, VIDEO_RATE_HZ
from modalities.speech.whisper import load_whisper
from modalities.vision.lips import LipEncoder, load_lip_encoder
from tasks.avsr.sets.adapted_whisper import AdaptedWhisper, Sight
from tasks.avsr.training.clips import find_clips, load_clips
from tasks.avsr.training.config import (
    LossOptions,
    SetConfig,
)
from tasks.avsr.training.noise_maker import NoiseMaker
from tasks.avsr.training.shown_mouths import SightExample, SightSource
from tasks.avsr.training.targets import Teacher, token_loss


class AdapterSetTraining:
    """The task; see `tasks.training.loop.Trainable`.

    Args:
        config: Clips, noise, method, fusion, and how they are trained.

    Raises:
        FileNotFoundError: Data or weights are not there.
        ValueError: Clips without transcripts where they are learnt from; an unknown method.
    """

    def __init__(self, config: SetConfig):
        self.config = config
        data = config.data
        # An option of another type is told before anything is loaded.
        build_options(config.method, find_method(config.method).Options, config.options)
        torch.manual_seed(config.loop.seed)
        whisper = load_whisper(config.model)
        lips = load_lip_encoder(config.lips) if config.lips else None
        network = None
        if config.agreement:
            network = load_network(AgreementNetwork, AgreementOptions, config.agreement)
            network.requires_grad_(False)
        self.whisper = AdaptedWhisper(whisper, lips, network)
        self.fusion = self._attach(lips)
        self.training = load_clips(find_clips(data, data.train), data.folder)
        self.validation = load_clips(find_clips(data, data.validation), data.folder)
        voices = [sample.waveform for sample in self.training]
        self.noise = NoiseMaker(config.noise, voices)
        self.teacher = Teacher(self.whisper, config.losses)
        for sample in (*self.training, *self.validation):
            self.teacher.check(sample.clip)
        wants_crops = config.fusion == "upstream"
        self.sights = SightSource(
            self.training,
            lips if config.fusion in GATED else None,
            config.sight,
            config.augment,
            config.loop.seed,
            wants_crops,
        )
        self.module: nn.Module = _Learner(self.whisper, self.fusion, config.losses)
        self.size = len(self.training)

    def _attach(self, lips: LipEncoder | None) -> nn.Module | None:
        config, adapters = self.config, self.whisper.adapters
        fusion = None
        if config.start:
            _, fusion = load_set(config.start, adapters, config.name)
        else:
            attach(
                self.whisper.model,
                config.method,
                dict(config.options),
                config.where,
                name=config.name,
            )
        if not config.fusion:
            return None
        kind, options = FUSIONS[config.fusion]
        if isinstance(fusion, kind):
            return fusion.train()
        if config.fusion in GATED:
            assert lips is not None
            width = self.whisper.model.config.d_model
            known: dict[str, Any] = {"lip_dim": lips.dim, "dim": width}
        else:
            known = {"mel_bins": self.whisper.whisper.mel_bins}
        return kind(build_options(config.fusion, options, {**known, **config.fusion_options}))

    def load(self, index: int, random: np.random.Generator) -> dict[str, Any]:
        """Return a clip with noise and what is seen of a mouth, perhaps another's."""
        sample = self.training[index]
        first = self._first_picture(sample, random)
        noisy = self.noise.add(sample.waveform, index, random)
        start = first * SAMPLES_PER_PICTURE
        stop = start + PIECE_SAMPLES
        seen = self.sights.draw(index, first, random) if self.fusion is not None else None
        return {
            "waveform": noisy.waveform[start:stop],
            "speech": noisy.speech[start:stop],
            "sight": seen,
            "clip": sample,
        }

    def _first_picture(self, sample: Sample, random: np.random.Generator) -> int:
        """Cut some of the silence before the first word off, at times."""
        words = sample.clip.words
        spare = int(words[0].start_s * VIDEO_RATE_HZ) - 2 if words else 0
        return int(random.integers(0, min(spare, 10) + 1)) if spare > 0 else 0

    def collate(self, examples: Sequence[dict[str, Any]]) -> dict[str, Any]:
        """Compute log-mels and targets."""
        batch: dict[str, Any] = {"mel": self.whisper.hear([e["waveform"] for e in examples])}
        seen: list[SightExample] = [e["sight"] for e in examples if e["sight"] is not None]
        if seen:
            batch |= SightSource.collate(seen)
        clips = [e["clip"] for e in examples]
        return batch | self.teacher.targets(clips, [e["speech"] for e in examples])

    @torch.no_grad()
    def measure(self) -> dict[str, float]:
        """Word errors on clean and noisy validation clips, with the right face, another, none."""
        from tasks.avsr.training.validation import measure_set

        return measure_set(
            self.whisper, self.fusion, self.validation, self.noise, self.config.validation_clips
        )

    def export(self, folder: Path, measured: dict[str, float]) -> None:
        """Write the set."""
        from tasks.avsr.training.validation import count_trained

        config = self.config
        steps = measured.get("step", config.loop.steps)
        card = SetCard(
            name=config.name,
            model=config.model,
            fusion=config.fusion,
            scenario={
                "categories": list(config.noise.categories),
                "snr_db": [config.noise.snr_low_db, config.noise.snr_high_db],
            },
            data=f"{len(self.training)} clips of split {config.data.train!r}",
            licence=config.licence,
            parameters=count_trained(self.module),
            command=f"mcgurk train, {steps:.0f} steps, seed {config.loop.seed}",
            seconds=measured["seconds"],
            scores={
                name: round(value, 3)
                for name, value in measured.items()
                if name not in ("step", "loss", "seconds")
            },
        )
        save_set(folder / "set", self.whisper.adapters, self.fusion, card)


class _Learner(nn.Module):
    def __init__(self, whisper: AdaptedWhisper, fusion: nn.Module | None, losses: LossOptions):
        super().__init__()
        self.whisper = whisper
        self.fusion = fusion
        self.losses = losses

    def train(self, mode: bool = True) -> "_Learner":
        """Let adapters and fusion train, and nothing else."""
        super().train(mode)
        for frozen in (self.whisper.lips, self.whisper.agreement):
            if frozen is not None:
                frozen.eval()
        return self

    def forward(self, batch: dict[str, Any]) -> dict[str, Tensor]:
        whisper, weights = self.whisper, self.losses
        sight = None
        if "mask" in batch:
            others = {name: batch.get(name) for name in ("lips", "confidence", "crops")}
            sight = Sight(batch["mask"], **others)
        mel = batch["mel"]
        losses: dict[str, Tensor] = {}
        if weights.mel and sight is not None and self.fusion is not None:
            mel = self.fusion(mel, sight.crops, sight.mask)
            losses["mel"] = functional.l1_loss(mel, batch["clean_mel"])
            sight = None
        states, _ = whisper.encode(mel, sight, self.fusion)  # type: ignore[arg-type]
        if weights.encoder:
            losses["encoder"] = functional.l1_loss(states, batch["clean_states"])
        for name in ("transcript", "tokens"):
            if getattr(weights, name):
                losses[name] = token_loss(whisper, states, batch[name])
        total = sum(getattr(weights, name) * value for name, value in losses.items())
        return {"loss": total, **losses} if len(losses) > 1 else {"loss": total}  # type: ignore[dict-item]
