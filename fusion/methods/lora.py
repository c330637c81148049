"""LoRA, rsLoRA and DoRA, by PEFT."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from math import prod
from typing import Any

from torch import nn

from fusion.contract.method import Delta, PeftMethod
from fusion.contract.sites import CONVOLUTIONS, Site, unwrap

TOLD = ("in_channels", "out_channels", "kernel_size", "stride", "padding", "dilation", "groups")


@dataclass(frozen=True)
class LoraOptions:
    """Options of LoRA.

    Attributes:
        rank: Rows of A and columns of B, so the highest rank of the change; 1 or more.
        alpha: The change is scaled by alpha / rank, or with `rank_stabilised` by alpha /
            sqrt(rank).
        dropout: Part of what the adapter reads that is set to 0 at random in training, 0 to 1; 0 is
            none.
        rank_stabilised: rsLoRA.
        magnitudes: DoRA: each output's weight norm is trained by itself.
        up_bias: Whether B has a bias, which is scaled as what B A adds.
        ranks: Ranks that differ from `rank`, by the name of the module.
        alphas: Alphas that differ from `alpha`, by the name of the module.
    """

    rank: int = 8
    alpha: float = 8.0
    dropout: float = 0.0
    rank_stabilised: bool = False
    magnitudes: bool = False
    up_bias: bool = False
    ranks: dict[str, int] = field(default_factory=dict)
    alphas: dict[str, float] = field(default_factory=dict)

    def __post_init__(self):
        for name, rank in self.ranks.items():
            if rank < 1:
                raise ValueError(
                    f"Option 'ranks' of 'lora' has {rank} at {name}; expected 1 or more."
                )

    def at(self, name: str) -> tuple[int, float]:
        """Return rank and alpha at a module."""
        return self.ranks.get(name, self.rank), self.alphas.get(name, self.alpha)


class Lora(PeftMethod):
    """A low-rank change of linear layers and convolutions.

    At a convolution A has its kernel, stride and padding, and B is one of size 1. Those with a
    dilation, groups or a padding by other than zeros are passed over: PEFT's A has none of these,
    so it could not run or could not be merged.
    """

    peft_type = "LORA"
    Options = LoraOptions
    convolutions = True
    embeddings = True
    title = "LoRA (2021, arXiv 2106.09685); rsLoRA (2312.03732); DoRA (2402.09353)"
    formula = "y = W x + (alpha / r) B A x"

    @classmethod
    def accepts(cls, site: Site, options: LoraOptions) -> bool:
        """Take all linear layers, and the convolutions that PEFT's A can be like."""
        if not site.convolves:
            return True
        layer: Any = site.module
        return set(layer.dilation) == {1} and layer.groups == 1 and layer.padding_mode == "zeros"

    @classmethod
    def config(cls, names: list[str], options: LoraOptions) -> Any:
        """Build PEFT's config.

        Raises:
            ValueError: `ranks` or `alphas` name a module where no adapter will be.
        """
        from peft import LoraConfig

        if strange := sorted({*options.ranks, *options.alphas} - set(names)):
            raise ValueError(
                f"Options 'ranks' and 'alphas' of 'lora' have {strange[0]!r}, which is none of the "
                f"{len(names)} modules that it is put at, such as {names[0]!r}."
            )

        return LoraConfig(
            r=options.rank,
            lora_alpha=options.alpha,  # type: ignore[arg-type]
            lora_dropout=options.dropout,
            use_rslora=options.rank_stabilised,
            use_dora=options.magnitudes,
            lora_bias=options.up_bias,
            rank_pattern=_patterns(options.ranks, names),
            alpha_pattern=_patterns(options.alphas, names),
            target_modules=names,
        )

    @classmethod
    def finish(cls, layers: Mapping[str, nn.Module], key: str, prepared: Any) -> None:
        """Let PEFT's layers at convolutions tell what models ask these, as Whisper the stride."""
        for layer in layers.values():
            inner: Any = unwrap(layer)
            if isinstance(inner, CONVOLUTIONS):
                for name in TOLD:
                    setattr(layer, name, getattr(inner, name))

    @classmethod
    def options_of(cls, config: Any, layers: Mapping[str, Any], key: str) -> LoraOptions:
        """Read the options from PEFT's config and from the layers that PEFT makes of it."""
        ranks = {name: layer.r[key] for name, layer in layers.items()}
        alphas = {name: layer.lora_alpha[key] for name, layer in layers.items()}
        return LoraOptions(
            rank=config.r,
            alpha=config.lora_alpha,
            dropout=config.lora_dropout,
            rank_stabilised=config.use_rslora,
            magnitudes=config.use_dora,
            up_bias=getattr(config, "lora_bias", False),
            ranks={name: rank for name, rank in ranks.items() if rank != config.r},
            alphas={name: a for name, a in alphas.items() if a != config.lora_alpha},
        )

    @classmethod
    def count(cls, site: Site, options: LoraOptions) -> int:
        """A [rank, in, kernel], B [out, rank], a bias of B, with DoRA a magnitude per output."""
        weight = site.module.weight
        assert isinstance(weight, nn.Parameter)
        rank, _ = options.at(site.name)
        vectors = options.magnitudes + (options.up_bias and site.role != "embed")
        return rank * (weight.shape[0] + prod(weight.shape[1:])) + vectors * site.dim_out

    @classmethod
    def scales_others(cls, options: LoraOptions) -> bool:
        """DoRA scales all that the module has returned before it, other adapters' part too."""
        return options.magnitudes

    @classmethod
    def delta(cls, layer: nn.Module, key: str) -> Delta:
        """B A, scaled; of DoRA what its own merging makes of the weight."""
        lora: Any = layer
        if not lora.use_dora.get(key, False):
            up = lora.lora_B[key] if key in lora.lora_B else None
            bias = None if up is None or up.bias is None else up.bias * lora.scaling[key]
            return Delta(lora.get_delta_weight(key), bias)
        variant = lora.lora_variant[key]
        weight = lora.get_base_layer().weight
        before = weight.detach().clone()
        merged = variant.merge_safe(lora, key, before.clone())
        return Delta(merged - before)


def _patterns(values: Mapping[str, Any], names: Sequence[str]) -> dict[str, Any]:
    """Write values by module as PEFT's patterns, which match the ends of names too."""
    found = {}
    for name, value in values.items():
        matched = [other for other in names if re.match(rf"(.*\.)?({name})$", other)]
        found[name if matched == [name] else f"^{re.escape(name)}"] = value
    return found
