"""Audio classification: the filterbank, kept features, and mixtures of adapters."""

import tempfile
from argparse import Namespace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from bench.compare import Row, compare
from data_prep.datasets.sounds.classes import find_class_sounds
from data_prep.media.wav import encode_wav
from data_prep.sounds.labelled import Fold
from fusion.adapters.interface import attach
from modalities.audio.ast import random_ast
from modalities.audio.filterbank import Filterbank
from modalities.rates import RATE_HZ
from tasks.audio_classification.config import ClassificationConfig
from tasks.audio_classification.training import SoundClassification

CLIPS, SECONDS = 64, 5
EPOCH_SOUNDS, BATCH = 96, 32


def rows(given: Namespace) -> list[Row]:
    """Time each on noise; what is heard does not matter for time."""
    return [*_filterbank(), *_kept(), *_mixtures()]


def _filterbank() -> list[Row]:
    from torchaudio.compliance.kaldi import fbank
    from transformers import ASTFeatureExtractor

    generator = torch.Generator().manual_seed(0)
    sound = 0.1 * torch.randn(CLIPS, SECONDS * RATE_HZ, generator=generator)
    bank, extractor = Filterbank(128), ASTFeatureExtractor(max_length=100 * SECONDS)
    clips = [clip.numpy() for clip in sound]

    def ours() -> None:
        with torch.inference_mode():
            bank(sound)

    def with_torchaudio() -> list[Tensor]:
        return [
            fbank(
                clip[None],
                sample_frequency=RATE_HZ,
                window_type="hanning",
                num_mel_bins=128,
                htk_compat=True,
                use_energy=False,
                dither=0.0,
                frame_shift=10,
            )
            for clip in sound
        ]

    what = f"filterbank of {CLIPS} clips of {SECONDS} s"
    return [
        compare(what, "torchaudio, clip by clip", ours, with_torchaudio, "<= 0.33"),
        compare(
            what,
            "ASTFeatureExtractor",
            ours,
            lambda: extractor(clips, sampling_rate=RATE_HZ, return_tensors="pt"),
            "<= 0.33",
        ),
    ]


class _WithoutKeeping(SoundClassification):
    """Encodes anew in each epoch."""

    @property
    def keeps_features(self) -> bool:
        """Never."""
        return False


def _kept() -> list[Row]:
    random = np.random.default_rng(0)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for number in range(EPOCH_SOUNDS):
            place = folder / "ab"[number % 2]
            place.mkdir(exist_ok=True)
            noise = encode_wav(0.1 * random.standard_normal(RATE_HZ))
            (place / f"{number}.wav").write_bytes(noise)
        sounds = tuple(find_class_sounds(folder))
        fold = Fold(sounds, (), sounds[:1])
        config = ClassificationConfig(window_s=1.0)
        kept, anew = (kind(config, fold) for kind in (SoundClassification, _WithoutKeeping))
        return [
            compare(
                f"an epoch of linear probing, {EPOCH_SOUNDS} s of sound, Whisper tiny",
                "without kept features",
                lambda: _epoch(kept),
                lambda: _epoch(anew),
                "<= 0.1",
            )
        ]


def _epoch(task: SoundClassification) -> None:
    trained = [p for p in task.model.parameters() if p.requires_grad]
    optimiser = torch.optim.AdamW(trained)
    random = np.random.default_rng(0)
    for start in range(0, task.size, BATCH):
        examples = [task.load(n, random) for n in range(start, min(start + BATCH, task.size))]
        optimiser.zero_grad()
        task.model(task.collate(examples))["loss"].backward()
        optimiser.step()


def _mixtures() -> list[Row]:
    """Two blocks of AST over 5 s: the mixture reads as many tokens in each block of twelve."""
    moa, one = random_ast(num_hidden_layers=2), random_ast(num_hidden_layers=2)
    attach(moa, "soft_moa", {"rank": 6, "experts": 7})
    attach(one, "bottleneck", {"rank": 6, "mode": "parallel"}, ["attention"])
    inputs, mask = torch.randn(4, 500, 128), torch.ones(4, 500, dtype=torch.bool)

    def forward(model: torch.nn.Module) -> None:
        with torch.inference_mode():
            model(inputs, mask)

    return [
        compare(
            "Soft-MoA with 7 adapters in two blocks of AST, 4 clips of 5 s",
            "one bottleneck in each",
            lambda: forward(moa),
            lambda: forward(one),
            "<= 1.5",
        )
    ]
