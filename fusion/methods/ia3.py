"""IA3, by PEFT: keys, values and what the feed-forward part holds inside are rescaled."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from fusion.contract.blocks import BLOCKS
from fusion.contract.method import Delta, PeftMethod
from fusion.contract.sites import Site

_LAST = sorted({b.sublayers[-1].parts["fc2"] for kinds in BLOCKS.values() for b in kinds})
# The number of the block in front tells BERT's output.dense from its attention.output.dense.
FEEDFORWARD = rf"(.*\.)?\d+\.({'|'.join(map(re.escape, _LAST))})"


@dataclass(frozen=True)
class Ia3Options:
    """Options of IA3.

    Attributes:
        feedforward: Names of the layers whose input is rescaled, as a regular expression; of the
            others it is the output. The default has the fc2 of the blocks that are known.
    """

    feedforward: str = FEEDFORWARD


class Ia3(PeftMethod):
    """A factor per feature. Several adapters at once multiply, as in PEFT, and merge so."""

    peft_type = "IA3"
    Options = Ia3Options
    where = ("k", "v", "fc2")
    float_only = "all that it trains is vectors"
    title = "(IA)^3 (2022, arXiv 2205.05638)"
    formula = "y = l * (W x + b) at k and v; y = W (l * x) + b at fc2"

    @classmethod
    def config(cls, names: list[str], options: Ia3Options) -> Any:
        """Build PEFT's config."""
        from peft import IA3Config

        # A tuple: PEFT keeps lists as sets, and writes those to the file in a random order.
        return IA3Config(
            target_modules=tuple(names),  # type: ignore[arg-type]
            feedforward_modules=options.feedforward,
        )

    @classmethod
    def options_of(cls, config: Any, layers: Mapping[str, Any], key: str) -> Ia3Options:
        """Read the options from PEFT's config, which may have a list of names or of their ends."""
        feedforward = config.feedforward_modules
        if not isinstance(feedforward, str):
            feedforward = "|".join(n for n, layer in layers.items() if layer.is_feedforward)
            feedforward = feedforward.replace(".", r"\.")
        return Ia3Options(feedforward)

    @classmethod
    def prepare(
        cls, model: nn.Module, sites: Sequence[Site], options: Ia3Options, calibrate: Any
    ) -> None:
        """Check that PEFT will rescale the side that it should.

        Raises:
            ValueError: A layer is an fc2 that `feedforward` does not name, or has an adapter
                already that rescales its other side.
        """
        from peft.tuners.ia3 import IA3Layer

        for site in sites:
            reads = _reads(site, options)
            if site.role == "fc2" and options == Ia3Options() and not reads:
                raise ValueError(
                    f"{site.name} is the last layer of a feed-forward part by another name than "
                    "those known. Give option 'feedforward', a regular expression of such names."
                )
            inside = model.get_submodule(site.name).modules()
            if any(isinstance(m, IA3Layer) and m.is_feedforward != reads for m in inside):
                raise ValueError(
                    f"{site.name} has an adapter that rescales its {_side(not reads)}; expected "
                    f"its {_side(reads)}. Give both the same option 'feedforward'."
                )

    @classmethod
    def count(cls, site: Site, options: Ia3Options) -> int:
        """A factor per output, or per input of a feed-forward part's last layer."""
        return site.dim_in if _reads(site, options) else site.dim_out

    @classmethod
    def delta(cls, layer: nn.Module, key: str) -> Delta:
        """W (l - 1), of the outputs and the bias or of the inputs."""
        ia3: Any = layer
        weight, bias = _inside(ia3)
        change = _change(ia3, key)  # [1, in] or [out, 1]
        if bias is None or ia3.is_feedforward:
            return Delta(weight * change)
        return Delta(weight * change, bias * change[:, 0])


def _reads(site: Site, options: Ia3Options) -> bool:
    return re.fullmatch(options.feedforward, site.name) is not None


def _side(reads: bool) -> str:
    return "input" if reads else "output"


def _change(ia3: Any, key: str) -> Tensor:
    """Return l - 1; where several are on, of their product what this one adds to those before."""
    active = [name for name in ia3.active_adapters if name in ia3.ia3_l]
    before = active[: active.index(key)] if key in active else []
    change = ia3.ia3_l[key] - 1
    for name in before:
        change = change * ia3.ia3_l[name]
    return change


def _inside(ia3: Any) -> tuple[Tensor, Tensor | None]:
    """Return the weight and bias of what is rescaled, other adapters inside included."""
    from peft.tuners.tuners_utils import BaseTunerLayer

    on = set(ia3.active_adapters)
    held = [m for m in ia3.base_layer.modules() if isinstance(m, BaseTunerLayer)]
    if not any(on & set(getattr(m, kind)) for m in held for kind in m.adapter_layer_names):
        linear = ia3.get_base_layer()
        return linear.weight, linear.bias
    weight = ia3.get_base_layer().weight
    size = weight.shape[1]
    probes = torch.cat([weight.new_zeros(1, size), torch.eye(size).to(weight)])  # [1 + in, in]
    bias, *columns = ia3.base_layer(probes[:, None])[:, 0]
    return torch.stack(columns, 1) - bias[:, None], bias
