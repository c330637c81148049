"""Pictures of one colour that sound of it, a tiny denoiser, and tones with what embeds them."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn.functional import interpolate, normalize

from data_prep.media.wav import encode_wav
from data_prep.mixtures.manifest import MANIFEST, MixedSound, write_mixtures
from modalities.audio_text.small_audio_text import build_small_audio_text
from modalities.diffusion.audio_adapter import AudioAdapterOptions
from modalities.diffusion.small import SmallDenoiserOptions
from modalities.rates import RATE_HZ
from modalities.separation.network import SeparationNetwork, SeparatorOptions
from tasks.audio_to_image.painting.config import PaintingConfig, PictureDataOptions
from tasks.audio_to_image.painting.manifest import SoundedPicture, write_examples
from tasks.audio_to_image.separation.card import SeparatorCard
from tasks.audio_to_image.separation.separator import Separator
from tasks.audio_to_image.separation.separator_files import save_separator
from tasks.training.options import LoopOptions

COLOURS = ((230, 30, 30), (30, 30, 230))  # red, blue
DIM = 4
SMALL = SmallDenoiserOptions(
    height=8,
    width=8,
    channels=(16, 16),
    attention=(0, 1),
    heads=2,
    groups=4,
    token_dim=8,
    tokens=2,
)
ADAPTER = AudioAdapterOptions(sources=2, dim=DIM, hidden=16, dropout=0.0)
LOOP = LoopOptions(steps=4, batch=4, warmup=0, measure_every=2, learning_rate=3e-3)


def write_colours(folder: Path, each: int = 4) -> Path:
    """Write pictures of red and of blue, with one source, and one of no sound beside it."""
    folder.mkdir(parents=True, exist_ok=True)
    random = np.random.default_rng(0)
    rows, embeddings = [], []
    for number in range(2 * each):
        kind = number % 2
        path = folder / f"{number}.png"
        picture = np.clip(random.normal(COLOURS[kind], 8, (8, 8, 3)), 0, 255).astype(np.uint8)
        cv2.imwrite(str(path), picture[..., ::-1])
        fold = "validation" if number < 2 else "train"
        rows.append(SoundedPicture(str(number), str(path), fold, ("red", "blue")[kind]))
        heard = np.zeros((2, DIM), np.float32)
        heard[0, kind] = 1
        embeddings.append(heard)
    write_examples(folder, rows, torch.from_numpy(np.stack(embeddings)))
    return folder


@pytest.fixture(scope="session")
def colours(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_colours(tmp_path_factory.mktemp("colours"))


@pytest.fixture
def base_config(colours: Path) -> PaintingConfig:
    pytest.importorskip("diffusers")
    return PaintingConfig(
        stage="base",
        data=PictureDataOptions(str(colours)),
        small=SMALL,
        steps=2,
        shown=2,
        loop=LOOP,
    )


@pytest.fixture
def adapter_config(base_config: PaintingConfig, base: Path) -> PaintingConfig:
    return replace(base_config, stage="adapter", denoiser=str(base), adapter=ADAPTER, guidance=2.0)


@pytest.fixture(scope="session")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Write a tiny denoiser with random weights."""
    pytest.importorskip("diffusers")
    from modalities.diffusion.denoiser_files import save_denoiser
    from modalities.diffusion.small import build_small

    folder = tmp_path_factory.mktemp("base")
    save_denoiser(build_small(SMALL), folder)
    return folder


BANDS = 4
SEPARATOR = SeparatorOptions(
    sources=3, window_s=0.5, widths=(8, 8, 16), squeeze=4, reads="log_power", dropout=0.0
)


class PitchText:
    """Embeds sounds by bands of their spectrum, and a text that ends with a number as that band."""

    name, identity, rate_hz, dim = "pitch", "pitch-4", 8000, BANDS

    def embed_audio(self, waves: Tensor) -> Tensor:
        power = torch.fft.rfft(waves).abs().square()
        return normalize(interpolate(power[:, None], BANDS, mode="area")[:, 0] + 1e-9, dim=1)

    def embed_text(self, texts: Sequence[str]) -> Tensor:
        bands = torch.tensor([int(text.split()[-1]) for text in texts])
        return torch.nn.functional.one_hot(bands, BANDS).float()


def make_tone(hz: float, seconds: float = 0.6) -> np.ndarray:
    times = np.arange(round(seconds * RATE_HZ)) / RATE_HZ
    return (0.3 * np.sin(2 * np.pi * hz * times)).astype(np.float32)


def write_tones(folder: Path) -> Path:
    """Write mixtures of one tone and of two, and silence, each with a picture of its own."""
    folder.mkdir(parents=True, exist_ok=True)
    sounds = [
        make_tone(500),
        make_tone(3500),
        (make_tone(500) + make_tone(3500)) / 2,
        np.zeros(8000, np.float32),
    ]
    labels = [("low",), ("high",), ("low", "high"), ("nothing",)]
    rows = []
    for number, (sound, named) in enumerate(zip(sounds, labels, strict=True)):
        media, picture = folder / f"{number}.wav", folder / f"{number}.png"
        media.write_bytes(encode_wav(sound))
        cv2.imwrite(str(picture), np.full((8, 8, 3), 40 * number, np.uint8))
        fold = "test" if number == 2 else "train"
        rows.append(MixedSound(str(number), str(media), named, fold, picture=str(picture)))
    write_mixtures(folder / MANIFEST, rows)
    return folder


def build_separator(audio_text: object = None, seed: int = 0) -> Separator:
    """Return a separator that nobody trained."""
    torch.manual_seed(seed)
    card = SeparatorCard("pitch", "pitch-4", BANDS, "band {label}", ("0", "3"))
    return Separator(SeparationNetwork(SEPARATOR), card, audio_text, "cpu")  # type: ignore[arg-type]


@pytest.fixture(scope="session")
def tones(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tones(tmp_path_factory.mktemp("tones"))


@pytest.fixture
def audio_text() -> PitchText:
    return PitchText()


@pytest.fixture
def tone() -> Callable[..., np.ndarray]:
    return make_tone


@pytest.fixture
def untrained() -> Callable[..., Separator]:
    return build_separator


@pytest.fixture(scope="session")
def separator(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Write a separator that nobody trained, with a small model of sound and text beside it."""
    folder = tmp_path_factory.mktemp("separator")
    model = build_small_audio_text(("low", "high"), dim=BANDS, widths=(8, 8))
    card = SeparatorCard("low-high", "", BANDS, labels=("low", "high"))
    save_separator(folder, build_separator().network, card, model)
    return folder
