"""The counts that papers print, on full-size models without weights."""

from typing import Any

from fusion.papers.models import NORM_OF, Attached, Published
from fusion.papers.vl_adapter import VL_ADAPTER

LINEAR = ("q", "k", "v", "o", "gate", "fc1", "fc2")
HOUSE: dict[str, Any] = dict(activation="tanh", bias=False)  # of LLM-Adapters


def _beside(mlp_only: bool, rank: int = 12) -> Attached:
    """PETL-AST's bottleneck, parallel to one sub-layer or to both."""
    where = ("mlp",) if mlp_only else ("attention", "mlp")
    return Attached("bottleneck", {"rank": rank, "mode": "parallel"}, where)


def _norms(*roles: str) -> Attached:
    return Attached("norm_tuning", where=tuple(f"{NORM_OF}{role}" for role in roles))


# VLSM-Adapter: in the layers below the last that the decoder reads, or between the parts
_DENSE_V = Attached("vlsm", where=("vision.attention", "vision.mlp"), layers=range(9))
_DENSE_L = Attached("vlsm", where=("text.attention", "text.mlp"), layers=range(9))
_SHALLOW_V = Attached("vlsm", {"rank": 512}, ("vision.tap",))
_SHALLOW_L = Attached("vlsm", {"rank": 512}, ("text.tap",))
_CONDITION = Attached("vlsm", {"rank": 256}, ("condition.tap",))
V2 = (Attached("bias_scale", where=LINEAR), Attached("norm_tuning"))
PUBLISHED = (
    # PETL-AST (2312.03694), without head
    Published("BitFit", "AST", (Attached("bitfit"),), 102_144, "102 K"),
    Published("SPT-300", "AST", (Attached("shallow_prompts", {"tokens": 300}),), 230_400, "230 K"),
    Published("DPT-25", "AST", (Attached("deep_prompts", {"tokens": 25}),), 230_400, "230 K"),
    Published("Pref-T24", "AST", (Attached("prefix", {"tokens": 12}),), 221_184, "221 K"),
    Published("LoRA q v", "AST", (Attached("lora", {"rank": 6}, ("q", "v")),), 221_184, "221 K"),
    Published("LoRA q", "AST", (Attached("lora", {"rank": 6}, ("q",)),), 110_592),
    Published(
        "LoRA q k v o", "AST", (Attached("lora", {"rank": 6}, ("q", "k", "v", "o")),), 442_368
    ),
    Published("bottleneck Pfeiffer", "AST", (_beside(True), _norms("mlp")), 248_976, "249 K"),
    Published(
        "bottleneck Houlsby",
        "AST",
        (_beside(False), _norms("attention", "mlp")),
        497_952,
        "498 K",
    ),
    Published(
        "conformer Pfeiffer",
        "AST",
        (Attached("conformer", {"rank": 8, "kernel": 31}, ("mlp",)), _norms("mlp")),
        270_720,
        "271 K",
    ),
    Published(
        "conformer Houlsby",
        "AST",
        (
            Attached("conformer", {"rank": 8, "kernel": 31}, ("attention", "mlp")),
            _norms("attention", "mlp"),
        ),
        541_440,
        "542 K, twice the rounded 271 K",
    ),
    Published("Convpass r 8", "AST", (Attached("convpass", {"rank": 8}, ("mlp",)),), 159_168),
    Published("Convpass r 12", "AST", (Attached("convpass", {"rank": 12}, ("mlp",)),), 235_872),
    Published(
        "Convpass r 8, on the grid of patches",
        "AST",
        (Attached("convpass", {"rank": 8, "grid": (12, 101), "special_tokens": 2}, ("mlp",)),),
        163_776,
    ),
    Published("Soft-MoA 7 r 6", "AST", (Attached("soft_moa"),), 903_672),
    Published("Soft-MoA 14 r 6", "AST", (Attached("soft_moa", {"experts": 14}),), 1_807_344),
    Published("Soft-MoA 15 r 6", "AST", (Attached("soft_moa", {"experts": 15}),), 1_936_440),
    Published("Dense-MoA 7 r 6", "AST", (Attached("dense_moa"),), 903_756),
    Published("Dense-MoA 15 r 6", "AST", (Attached("dense_moa", {"experts": 15}),), 1_936_620),
    Published("SSF, without the patch embedding", "AST", (Attached("scale_shift"),), 204_288),
    Published("TeRA, ranks as large as the modes", "AST", (Attached("tera"),), 2_688),
    Published("IA3", "AST", (Attached("ia3"),), 12 * (2 * 768 + 3072)),
    Published("SHiRA as LoRA r 6", "AST", (Attached("shira", {"rank": 6}, ("q", "v")),), 221_184),
    Published("LT-SFT, first phase", "AST", (Attached("sparse_tuning"),), 85_056_000),
    *VL_ADAPTER,
    # LLM-Adapters (2304.01933)
    Published(
        "LoRA",
        "LLaMA-7B",
        (Attached("lora", {"rank": 32}, ("q", "k", "v", "fc1", "fc2")),),
        56_098_816,
        "0.83 %",
    ),
    Published(
        "series",
        "LLaMA-7B",
        (Attached("bottleneck", {"rank": 256, **HOUSE}, ("fc2",)),),
        67_108_864,
        "0.99 %",
    ),
    Published(
        "parallel",
        "LLaMA-7B",
        (Attached("bottleneck", {"rank": 256, "mode": "parallel", **HOUSE}, ("fc1", "fc2")),),
        247_463_936,
        "3.54 %",
    ),
    Published("prefix 30", "LLaMA-7B", (Attached("prefix"),), 7_864_320, "0.11 %"),
    # others
    Published("IA3", "T0-3B", (Attached("ia3"),), 540_672, "540 K"),
    Published(
        "Hydra, VTAB",
        "ViT-B/16",
        (Attached("hydra", {"bias": True}, ("o", "fc2")),),
        239_712,
        "0.28 M with head",
    ),
    Published(
        "Hydra, GLUE",
        "BERT-base",
        (Attached("hydra", {"rank": 4, "sequential_rank": 8}, ("fc2",)),),
        331_776,
        "0.3 M",
    ),
    Published("MoSA, b 64", "ViT-B/16", (Attached("mosa", {"rank": 64}),), 1_189_632),
    Published(
        "seq_bn",
        "BERT-base",
        (Attached("bottleneck", {"rank": 48, "activation": "relu"}, ("mlp",)),),
        894_528,
        "894,528",
    ),
    Published("NICE", "BERT-base", (Attached("invertible"),), 296_064),
    Published(
        "seq_bn_inv",
        "BERT-base",
        (
            Attached("bottleneck", {"rank": 48, "activation": "relu"}, ("mlp",)),
            Attached("invertible"),
        ),
        1_190_592,
        "1,190,592",
    ),
    Published(
        "Adapter4Rec, items",
        "BERT-base",
        (
            Attached(
                "bottleneck", {"rank": 64, "activation": "relu", "init": "normal", "std": 0.01}
            ),
        ),
        2_379_264,
    ),
    Published(
        "P-Adapter, rewrite",
        "BERT-base",
        (Attached("rewrite_prompts", where=("embed",)),),
        7_680_768,
    ),
    Published("P-Adapter, prefix 9", "BERT-base", (Attached("prefix_prompts"),), 12_996_096),
    Published(
        "LLaMA-Adapter, with 960 gates",
        "LLaMA-7B",
        (Attached("gated_prompts", {"tokens": 10}, layers=range(-30, 0)),),
        1_228_800 + 960,
        "1.2 M",
    ),
    Published("LLaMA-Adapter V2", "LLaMA-7B", V2, 2_764_800, "0.04 %"),
    Published("LLaMA-Adapter V2", "LLaMA-65B", V2, 13_811_712, "14 M"),
    Published("PaCA r 8", "LLaMA-7B", (Attached("paca", {"rank": 8}, LINEAR),), 10_878_976),
    Published("PaCA r 16", "LLaMA-7B", (Attached("paca", {"rank": 16}, LINEAR),), 21_757_952),
    Published(
        "CorDA r 128",
        "LLaMA-7B",
        (Attached("corda", {"rank": 128}, LINEAR),),
        319_815_680,
        "320 M",
    ),
    # VLSM-Adapter (2405.06196)
    Published("DA-V", "CLIPSeg rd64", (_DENSE_V,), 1_784_448),
    Published("DA-VL", "CLIPSeg rd64", (_DENSE_V, _DENSE_L), 2_974_464, "3 M"),
    Published("DA-VLC", "CLIPSeg rd64", (_DENSE_V, _DENSE_L, _CONDITION), 3_237_376),
    Published("SA-V", "CLIPSeg rd64", (_SHALLOW_V,), 2_363_136),
    Published("SA-VL", "CLIPSeg rd64", (_SHALLOW_V, _SHALLOW_L), 3_939_072),
    Published("SA-VLC", "CLIPSeg rd64", (_SHALLOW_V, _SHALLOW_L, _CONDITION), 4_201_984, "4.2 M"),
)
