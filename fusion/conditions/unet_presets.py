"""Published ways of telling conditions to Stable Diffusion's denoisers, with their settings."""

from typing import Any

from fusion.conditions.decoupled_tokens import DecoupledOptions, DecoupledTokens
from fusion.conditions.feature_mapper import FeatureMapper, MapperOptions
from fusion.conditions.joint_pair import EACH, JointOptions, JointPair
from fusion.conditions.preset import Part, Preset
from fusion.conditions.residual_pyramid import PyramidOptions, ResidualPyramid
from fusion.conditions.view_attention import (
    ReferenceAttention,
    ReferenceOptions,
    ViewAttention,
    ViewOptions,
)
from fusion.conditions.weight_patch import WeightPatch, WeightPatchOptions

ZERO = "that it begins at 0"
_T2I = "T2I-Adapter (2023, arXiv 2302.08453)"
_NEXUS = "Nexus Adapters (2026, arXiv 2602.14514)"
_NEXUS_TRAINING = "AdamW 1e-5, 200,000 steps of 8, 512 px, cubic times"
_MV = "MV-Adapter (2024, arXiv 2412.03632)"
_MV_TRAINING = "AdamW 5e-5, 10 epochs of 60,000 things, 768 px, 6 views, each dropped by 0.1"
_UNICON = "UniCon (2024, arXiv 2410.11439)"
_UNICON_TRAINING = "1e-4, 20 epochs of 16, 512 px, two times drawn apart, min-SNR 5"
_RES = "ResAdapter (2024, arXiv 2403.02084)"
_RES_TRAINING = "AdamW 1e-4, 20,000 steps of 32, 128 to 1,024 px, far sizes more often"


def _pyramid(**options: Any) -> dict[str, Part]:
    return {"map": Part(ResidualPyramid, PyramidOptions(**options))}


def _tokens(**options: Any) -> dict[str, Part]:
    return {"tokens": Part(DecoupledTokens, DecoupledOptions(**options))}


def _attributes(**options: Any) -> dict[str, Part]:
    given = DecoupledOptions(dim=4, tokens=4, bounds=(0.0, 1.0), **options)
    return {"attributes": Part(DecoupledTokens, given)}


_VIEWS = {
    "camera": Part(ResidualPyramid, PyramidOptions(channels=6, middle=True)),
    "views": Part(ViewAttention, ViewOptions()),
}

UNET_PRESETS: dict[str, Preset] = {
    "t2i_adapter": Preset(
        _pyramid(), {"sd15": 77_369_280}, "77 M", _T2I, "Adam 1e-5, 10 epochs of 8, 512 px", ZERO
    ),
    "t2i_adapter_light": Preset(
        _pyramid(light=True, layers=4), {"sd15": 18_689_200}, "", _T2I, "", ZERO
    ),
    "t2i_adapter_xl": Preset(_pyramid(middle=True), {"sdxl": 79_028_160}, "79 M", _T2I, "", ZERO),
    "nexus_prime": Preset(
        _pyramid(text=True), {"sd15": 85_817_600}, "8 M above T2I", _NEXUS, _NEXUS_TRAINING, ZERO
    ),
    "nexus_slim": Preset(
        _pyramid(text=True, groups=2),
        {"sd15": 59_288_960},
        "18 M below T2I",
        _NEXUS,
        _NEXUS_TRAINING,
        f"{ZERO}; groups act, which the released code overwrites",
    ),
    "nexus_light": Preset(
        _pyramid(text=True, light=True, layers=4),
        {"sd15": 27_137_520},
        "",
        _NEXUS,
        _NEXUS_TRAINING,
        f"{ZERO}; the released code does not pass it a text, and fails",
    ),
    "nexus_prime_xl": Preset(
        _pyramid(text=True, middle=True), {"sdxl": 94_030_080}, "", _NEXUS, _NEXUS_TRAINING, ZERO
    ),
    "nexus_slim_xl": Preset(
        _pyramid(text=True, middle=True, groups=2),
        {"sdxl": 67_501_440},
        "",
        _NEXUS,
        _NEXUS_TRAINING,
        ZERO,
    ),
    "ip_adapter": Preset(
        _tokens(tokeniser="projection"),
        {"sd15": 22_319_616},
        "22 M",
        "IP-Adapter (2023, arXiv 2308.06721)",
        "AdamW 1e-4, 1,000,000 steps of 64, 512 px, each dropped by 0.05",
        "values begin at 0, not as copies",
    ),
    "att_adapter_mlp": Preset(
        _attributes(tokeniser="mlp"),
        {"sd15": 19_961_600},
        "",
        "the plain form in Att-Adapter (2025, arXiv 2503.11937)",
        "",
        "4 attributes, widths and tokens; values begin at 0",
    ),
    "att_adapter": Preset(
        _attributes(tokeniser="autoencoder"),
        {"sd15": 20_003_328},
        "",
        "Att-Adapter (2025, arXiv 2503.11937)",
        "",
        "4 attributes, widths, tokens and how the autoencoder is wired; values begin at 0",
    ),
    "mv_adapter_text": Preset(
        _VIEWS,
        {"sdxl": 490_923_200},
        "about 410 M of attention, 79 M for cameras",
        _MV,
        _MV_TRAINING,
        f"{ZERO}, the map of cameras too, whose 6 channels take 2.2 M more than 3",
    ),
    "mv_adapter": Preset(
        {**_VIEWS, "reference": Part(ReferenceAttention, ReferenceOptions())},
        {"sdxl": 900_606_400},
        "two of about 410 M of attention, 79 M for cameras",
        _MV,
        _MV_TRAINING,
        f"{ZERO}, the map of cameras too, whose 6 channels take 2.2 M more than 3",
    ),
    "unicon": Preset(
        {"partner": Part(JointPair, JointOptions())},
        {"sd15": 75_096_064},
        "12.78 + 49.56 + 12.75 M; 15 % with frozen copies, which are shared here",
        _UNICON,
        _UNICON_TRAINING,
    ),
    "unicon_natural": Preset(
        {"partner": Part(JointPair, JointOptions(joined=EACH, partner=False))},
        {"sd15": 25_169_920},
        "25.2 M",
        _UNICON,
        _UNICON_TRAINING,
    ),
    "res_adapter": Preset(
        {"size": Part(WeightPatch, WeightPatchOptions())},
        {"sd15": 970_240, "sdxl": 527_360},
        "0.9 M and 0.5 M",
        _RES,
        _RES_TRAINING,
        "rank 16, which the counts tell",
    ),
    "res_adapter_smaller": Preset(
        {"size": Part(WeightPatch, WeightPatchOptions(norms=False))},
        {"sd15": 870_400, "sdxl": 460_800},
        "0.8 M and 0.5 M",
        _RES,
        _RES_TRAINING,
        "rank 16, which the counts tell",
    ),
    "ctrl_adapter": Preset(
        {"map": Part(FeatureMapper, MapperOptions())},
        {"sdxl": 224_876_160},
        "depends on its settings",
        "Ctrl-Adapter (2024, arXiv 2404.09967)",
        "1,024 px, 300,000 pictures, below 10 GPU hours",
        f"{ZERO}; 8 heads, one layer in each transformer",
    ),
}
