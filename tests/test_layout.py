"""The packages that are imported are ours, and imports run one way."""

import importlib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]


@pytest.mark.parametrize("name", ["modalities", "fusion", "tasks", "data_prep"])
def test_no_foreign_package_shadows_ours(name):
    package = importlib.import_module(name)
    assert Path(package.__file__ or "").parent == ROOT / name


def test_media_and_weights_stay_small():
    folders = (ROOT / name for name in ("modalities", "fusion", "tasks", "data_prep"))
    weights = [path for folder in folders for path in folder.rglob("*.safetensors")]
    assert sum(path.stat().st_size for path in weights) <= 35_000_000
    scenes = ROOT / "modalities/vision_language/weights/scenes"
    assert sum(path.stat().st_size for path in scenes.iterdir()) <= 6_000_000
    answering = [
        *(ROOT / "modalities/vision_language/weights/shapes").iterdir(),
        *(ROOT / "modalities/vision_language/weights/vl_scenes").iterdir(),
        *(ROOT / "tasks/vision_language/weights/scenes").rglob("*"),
    ]
    assert sum(path.stat().st_size for path in answering) <= 6_000_000
    painting = [
        *(ROOT / "modalities/audio_text/weights/scenes").iterdir(),
        *(ROOT / "modalities/diffusion/weights/scenes").iterdir(),
        *(ROOT / "tasks/audio_to_image/weights").rglob("*"),
    ]
    assert sum(path.stat().st_size for path in painting) <= 6_000_000
    assert sum(path.stat().st_size for path in (ROOT / "tests/assets").iterdir()) <= 1_000_000
