"""A folder with rendered questions and small models, for tests of vision and language."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tools.render_questions import RenderOptions, render_folder


@pytest.fixture(scope="session")
def asked_folder(tmp_path_factory, save_tiny_clipseg, save_tiny_bart) -> Path:
    """Rendered questions in "seen", a BART in "bart" and what sees for it in "eyes"."""
    folder = tmp_path_factory.mktemp("asked")
    render_folder(folder / "seen", RenderOptions(count=20, size=96, questions=2), workers=1)
    save_tiny_clipseg(folder / "eyes")
    save_tiny_bart(folder / "bart", folder / "eyes")
    return folder


@pytest.fixture(scope="session")
def experiment(asked_folder) -> Callable[..., Any]:
    """Builds the configuration of a small experiment."""
    from tasks.config import filled
    from tasks.vision_language.config import VisionLanguageConfig

    def build(**changes: Any) -> VisionLanguageConfig:
        entries = {
            "data": {"manifests": [str(asked_folder / "seen")]},
            "model": str(asked_folder / "bart"),
            "images": str(asked_folder / "eyes"),
            "options": {"rank": 4},
            "sampling": {"batch": 4},
            "writing": {"beams": 1, "longest": 8},
            "loop": {"steps": 2, "batch": 1, "warmup": 0, "measure_every": 2},
        }
        return filled(VisionLanguageConfig, {**entries, **changes}, "the test")

    return build
