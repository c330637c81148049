"""A denoiser of a few thousand weights, and what it is told."""

from collections.abc import Callable
from typing import Any

import pytest
import torch

from modalities.diffusion.small import SmallDenoiser, SmallDenoiserOptions, build_small

TINY = SmallDenoiserOptions(
    height=16,
    width=24,
    channels=(8, 16),
    attention=(0, 1),
    heads=2,
    groups=4,
    token_dim=12,
    tokens=3,
)


def _draw(*shape: int) -> torch.Tensor:
    """Return the same random numbers each time that a shape is asked for."""
    return torch.randn(shape, generator=torch.Generator().manual_seed(sum(shape)))


@pytest.fixture
def denoiser() -> SmallDenoiser:
    pytest.importorskip("diffusers")
    found = build_small(TINY, seed=1)
    found.freeze()
    return found


@pytest.fixture
def unet(denoiser: SmallDenoiser) -> Any:
    return denoiser.unet


def _disturb(module: torch.nn.Module, seed: int = 0) -> None:
    """Change all weights, as training would."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for weight in module.parameters():
            weight += 0.1 * torch.randn(weight.shape, generator=generator)


@pytest.fixture
def draw() -> Callable[..., torch.Tensor]:
    return _draw


@pytest.fixture
def disturb() -> Callable[[torch.nn.Module], None]:
    return _disturb
