"""Pictures with a red square and a blue one, each with a mask, and a tiny frozen CLIPSeg."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from data_prep.masks.manifest import MaskedImage, write_masks
from modalities.vision_language.clipseg import ClipSeg, Pictures
from modalities.vision_language.clipseg_files import random_clipseg, save_clipseg
from tasks.segmentation.config import MaskDataOptions, SegmentationConfig
from tasks.training.options import LoopOptions

FOLDS = (*("train",) * 6, *("validation",) * 2, *("test",) * 2)
SIZES = ((40, 56), (64, 48), (48, 48))  # height, width
LAYER = dict(hidden_size=16, intermediate_size=32, num_hidden_layers=4, num_attention_heads=2)
TINY: dict[str, Any] = dict(
    projection_dim=16,
    reduce_dim=8,
    extract_layers=[0, 1, 2],
    decoder_num_attention_heads=2,
    decoder_intermediate_size=16,
    use_complex_transposed_convolution=True,
    vision_config=dict(LAYER, image_size=48, patch_size=16),
    text_config=LAYER,
)


def tiny_clipseg(seed: int = 0, **changes: Any) -> ClipSeg:
    """Return a CLIPSeg of four layers, of which the decoder reads three."""
    return random_clipseg(seed, pictures=Pictures(side=48), config={**TINY, **changes})


def row_of(folder: Path, number: int, label: str, fold: str) -> MaskedImage:
    name = f"{number}_{label}"
    return MaskedImage(
        name,
        str(folder / f"{number}.png"),
        str(folder / f"{name}.png"),
        label,
        fold,
        {"p0": ("",), "p1": (f"{label} square",), "p2": (f"a {label} thing", f"the {label} one")},
    )


def write_squares(folder: Path) -> Path:
    """Write ten pictures with two squares each, and their manifest."""
    folder.mkdir(parents=True, exist_ok=True)
    random = np.random.default_rng(0)
    rows = []
    for number, fold in enumerate(FOLDS):
        height, width = SIZES[number % len(SIZES)]
        picture = random.integers(60, 120, (height, width, 3), dtype=np.uint8)
        for place, (label, colour) in enumerate((("red", (0, 0, 255)), ("blue", (255, 0, 0)))):
            top, left = random.integers(2, height - 18), random.integers(2, width // 2 - 14)
            mask = np.zeros((height, width), np.uint8)
            mask[top : top + 16, left + place * width // 2 :][:, :12] = 255
            picture[mask > 0] = colour
            cv2.imwrite(str(folder / f"{number}_{label}.png"), mask)
            rows.append(row_of(folder, number, label, fold))
        cv2.imwrite(str(folder / f"{number}.png"), picture)
    write_masks(folder / "manifest.jsonl", rows)
    return folder


def count_calls(clipseg: ClipSeg, monkeypatch) -> dict[str, int]:
    """Count how often the encoders are run."""
    calls = {"see": 0, "read": 0}

    def counted(name: str):
        plain = getattr(clipseg, name)

        def call(*given):
            calls[name] += 1
            return plain(*given)

        monkeypatch.setattr(clipseg, name, call)

    for name in calls:
        counted(name)
    return calls


@pytest.fixture(scope="session")
def squares(tmp_path_factory) -> Path:
    """A folder with a manifest; not to be changed."""
    return write_squares(tmp_path_factory.mktemp("squares"))


@pytest.fixture
def own_squares(tmp_path) -> Path:
    """Likewise, for one test to change."""
    return write_squares(tmp_path / "squares")


@pytest.fixture(scope="session")
def clipseg_folder(tmp_path_factory) -> Path:
    """A folder with a tiny CLIPSeg."""
    folder = tmp_path_factory.mktemp("clipseg")
    save_clipseg(tiny_clipseg(), folder)
    return folder


@pytest.fixture(scope="session")
def experiment(squares, clipseg_folder) -> Callable[..., SegmentationConfig]:
    """Builds a configuration of a few steps; what is given replaces its entries."""
    base = SegmentationConfig(
        data=MaskDataOptions(folder=str(squares)),
        model=str(clipseg_folder),
        method="sa_vlc",
        options={"rank": 4, "condition_rank": 4},
        loop=LoopOptions(
            steps=4, batch=2, warmup=0, learning_rate=0.01, measure_every=2, checkpoint_every=2
        ),
    )

    def build(**changes: Any) -> SegmentationConfig:
        folder = changes.pop("folder", None)
        if folder is not None:
            changes["data"] = replace(base.data, folder=str(folder))
        if changes.get("method") not in (None, "sa_v", "sa_vl", "sa_vlc") and (
            "options" not in changes
        ):
            changes["options"] = {}
        return replace(base, **changes)

    return build
