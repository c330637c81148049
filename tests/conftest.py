"""Fixtures that several test files share."""

import os
from pathlib import Path

import pytest

# Before torch is loaded: on a busy machine its threads otherwise wait for each other by spinning.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

import torch

ROOT = Path(__file__).resolve().parents[1]


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup() -> None:
    """Have a test and its fixtures draw the same numbers whatever ran before it."""
    torch.manual_seed(0)


@pytest.fixture(scope="session")
def demo_clip() -> Path:
    return ROOT / "tests/assets/white_house_address.mp4"


@pytest.fixture(scope="session")
def shared_data() -> Path:
    folder = ROOT.parent / "shared/data"
    if not folder.is_dir():
        pytest.skip("the data folder beside the project is not here")
    return folder
