"""Pictures of one colour that sound of that colour, and a tiny denoiser that learnt them."""

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from modalities.diffusion.audio_adapter import AudioAdapterOptions
from modalities.diffusion.small import SmallDenoiserOptions
from tasks.audio_to_image.painting.config import PaintingConfig, PictureDataOptions
from tasks.audio_to_image.painting.manifest import SoundedPicture, write_examples
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
