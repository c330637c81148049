"""The counts that papers print, on full-size models without weights."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import product
from typing import Any

import torch
from torch import nn

from fusion.adapters.interface import Adapters, attach
from fusion.contract.sites import find_sites
from fusion.procedures.sharing import tie

LINEAR = ("q", "k", "v", "o", "gate", "fc1", "fc2")
HOUSE: dict[str, Any] = dict(activation="tanh", bias=False)  # of LLM-Adapters
NORM_OF = "the norm of "


@dataclass(frozen=True)
class Attached:
    """One method, as a paper puts it.

    Attributes:
        method: Its name.
        options: Fields of the method's dataclass that differ from their defaults; empty where none
            does.
        where: Roles; "the norm of ROLE" for the normalisations of those sub-layers; None for the
            method's own.
        layers: Numbers of the blocks, or None.
    """

    method: str
    options: dict[str, Any] = field(default_factory=dict)
    where: tuple[str, ...] | None = None
    layers: Sequence[int] | None = None


@dataclass(frozen=True)
class Published:
    """One row of a paper.

    Attributes:
        row: What it is called there.
        model: A name of `MODELS`.
        parts: What is attached.
        count: Trained parameters, without heads and what belongs to a task.
        printed: The figure that the paper or its code prints, with what has been left out of it or
            "" where none is known and the count is that of its formula.
        adapters: How many of them there are, as one for each task.
        tied: The module that these share, or "".
    """

    row: str
    model: str
    parts: tuple[Attached, ...]
    count: int
    printed: str = ""
    adapters: int = 1
    tied: str = ""

    def attach(self) -> Adapters:
        """Build the model on torch's meta device, and attach everything."""
        with torch.device("meta"):
            model = MODELS[self.model]()
        names = [f"task{number}" for number in range(self.adapters)]
        for name, part in product(names, self.parts):
            where = part.where and tuple(_names(model, part.where))
            attach(model, part.method, part.options, where, name=name, layers=part.layers)
        if self.tied:
            tie(Adapters(model), names, self.tied)
        return Adapters(model)


def _names(model: nn.Module, where: Sequence[str]) -> Iterator[str]:
    for item in where:
        if item.startswith(NORM_OF):
            sites = find_sites(model, (item.removeprefix(NORM_OF),), "sublayer")
            yield from (site.norm for site in sites)
        else:
            yield item


def _ast() -> nn.Module:
    from transformers import ASTConfig, ASTModel

    return ASTModel(ASTConfig())


def _bert() -> nn.Module:
    from transformers import BertConfig, BertModel

    return BertModel(BertConfig())


def _vit() -> nn.Module:
    from transformers import ViTConfig, ViTModel

    return ViTModel(ViTConfig())


def _bart() -> nn.Module:
    from transformers import BartConfig, BartModel

    sizes: dict[str, Any] = dict(
        d_model=768, encoder_layers=6, decoder_layers=6, encoder_ffn_dim=3072
    )
    heads: dict[str, Any] = dict(
        encoder_attention_heads=12, decoder_attention_heads=12, decoder_ffn_dim=3072
    )
    return BartModel(BartConfig(**sizes, **heads))


def _t5(**sizes: Any) -> nn.Module:
    from transformers import T5Config, T5Model

    return T5Model(T5Config(**sizes))


def _llama(**sizes: Any) -> nn.Module:
    from transformers import LlamaConfig, LlamaModel

    return LlamaModel(LlamaConfig(**sizes))  # the defaults are the 7 B model's


def _clipseg() -> nn.Module:
    from transformers import CLIPSegConfig, CLIPSegForImageSegmentation

    from modalities.vision_language.clipseg import ClipSeg
    from modalities.vision_language.clipseg_files import PUBLISHED as SIZES

    return ClipSeg(CLIPSegForImageSegmentation(CLIPSegConfig(**SIZES)))


MODELS: dict[str, Callable[[], nn.Module]] = {
    "AST": _ast,
    "BERT-base": _bert,
    "ViT-B/16": _vit,
    "BART-base": _bart,
    "T5-base": lambda: _t5(d_model=768, d_ff=3072, num_layers=12, num_heads=12),
    "T0-3B": lambda: _t5(d_model=2048, d_kv=64, d_ff=5120, num_heads=32, num_layers=24),
    "CLIPSeg rd64": _clipseg,
    "LLaMA-7B": _llama,
    "LLaMA-65B": lambda: _llama(
        hidden_size=8192, intermediate_size=22016, num_hidden_layers=80, num_attention_heads=64
    ),
}


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
    Published("IA3", "AST", (Attached("ia3"),), 12 * (2 * 768 + 3072)),
    Published("SHiRA as LoRA r 6", "AST", (Attached("shira", {"rank": 6}, ("q", "v")),), 221_184),
    Published("LT-SFT, first phase", "AST", (Attached("sparse_tuning"),), 85_056_000),
    # VL-Adapter (2112.06825), adapter parts
    Published(
        "single adapter, 30 sites",
        "BART-base",
        (Attached("bottleneck", {"rank": 96, "activation": "gelu_tanh"}),),
        4_449_600,
        "4.18 % with visual embedding (v. e.) and norms",
    ),
    Published(
        "single compacter",
        "BART-base",
        (
            Attached(
                "compacter",
                {
                    "rank": 96,
                    "terms": 2,
                    "shared": False,
                    "factor_rank": 0,
                    "activation": "gelu_tanh",
                },
            ),
        ),
        2_238_240,
        "2.70 % with v. e. and norms",
    ),
    Published(
        "hyperformer, 4 tasks",
        "BART-base",
        (Attached("hyperformer", {"rank": 96, "tasks": 4}),),
        6_947_088,
        "5.79 % with v. e. and norms",
    ),
    Published(
        "multiple adapters, 4 tasks",
        "BART-base",
        (Attached("bottleneck", {"rank": 96, "activation": "gelu_tanh"}),),
        17_798_400,
        "12.22 % with v. e. and norms",
        adapters=4,
    ),
    Published(
        "half-shared adapters, 4 tasks",
        "BART-base",
        (Attached("bottleneck", {"rank": 96, "activation": "gelu_tanh"}),),
        11_093_760,
        "8.36 % with v. e. and norms",
        adapters=4,
        tied="up",
    ),
    Published("norms", "BART-base", (Attached("norm_tuning"),), 49_152),
    Published("BitFit", "BART-base", (Attached("bitfit"),), 125_952, "1.21 % with v. e."),
    Published(
        "LoRA, 36 matrices",
        "BART-base",
        (Attached("lora", {"rank": 128}),),
        7_077_888,
        "5.93 % with v. e. and biases",
    ),
    Published(
        "prompts 40",
        "BART-base",
        (Attached("shallow_prompts", {"tokens": 40, "hidden": 800}),),
        1_261_088,
        "2.00 % with v. e.",
    ),
    Published(
        "single adapter, 60 sites",
        "T5-base",
        (Attached("bottleneck", {"rank": 192}),),
        17_752_320,
        "7.98 % with v. e.",
    ),
    Published(
        "LoRA, 72 matrices",
        "T5-base",
        (Attached("lora", {"rank": 150}),),
        16_588_800,
        "7.54 % with v. e.",
    ),
    Published(
        "prompts 40",
        "T5-base",
        (Attached("shallow_prompts", {"tokens": 40, "hidden": 800}),),
        1_261_088,
        "1.26 % with v. e.",
    ),
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
