"""What a published row of counts is, and the full-size models that such rows are about."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import product
from typing import Any

import torch
from torch import nn

from fusion.adapters.interface import Adapters, attach
from fusion.contract.sites import find_sites
from fusion.procedures.sharing import tie

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
