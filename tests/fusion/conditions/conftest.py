"""A denoiser of a few thousand weights, presets small enough for it, and what they are told."""

from collections.abc import Callable, Mapping
from typing import Any

import pytest
import torch

from fusion.conditions.catalog import build_preset, find_preset
from fusion.conditions.condition import Condition
from fusion.conditions.contract import Injector
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
# What differs from published sizes for it, by the class of the injector.
CHANGES: dict[str, dict[str, Any]] = {
    "ResidualPyramid": {"pixels": 2, "heads": 2, "head_dim": 4},
    "DecoupledTokens": {"dim": 5, "hidden": 6, "cause": 3, "tokens": 2},
    "ViewAttention": {"views": 2},
    "ReferenceAttention": {},
    "JointPair": {"rank": 3, "alpha": 3.0},
    "WeightPatch": {"rank": 3, "alpha": 3.0},
    "FeatureMapper": {
        "source": "small",
        "places": 0,
        "heads": 2,
        "groups": 4,
        "larger": 1,
        "pixels": 2,
        "skip_latents": True,
    },
}


@pytest.fixture
def denoiser() -> SmallDenoiser:
    pytest.importorskip("diffusers")
    found = build_small(TINY, seed=1)
    found.freeze()
    return found


@pytest.fixture
def unet(denoiser: SmallDenoiser) -> Any:
    return denoiser.unet


def _draw(*shape: int) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(sum(shape)))


@pytest.fixture
def draw() -> Callable[..., torch.Tensor]:
    """Return the same random numbers each time that a shape is asked for."""
    return _draw


@pytest.fixture
def run(unet) -> Callable[..., torch.Tensor]:
    """Run the denoiser on rows that are the same each time, without gradients."""

    def run(rows: Any = 2, time: int = 500, latents: Any = None, text: Any = None) -> torch.Tensor:
        latents = _draw(rows, 12, 8, 12) if latents is None else latents
        text = _draw(rows, 3, 12) if text is None else text
        with torch.no_grad():
            return unet(latents, time, text).sample

    return run


@pytest.fixture
def disturb() -> Callable[..., None]:
    """Change all weights that are trained, as training would."""

    def disturb(*modules: torch.nn.Module, by: float = 0.1) -> None:
        generator = torch.Generator().manual_seed(7)
        with torch.no_grad():
            for module in modules:
                for weight in module.parameters():
                    if weight.requires_grad:
                        weight += by * torch.randn(weight.shape, generator=generator)

    return disturb


@pytest.fixture
def small_preset(unet) -> Callable[[str], dict[str, Injector]]:
    """Build a preset for the denoiser of a few thousand weights."""

    def small_preset(name: str) -> dict[str, Injector]:
        parts = find_preset(name).parts
        changes = {name: CHANGES[part.kind.__name__] for name, part in parts.items()}
        torch.manual_seed(3)
        built = build_preset(unet, name, changes)
        for injector in built.values():
            injector.eval()
        return built

    return small_preset


@pytest.fixture
def conditions() -> Callable[..., list[Condition]]:
    """Make what injectors are told of some rows of pictures of 16 x 24 pixels."""

    def conditions(injectors: Mapping[str, Injector], rows: int = 2) -> list[Condition]:
        found = []
        for name, injector in injectors.items():
            tokens = 10 if type(injector).__name__ == "FeatureMapper" else 12
            channels = getattr(injector.options, "channels", 3)
            made = {
                "map": _draw(rows, channels, 16, 24),
                "tokens": _draw(rows, 4, tokens),
                "vector": _draw(rows, 5).sigmoid(),
                "latent": _draw(rows, 12, 8, 12) + 1,
            }
            found += [Condition(name, kind, made[kind]) for kind in injector.needs]
        return found

    return conditions
