"""Full-size models, without weights: counts are those that the papers print."""

import pytest
import torch
from torch import nn

from fusion.adapters import attach
from fusion.blocks import Block, attention, mlp


def on_meta(build) -> nn.Module:
    with torch.device("meta"):
        return build()


def ast():
    from transformers import ASTConfig, ASTModel

    return ASTModel(ASTConfig())


def bert():
    from transformers import BertConfig, BertModel

    return BertModel(BertConfig())


def llama():
    from transformers import LlamaConfig, LlamaModel

    return LlamaModel(LlamaConfig())  # the defaults are the 7 B model's


def vl_bart():
    from transformers import BartConfig, BartModel

    sizes = dict(d_model=768, encoder_layers=6, decoder_layers=6, encoder_ffn_dim=3072)
    heads = dict(encoder_attention_heads=12, decoder_attention_heads=12, decoder_ffn_dim=3072)
    return BartModel(BartConfig(**sizes, **heads))


def t5():
    from transformers import T5Config, T5Model

    return T5Model(T5Config(d_model=768, d_ff=3072, num_layers=12, num_heads=12))


def vit():
    from transformers import ViTConfig, ViTModel

    return ViTModel(ViTConfig())


HOUSE = dict(activation="tanh", bias=False)
CASES = {
    "AST, Pfeiffer r 12": (ast, "bottleneck", {"rank": 12, "mode": "parallel"}, ("mlp",), 230_544),
    "AST, Houlsby r 12": (ast, "bottleneck", {"rank": 12, "mode": "parallel"}, None, 2 * 230_544),
    "AST, LoRA q v r 6": (ast, "lora", {"rank": 6}, ("q", "v"), 221_184),
    "AST, LoRA q r 6": (ast, "lora", {"rank": 6}, ("q",), 110_592),
    "AST, LoRA q k v o r 6": (ast, "lora", {"rank": 6}, ("q", "k", "v", "o"), 442_368),
    "BERT, seq_bn": (bert, "bottleneck", {"rank": 48, "activation": "relu"}, ("mlp",), 894_528),
    "BERT, Adapter4Rec": (
        *(bert, "bottleneck", {"rank": 64, "activation": "relu", "init": "normal", "std": 0.01}),
        *(None, 2_379_264),
    ),
    "LLaMA-7B, LoRA": (llama, "lora", {"rank": 32}, ("q", "k", "v", "fc1", "fc2"), 56_098_816),
    "LLaMA-7B, series": (llama, "bottleneck", {"rank": 256, **HOUSE}, ("fc2",), 67_108_864),
    "LLaMA-7B, parallel": (
        *(llama, "bottleneck", {"rank": 256, "mode": "parallel", **HOUSE}),
        *(("fc1", "fc2"), 247_463_936),
    ),
    "VL-BART, 30 sites": (
        *(vl_bart, "bottleneck", {"rank": 96, "activation": "gelu_tanh"}, None),
        30 * (2 * 768 * 96 + 96 + 768),
    ),
    "VL-BART, LoRA 36 matrices": (vl_bart, "lora", {"rank": 128}, ("q", "v"), 7_077_888),
    "VL-T5, 60 sites": (t5, "bottleneck", {"rank": 192}, None, 60 * (2 * 768 * 192 + 192 + 768)),
    "VL-T5, LoRA 72 matrices": (t5, "lora", {"rank": 150}, ("q", "v"), 72 * 2 * 768 * 150),
    "Hydra, VTAB": (vit, "hydra", {"bias": True}, ("o", "fc2"), 239_712),
    "Hydra, NLU": (bert, "hydra", {"rank": 4, "sequential_rank": 8}, ("fc2",), 331_776),
}


@pytest.mark.parametrize("case", list(CASES))
def test_published_count(case):
    build, method, options, where, published = CASES[case]
    adapters = attach(on_meta(build), method, options, where)
    assert adapters.count("default") == published
    assert sum(p.numel() for p in adapters.parameters("default")) == published


class Attention(nn.Module):
    def __init__(self):
        super().__init__()
        self.num_heads = 2
        self.query, self.key, self.value, self.out = (nn.Linear(64, 64) for _ in range(4))


class SasRecBlock(nn.Module):
    """A block of Adapter4Rec's user encoder, as an example of a foreign model."""

    def __init__(self):
        super().__init__()
        self.attention = Attention()
        self.norm1, self.norm2 = nn.LayerNorm(64), nn.LayerNorm(64)
        self.widen, self.narrow = nn.Linear(64, 256), nn.Linear(256, 64)


def test_a_foreign_model_takes_a_map_of_its_blocks():
    block = Block(
        (
            attention("attention", "norm1", "query key value out"),
            mlp("widen", "narrow", "norm2"),
        )
    )
    model = nn.Sequential(SasRecBlock(), SasRecBlock())
    options = {"rank": 16, "activation": "relu"}
    adapters = attach(model, "bottleneck", options, blocks={"SasRecBlock": (block,)})
    assert adapters.count("default") == 8_512


def test_layers_are_counted_from_both_ends():
    adapters = attach(on_meta(ast), "lora", {"rank": 6}, ("q",), layers=[0, -1])
    assert adapters.count("default") == 110_592 // 6
    with pytest.raises(ValueError, match="No layer 12; there are 12"):
        attach(on_meta(ast), "lora", layers=[12])
