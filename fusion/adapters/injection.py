"""Put the layers of an adapter into a model by PEFT, find them again, and take them out."""

import warnings
from collections.abc import Callable, Iterable
from typing import Any

from torch import Tensor, nn

from fusion.adapters.peft_rows import let_rows_differ
from fusion.contract.holder import ATTRIBUTE, Holder
from fusion.contract.method import PeftMethod
from fusion.contract.selection import Part, selection_of
from fusion.contract.sites import Site, unwrap
from fusion.methods.catalog import find_method

Calibrate = Callable[[nn.Module], Iterable[Tensor]]


def inject(
    model: nn.Module,
    key: str,
    name: str,
    options: Any,
    where: tuple[str, ...],
    layers: tuple[int, ...] | None,
    calibrate: Calibrate | None,
) -> list[Site]:
    """Put a method's layers into a model.

    Args:
        model: It is changed in place.
        key: Name of the part among PEFT's layers.
        name: A name of `fusion.methods.catalog.METHODS`.
        options: An instance of the method's `Options`.
        where: Roles or module names.
        layers: Numbers of the blocks, or None for all.
        calibrate: For methods that look at data first, or None.

    Returns:
        Where they are, in the order of the model.

    Raises:
        ValueError: No such role or layer, or none that takes the method.
    """
    method = find_method(name)
    if issubclass(method, PeftMethod):
        return _inject_peft(model, key, name, method, options, where, layers, calibrate)
    return _inject_ours(model, key, name, options, where, layers)


def _inject_ours(
    model: nn.Module,
    key: str,
    name: str,
    options: Any,
    where: tuple[str, ...],
    layers: tuple[int, ...] | None,
) -> list[Site]:
    from fusion.adapters.tuner import MethodConfig, MethodModel, sites_of

    config = MethodConfig(
        method=name,
        options=options,
        where=list(where),
        layers=None if layers is None else list(layers),
    )
    sites = sites_of(model, config)
    _inject(MethodModel, model, config, key)
    return sites


def _inject_peft(
    model: nn.Module,
    key: str,
    name: str,
    method: type[PeftMethod],
    options: Any,
    where: tuple[str, ...],
    layers: tuple[int, ...] | None,
    calibrate: Calibrate | None,
) -> list[Site]:
    from peft.mapping import PEFT_TYPE_TO_TUNER_MAPPING
    from peft.tuners.tuners_utils import cast_adapter_dtype

    selection = selection_of(model)
    sites = method.sites_in(model, name, options, where, layers)
    prepared = method.prepare(model, sites, options, calibrate)
    config = method.config([site.name for site in sites], options)
    _inject(PEFT_TYPE_TO_TUNER_MAPPING[config.peft_type], model, config, key)
    cast_adapter_dtype(model, key)
    found = {site.name: model.get_submodule(site.name) for site in sites}
    for layer in found.values():
        layer._active_adapter = selection.active  # type: ignore[assignment]
        let_rows_differ(layer, selection)
    method.finish(found, key, prepared)
    return sites


def _inject(tuner: Any, model: nn.Module, config: Any, key: str) -> None:
    """Let PEFT inject; it warns about every adapter after the first, and about tied matrices.

    It also sets what is on anew in every layer of its own, those of former adapters too.
    """
    active = list(selection_of(model).active)
    former = _switched_by_us(model)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Already found a `peft_config`")
        warnings.filterwarnings("ignore", message="Model has `tie_word_embeddings=True`")
        tuner(model, config, key)
    for layer in former:
        layer._active_adapter = selection_of(model).active
    selection_of(model).active[:] = active


def _switched_by_us(model: nn.Module) -> list[Any]:
    """Return the layers of PEFT that look at the very list of what is on."""
    active = selection_of(model).active
    return [layer for layer in model.modules() if layer.__dict__.get("_active_adapter") is active]


def layers_of(model: nn.Module, part: Part) -> list[Any]:
    """Return the layers of PEFT, ours or its own, that hold a part, in the order of its sites."""
    found = []
    for name in part.sites:
        layer: Any = model.get_submodule(name)
        while layer is not None and part.key not in _keys_of(layer):
            inner = getattr(layer, "base_layer", None)
            layer = inner if inner is not None else layer._modules.get(ATTRIBUTE)
        assert layer is not None, f"{name} does not hold {part.key}"
        found.append(layer)
    return found


def eject(model: Any, part: Part) -> None:
    """Take a part out, and the layers that then hold nothing."""
    for name, layer in zip(part.sites, layers_of(model, part), strict=True):
        layer.delete_adapter(part.key)
        if _keys_of(layer):
            continue
        if isinstance(layer, Holder):
            layer.leave(unwrap(model.get_submodule(name)))
        else:
            _unwrap_in(model, name, layer)
    model.peft_config.pop(part.key)


def _unwrap_in(model: nn.Module, name: str, layer: Any) -> None:
    """Put what is inside a layer of PEFT in its place."""
    path, _, child = name.rpartition(".")
    parent: Any = model.get_submodule(path)
    while parent._modules[child] is not layer:
        parent, child = parent._modules[child], "base_layer"
    setattr(parent, child, layer.base_layer)


def _keys_of(layer: Any) -> set[str]:
    names = getattr(layer, "adapter_layer_names", ())
    return {key for name in names for key in getattr(layer, name, {})}
