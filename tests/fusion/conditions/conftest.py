"""A denoiser of a few thousand weights, presets small enough for it, and what they are told."""

from collections.abc import Callable, Mapping
from typing import Any

import pytest
import torch

from fusion.conditions.catalog import PRESETS, build_preset, find_preset
from fusion.conditions.condition import Condition
from fusion.conditions.contract import Injector
from modalities.diffusion.networks import FLUX, SD3, UNET
from modalities.diffusion.small import SmallDenoiser, SmallDenoiserOptions, build_small
from modalities.diffusion.small_transformers import SmallTransformerOptions, build_small_transformer

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
TINY_TRANSFORMERS = {
    cls: SmallTransformerOptions(
        kind=kind, channels=12, layers=2, single_layers=2, heads=2, token_dim=12, pooled_dim=5
    )
    for cls, kind in ((FLUX, "flux"), (SD3, "sd3"))
}
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
    "TokenBranch": {"rank": 3, "alpha": 3.0},
    "InstructedBranch": {},
    "RoutedExperts": {"every": 2, "heads": 2, "task_dim": 5, "reference_dim": 12},
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
def model(request) -> Any:
    """Return a denoiser of the class that the preset of the test stands on, or a U-Net."""
    name = getattr(request.node, "callspec", None) and request.node.callspec.params.get("name")
    parts = find_preset(name).parts if name in PRESETS else {}
    (backbone,) = {part.kind.backbones[0] for part in parts.values()} or {UNET}
    if backbone == UNET:
        return request.getfixturevalue("unet")
    pytest.importorskip("diffusers")
    return build_small_transformer(TINY_TRANSFORMERS[backbone], seed=1).requires_grad_(False)


def flux_arguments(rows: int, text: torch.Tensor, side: tuple[int, int] = (4, 6)) -> dict[str, Any]:
    """Make what FLUX is told beside pictures of 4 x 6 tokens, their time and a text."""
    ids = torch.cartesian_prod(torch.zeros(1), *(torch.arange(float(one)) for one in side))
    pooled = _draw(1, 5).expand(rows, -1)
    words = torch.zeros(text.shape[1], 3)
    return {"img_ids": ids, "txt_ids": words, "pooled_projections": pooled}


@pytest.fixture
def call(model) -> Callable[..., torch.Tensor]:
    """Run the denoiser on latents, [rows, 12, 8, 12], at one time, with a text."""

    def call(latents: torch.Tensor, time: float, text: torch.Tensor) -> torch.Tensor:
        rows, times = len(latents), torch.full((len(latents),), float(time))
        if type(model).__name__ == UNET:
            return model(latents, time, text).sample
        if type(model).__name__ == SD3:
            pooled = _draw(1, 5).expand(rows, -1)
            return model(latents, text, pooled, times).sample
        packed = torch.nn.functional.pixel_unshuffle(latents, 2).flatten(2).mT
        return model(packed, text, timestep=times / 1000, **flux_arguments(rows, text)).sample

    return call


@pytest.fixture
def run(call) -> Callable[..., torch.Tensor]:
    """Run the denoiser on rows that are the same each time, without gradients."""

    def run(rows: Any = 2, time: int = 500, latents: Any = None, text: Any = None) -> torch.Tensor:
        latents = _draw(rows, 12, 8, 12) if latents is None else latents
        text = _draw(rows, 3, 12) if text is None else text
        with torch.no_grad():
            return call(latents, time, text)

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
def small_preset(model) -> Callable[[str], dict[str, Injector]]:
    """Build a preset for the denoiser of a few thousand weights."""

    def small_preset(name: str) -> dict[str, Injector]:
        parts = find_preset(name).parts
        changes = {name: CHANGES[part.kind.__name__] for name, part in parts.items()}
        torch.manual_seed(3)
        built = build_preset(model, name, changes)
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
            numbers = 3 if getattr(injector.options, "read", "") == "keyword" else 5
            made = {
                "map": _draw(rows, channels, 16, 24),
                "tokens": _draw(rows, 4, tokens),
                "vector": _draw(rows, numbers).sigmoid(),
                "latent": _draw(rows, 12, 8, 12) + 1,
            }
            if type(injector).__name__ == "RoutedExperts":
                made["map"] = _draw(rows, 1, 16, 24).sigmoid()
            found += [Condition(name, kind, made[kind]) for kind in injector.needs]
        return found

    return conditions
