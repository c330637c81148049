"""All methods of ours as one tuner of PEFT, which freezes, saves and loads them."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import torch
from peft import PeftConfig
from peft.tuners.tuners_utils import BaseTuner
from peft.utils import PeftType, register_peft_method
from torch import nn

from fusion.contract.attention import take_over_attention
from fusion.contract.holder import Holder, holder_of
from fusion.contract.method import OURS
from fusion.contract.options import build_options
from fusion.contract.selection import selection_of
from fusion.contract.sites import Site, unwrap
from fusion.methods.catalog import our_method

PREFIX = "mcgurk_"


def _add_peft_type() -> PeftType:
    """Add a member to PEFT's enumeration; its registration takes no other names."""
    member = str.__new__(PeftType, OURS)
    member._name_, member._value_ = OURS, OURS
    PeftType._member_map_[OURS] = member
    PeftType._value2member_map_[OURS] = member
    PeftType._member_names_.append(OURS)
    return member


PEFT_TYPE = PeftType._member_map_.get(OURS) or _add_peft_type()


@dataclass
class MethodConfig(PeftConfig):
    """A method, its options and its places, as PEFT writes them to adapter_config.json.

    Attributes:
        method: A name of `fusion.methods.catalog.METHODS`, one of ours.
        options: Fields of that method's dataclass, by name.
        where: Roles or module names; None for the method's own.
        layers: Numbers of the blocks, or None for all.
        target_modules: The modules that were found; nobody has to give them.
        bits: In files of quantised adapters, which PEFT cannot read: of each entry.
    """

    method: str = ""
    options: dict[str, Any] = field(default_factory=dict)
    where: list[str] | None = None
    layers: list[int] | None = None
    target_modules: Sequence[str] | None = None
    bits: int | None = None

    def __post_init__(self):
        super().__post_init__()
        self.peft_type = PEFT_TYPE  # type: ignore[assignment]


def sites_of(model: nn.Module, config: MethodConfig) -> list[Site]:
    """Find the sites of a config.

    Raises:
        ValueError: No such role, or none of them takes the method.
    """
    method = our_method(config.method)
    options = build_options(config.method, method.Options, config.options)
    return method.sites_in(model, config.method, options, config.where, config.layers)


class MethodModel(BaseTuner):
    """PEFT's side of our methods."""

    prefix = PREFIX
    tuner_layer_cls = Holder
    target_module_mapping: dict[str, list[str]] = {}

    def _prepare_adapter_config(self, peft_config: Any, model_config: Any) -> Any:
        return peft_config

    def _prepare_model(self, peft_config: Any, model: nn.Module) -> None:
        if peft_config.bits is not None:
            raise ValueError(
                f"The adapter is quantised to {peft_config.bits} bits, and its file holds packed "
                "codes, which PEFT cannot read. Load it with fusion.adapters.Adapters.load."
            )
        method = our_method(peft_config.method)
        self.options = build_options(peft_config.method, method.Options, peft_config.options)
        self.sites = {site.name: site for site in sites_of(model, peft_config)}
        self.shared = method.share(list(self.sites.values()), self.options)
        peft_config.options = asdict(self.options)
        # A tuple, since PEFT shortens long lists to endings of names.
        peft_config.target_modules = tuple(self.sites)
        if method.acts_on == "attention":
            take_over_attention(model)

    @staticmethod
    def _check_target_module_exists(peft_config: Any, key: str) -> bool:
        return key in peft_config.target_modules

    @classmethod
    def _remove_adapter_name_from_key(cls, key: str, adapter_name: str) -> str:
        return key.replace(f".mcgurk_adapters.{adapter_name}.", ".mcgurk_adapters.", 1)

    def _create_and_replace(  # type: ignore[override]
        self,
        peft_config: Any,
        adapter_name: str,
        target: nn.Module,
        target_name: str,
        parent: nn.Module,
        current_key: str,
    ) -> None:
        site = self.sites[current_key]
        method = our_method(peft_config.method)
        host = unwrap(target)
        # A place between frozen parts has no weights of its own.
        weight = next(host.parameters(), next(self.model.parameters()))
        with weight.device:
            adapter = method(site, self.options, self.shared)
        if self.shared is not None and site.name == next(iter(self.sites)):
            adapter.add_module("shared", self.shared)  # kept and saved once
        holder = holder_of(host, selection_of(self.model))
        # As PEFT does: a model in half precision has its adapters in float32.
        dtype = torch.promote_types(weight.dtype, torch.float32)
        holder.mcgurk_adapters[adapter_name] = adapter.to(weight.device, dtype)
        adapter.selection = holder.selection
        adapter.reads_from = _source_of(site, method.reads(self.options))
        if adapter.reads_from:
            holder.listen(unwrap(self.model.get_submodule(adapter.reads_from)), adapter.reads_from)


def _source_of(site: Site, reads: str) -> str:
    """Return the name of the module whose input an adapter reads; "" for that of its own."""
    # Where the normalisation comes last, the sub-layer reads what has not been normalised.
    if reads == "norm" and site.norm and site.norm_first:
        return site.norm
    return site.reads if reads and site.ends_sublayer else ""


register_peft_method(
    name=OURS.lower(), config_cls=MethodConfig, model_cls=MethodModel, is_mixed_compatible=True
)
