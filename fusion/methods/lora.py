"""LoRA, rsLoRA and DoRA, by PEFT."""

from collections.abc import Mapping
from dataclasses import dataclass
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
    """

    rank: int = 8
    alpha: float = 8.0
    dropout: float = 0.0
    rank_stabilised: bool = False
    magnitudes: bool = False


class Lora(PeftMethod):
    """A low-rank change of linear layers and convolutions.

    At a convolution A has its kernel, stride and padding, and B is one of size 1. Those with a
    dilation, groups or a padding by other than zeros are passed over: PEFT's A has none of these,
    so it could not run or could not be merged.
    """

    peft_type = "LORA"
    Options = LoraOptions
    convolutions = True
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
        """Build PEFT's config."""
        from peft import LoraConfig

        return LoraConfig(
            r=options.rank,
            lora_alpha=options.alpha,  # type: ignore[arg-type]
            lora_dropout=options.dropout,
            use_rslora=options.rank_stabilised,
            use_dora=options.magnitudes,
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
    def options_of(cls, config: Mapping[str, Any]) -> LoraOptions:
        """Read the options from PEFT's config."""
        return LoraOptions(
            rank=config["r"],
            alpha=config["lora_alpha"],
            dropout=config["lora_dropout"],
            rank_stabilised=config["use_rslora"],
            magnitudes=config["use_dora"],
        )

    @classmethod
    def count(cls, site: Site, options: LoraOptions) -> int:
        """A [rank, in, kernel], B [out, rank], and with DoRA a magnitude per output."""
        weight = site.module.weight
        assert isinstance(weight, nn.Parameter)
        low_rank = options.rank * (prod(weight.shape[1:]) + site.dim_out)
        return low_rank + (site.dim_out if options.magnitudes else 0)

    @classmethod
    def delta(cls, layer: nn.Module, key: str) -> Delta:
        """B A, scaled; of DoRA what its own merging makes of the weight."""
        lora: Any = layer
        if not lora.use_dora.get(key, False):
            return Delta(lora.get_delta_weight(key))
        variant = lora.lora_variant[key]
        weight = lora.get_base_layer().weight
        before = weight.detach().clone()
        merged = variant.merge_safe(lora, key, before.clone())
        return Delta(merged - before)
