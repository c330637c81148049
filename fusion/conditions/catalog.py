"""The tables of conditions: kinds of injectors, and published ways of telling by their names."""

from collections.abc import Mapping
from typing import Any

from fusion.conditions.contract import Injector
from fusion.conditions.decoupled_tokens import DecoupledTokens
from fusion.conditions.feature_mapper import FeatureMapper
from fusion.conditions.instructed_branch import InstructedBranch
from fusion.conditions.joint_pair import JointPair
from fusion.conditions.mmdit_presets import MMDIT_PRESETS
from fusion.conditions.preset import Preset
from fusion.conditions.residual_pyramid import ResidualPyramid
from fusion.conditions.routing.routed_experts import RoutedExperts
from fusion.conditions.token_branch import TokenBranch
from fusion.conditions.unet_presets import UNET_PRESETS
from fusion.conditions.view_attention import ReferenceAttention, ViewAttention
from fusion.conditions.weight_patch import WeightPatch
from modalities.diffusion.denoiser import network_of
from modalities.spelling import did_you_mean

INJECTORS: dict[str, type[Injector]] = {
    "residual_pyramid": ResidualPyramid,
    "decoupled_tokens": DecoupledTokens,
    "view_attention": ViewAttention,
    "reference_attention": ReferenceAttention,
    "joint_pair": JointPair,
    "weight_patch": WeightPatch,
    "feature_mapper": FeatureMapper,
    "token_branch": TokenBranch,
    "instructed_branch": InstructedBranch,
    "routed_experts": RoutedExperts,
}
PRESETS: dict[str, Preset] = {**UNET_PRESETS, **MMDIT_PRESETS}


def find_preset(name: str) -> Preset:
    """Return a published way of telling conditions.

    Raises:
        ValueError: No such one; the message lists those there are.
    """
    if name not in PRESETS:
        guess = did_you_mean(name, PRESETS)
        raise ValueError(f"No preset of conditions {name!r}; known: {', '.join(PRESETS)}.{guess}")
    return PRESETS[name]


def build_preset(
    model: Any, name: str, changes: Mapping[str, Mapping[str, Any]] | None = None
) -> dict[str, Injector]:
    """Build the injectors of a published way, for `inject`.

    Args:
        model: A `Denoiser`, or diffusers' own.
        name: A name of `PRESETS`.
        changes: Options that differ from the published ones, by name of the injector, as
            {"map": {"channels": 1}}.

    Returns:
        By the names that conditions call them by.

    Raises:
        ValueError: No such preset, injector or option, or a denoiser that it cannot stand on; the
            message lists what exists.
    """
    preset = find_preset(name)
    model = network_of(model)
    backbone = type(model).__name__
    if any(backbone not in part.kind.backbones for part in preset.parts.values()):
        theirs = sorted({one for part in preset.parts.values() for one in part.kind.backbones})
        fitting = [
            other
            for other, one in PRESETS.items()
            if all(backbone in part.kind.backbones for part in one.parts.values())
        ]
        raise ValueError(
            f"The preset {name!r} stands on {' or '.join(theirs)}, not on a {backbone}; on that "
            f"stand: {', '.join(fitting) or 'none'}."
        )
    return preset.build(model, changes or {})
