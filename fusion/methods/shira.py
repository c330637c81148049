"""SHiRA, by PEFT: some entries of a weight are trained."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from peft.tuners.shira import Linear
from torch import Tensor, nn
from torch.nn import functional

from fusion.contract.method import Delta, PeftMethod
from fusion.contract.options import check_choice
from fusion.contract.sites import Site
from fusion.methods.shira_masks import BY_DATA, MASKS, choose, collect_gradients


@dataclass(frozen=True)
class ShiraOptions:
    """Options of SHiRA.

    Attributes:
        rank: As many entries are trained as LoRA of this rank has.
        mask: "random"; "struct", evenly spaced rows or columns and the diagonal; "magnitude", the
            largest entries; "gradient", those with the largest gradients; "snip", those with the
            largest product of both. The last two need `calibrate`.
        seed: Fixes the random mask; layers differ all the same, as their names count too. Other
            masks do not use it.
    """

    rank: int = 8
    mask: str = "random"
    seed: int = 0

    def __post_init__(self):
        check_choice("mask", self.mask, MASKS)


class Shira(PeftMethod):
    """A sparse change of linear layers of high rank; merging it writes to its entries alone.

    The positions are in the file and rule over the options: PEFT's config knows no other mask than
    "random", so that is what a loaded adapter says of itself. At a layer with LoRA or IA3, SHiRA
    has to be attached first: PEFT wants the bare layer.
    """

    peft_type = "SHIRA"
    Options = ShiraOptions
    float_only = "all that it trains is vectors"
    title = "SHiRA (2024, arXiv 2406.13175)"
    formula = "y = (W + S) x + b, S sparse: r (in + out) entries"

    @classmethod
    def config(cls, names: list[str], options: ShiraOptions) -> Any:
        """Build PEFT's config, without a mask: `finish` sets the positions."""
        from peft import ShiraConfig

        # A tuple, since PEFT shortens long lists to endings of names.
        config = ShiraConfig(
            r=options.rank,
            random_seed=options.seed,
            target_modules=tuple(names),  # type: ignore[arg-type]
        )
        config.mask_fn = None  # type: ignore[assignment]
        return config

    @classmethod
    def options_of(cls, config: Any, layers: Mapping[str, Any], key: str) -> ShiraOptions:
        """Read the options from PEFT's config."""
        return ShiraOptions(rank=config.r, seed=config.random_seed or 0)

    @classmethod
    def prepare(
        cls, model: nn.Module, sites: Sequence[Site], options: ShiraOptions, calibrate: Any
    ) -> dict[str, Tensor]:
        """Choose the positions, [2, entries] by name of the site.

        Raises:
            ValueError: A layer has too few entries or is PEFT's of another method, or a mask that
                needs data gets none.
        """
        for site in sites:
            _check(model, site, options)
        gradients: Mapping[str, Tensor] = {}
        if options.mask in BY_DATA:
            if calibrate is None:
                raise ValueError(
                    f"Mask {options.mask!r} of 'shira' needs data; give `calibrate`, a function "
                    "that runs the model on some batches and yields a loss for each."
                )
            gradients = collect_gradients(model, sites, calibrate)
        return {
            site.name: choose(
                *(site, options.mask, cls.count(site, options), options.seed),
                gradient=gradients.get(site.name),
            )
            for site in sites
        }

    @classmethod
    def finish(cls, layers: Mapping[str, nn.Module], key: str, prepared: Any) -> None:
        """Set the positions."""
        for name, layer in layers.items():
            shira: Any = layer
            shira.__class__ = SparseLinear
            device = shira.shira_weight[key].device
            shira.shira_indices[key] = prepared[name].to(device, torch.int)

    @classmethod
    def count(cls, site: Site, options: ShiraOptions) -> int:
        """As many as LoRA has, r (in + out)."""
        return options.rank * (site.dim_in + site.dim_out)

    @classmethod
    def delta(cls, layer: nn.Module, key: str) -> Delta:
        """Return the entries and their flat positions."""
        assert isinstance(layer, SparseLinear)
        positions, values = layer.entries(key)
        return Delta(values, index=positions)


class SparseLinear(Linear):
    """PEFT's layer with another forward; also as it comes out of PEFT's injection.

    PEFT's forward copies the weight even where nothing is on, never calls the layer inside, so that
    other adapters in there are passed over, and keeps each layer alive by a cache.
    """

    def entries(self, key: str) -> tuple[Tensor, Tensor]:
        """Return flat positions and scaled values, [entries] each."""
        values = self.shira_weight[key]
        if self.scaling[key] != 1:
            values = values * self.scaling[key]
        indices = self.shira_indices[key]
        # Kept, as a switch would spend most of its time on them; files and devices change them.
        flat: dict[str, tuple[Tensor, Tensor]] = vars(self).setdefault("flat_positions", {})
        if key not in flat or flat[key][0] is not indices or flat[key][1].device != values.device:
            rows, columns = indices.to(values.device).long()
            flat[key] = indices, rows * self.in_features + columns
        return flat[key][1], values

    def forward(self, inputs: Tensor, *args: Any, **kwargs: Any) -> Tensor:
        """Run the layer with the changed weight: [batch, tokens, in] -> [batch, tokens, out]."""
        active = [] if self.disable_adapters else self.active_adapters
        keys = [key for key in active if key in self.shira_weight]
        linear: Any = self.base_layer
        if not keys:
            return linear(inputs)
        hooked = bool(linear._forward_hooks or linear._forward_pre_hooks)
        weight = torch.zeros_like(linear.weight) if hooked else linear.weight
        flat = weight.flatten()
        for key in keys:
            positions, values = self.entries(key)
            flat = flat.index_add(0, positions, values.to(flat.dtype))
        changed = flat.view_as(weight)
        if hooked:  # by other adapters
            return linear(inputs) + functional.linear(inputs, changed)
        return functional.linear(inputs, changed, linear.bias)


def _check(model: nn.Module, site: Site, options: ShiraOptions) -> None:
    entries, size = Shira.count(site, options), site.dim_in * site.dim_out
    if not 0 < entries <= size:
        raise ValueError(
            f"Option 'rank' of 'shira' is {options.rank}, so {entries} entries; {site.name} has "
            f"{size}. Take from 1 to {size // (site.dim_in + site.dim_out)}."
        )
    layer = model.get_submodule(site.name)
    if layer is not site.module and not isinstance(layer, Linear):
        raise ValueError(
            f"{site.name} is inside a {type(layer).__module__}.{type(layer).__name__}; PEFT's "
            "SHiRA expects a bare layer. Attach 'shira' before the other method."
        )
