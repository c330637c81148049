"""Read adapters from files: ours, and those of PEFT's whatever their config asks for."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from math import sqrt
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from fusion.adapters.attachment import attach_part
from fusion.adapters.base_changes import BaseChanges, BaseReader, plain
from fusion.adapters.files import CONFIG, read_adapter_config, read_weights, set_tensors, tensors_of
from fusion.adapters.injection import layers_of
from fusion.adapters.parts import drop_part
from fusion.adapters.peft_keys import KEYS, check_keys
from fusion.adapters.peft_layout import KEY, Layout, read_layout
from fusion.adapters.peft_start import Start, find_starts
from fusion.contract.method import OURS, PeftMethod
from fusion.contract.selection import Part, selection_of
from fusion.contract.sites import CONVOLUTIONS, unwrap
from fusion.methods.catalog import find_method, method_of_type
from fusion.methods.sparse_tuning import function_of

# What PEFT keeps of an adapter's training alone.
LEFT = ("lora_velora_", "lora_monteclora_")
KINDS = (nn.Linear, nn.Embedding, *CONVOLUTIONS)


def load_parts(model: nn.Module, folder: Path, name: str) -> None:
    """Read an adapter and attach it. What fails leaves the model as it was.

    Raises:
        FileNotFoundError: The folder or a file is not there.
        ValueError: It is damaged, belongs to another model, or asks for what cannot be honoured.
    """
    if (folder / CONFIG).is_file():
        folders = [folder]
    else:
        numbered = [path for path in folder.glob("*") if (path / CONFIG).is_file()]
        folders = sorted((p for p in numbered if p.name.isdigit()), key=lambda p: int(p.name))
    if not folders:
        raise FileNotFoundError(f"{folder} holds no {CONFIG}; expected a folder that `save` wrote.")
    selection = selection_of(model)
    active, kept = list(selection.active), list(selection.adapters.get(name, []))
    try:
        for part in folders:
            _load_folder(model, part, name)
    except BaseException:
        for part in list(selection.adapters.get(name, [])):
            if part not in kept:
                drop_part(model, name, part)
        selection.active[:] = active
        raise


def _load_folder(model: nn.Module, folder: Path, name: str) -> None:
    tensors = read_weights(folder)
    config = read_adapter_config(folder / CONFIG)
    kind = config.get("peft_type")
    if kind == OURS:
        names = "options", "where", "layers", "bits"
        options, where, layers, bits = (config.get(name) for name in names)
        method = config.get("method", "")
        part = attach_part(model, method, options, where, name=name, layers=layers, bits=bits)
        _set(model, part, tensors, folder)
    elif kind in KEYS:
        _load_peft(model, folder, name, config, tensors)
    else:
        raise ValueError(
            f"{folder / CONFIG}: the key 'peft_type' is {kind!r}; known: {OURS}, "
            f"{', '.join(sorted(KEYS))}."
        )


def _load_peft(
    model: nn.Module,
    folder: Path,
    name: str,
    config: Mapping[str, Any],
    tensors: Mapping[str, Tensor],
) -> None:
    values = check_keys(folder / CONFIG, config)
    tensors = {key: t for key, t in tensors.items() if not any(left in key for left in LEFT)}
    layout = read_layout(model, folder / CONFIG, values)
    reader = BaseReader(model, layout, folder)
    has = {plain(key) for key in tensors}
    starts = {
        site: start
        for site, start in find_starts(model, folder / CONFIG, values, layout).items()
        # PEFT writes over what it has taken out of a weight that the file has.
        if not any(f"{one}.weight" in has for one in reader.sharing(site, "weight"))
    }
    part = _attach_peft(model, folder, name, layout, starts)
    own = set(tensors_of(model, part))
    changes, strange = reader.read({key: t for key, t in tensors.items() if key not in own})
    ours = {key: tensor for key, tensor in tensors.items() if key in own or key in strange}
    _set(model, part, _with_starts(folder, ours, starts), folder)
    for site, start in starts.items():
        for one in reader.sharing(site, "weight"):
            if one != site:
                changes.add(one, "weight", start.change)
    _attach_changes(model, folder, name, changes, part)


def _attach_peft(
    model: nn.Module, folder: Path, name: str, layout: Layout, starts: Mapping[str, Start]
) -> Part:
    """Attach what PEFT has put on its copy of the model, under the same names."""
    kind = layout.config.peft_type
    method = method_of_type(kind)
    found: Any = find_method(method)
    assert issubclass(found, PeftMethod)
    options = found.options_of(layout.config, layout.layers, KEY)
    if starts:
        options = _doubled(options, layout.layers, set(starts))
    wanted = list(layout.layers)
    if not wanted:
        raise ValueError(
            f"{folder / CONFIG}: an adapter of {kind} without a module of its own; expected at "
            "least one that 'target_modules' names."
        )
    hosts = {site: unwrap(model.get_submodule(site)) for site in wanted}
    left = [s for s, h in hosts.items() if not isinstance(h, KINDS)]
    part = None if left else attach_part(model, method, options, wanted, name=name)
    left += sorted(set(wanted) - set(part.sites)) if part else []
    if part and not left:
        return part
    raise ValueError(
        f"{folder / CONFIG}: the key 'target_modules' means {left[0]} too, a "
        f"{type(hosts[left[0]]).__name__} that {method!r} cannot be put at. Merge the adapter with "
        "PEFT, and load the merged model."
    )


def _doubled(options: Any, layers: Mapping[str, Any], sites: set[str]) -> Any:
    """Give modules twice the rank and the same scale: B A - B0 A0 is [B, -B0] [A; A0]."""
    grown = sqrt(2) if options.rank_stabilised else 2
    places = {site: options.at(site) for site in layers}
    ranks = {site: r * 2 if site in sites else r for site, (r, _) in places.items()}
    alphas = {site: a * grown if site in sites else a for site, (_, a) in places.items()}
    rank, alpha = next(iter(ranks.values())), next(iter(alphas.values()))
    return replace(
        options,
        rank=rank,
        alpha=alpha,
        ranks={site: r for site, r in ranks.items() if r != rank},
        alphas={site: a for site, a in alphas.items() if a != alpha},
    )


def _with_starts(
    folder: Path, tensors: Mapping[str, Tensor], starts: Mapping[str, Start]
) -> dict[str, Tensor]:
    found = dict(tensors)
    for site, start in starts.items():
        begun = {f"{site}.lora_A.weight": start.down, f"{site}.lora_B.weight": start.up}
        for axis, (name, value) in enumerate(begun.items()):
            if name not in found:
                continue  # `_set` tells what the file lacks
            if found[name].shape != value.shape:
                raise ValueError(
                    f"{folder} does not fit this model: {name} is {tuple(found[name].shape)}, and "
                    f"{tuple(value.shape)} by its config. Load it on the model that it was "
                    "trained on."
                )
            signed = -value if axis else value
            found[name] = torch.cat([found[name].float(), signed.cpu()], axis)
    return found


def _set(model: nn.Module, part: Part, tensors: Mapping[str, Tensor], folder: Path) -> None:
    wanted = set(tensors_of(model, part))
    missing, unknown = sorted(wanted - set(tensors)), sorted(set(tensors) - wanted)
    if missing or unknown:
        raise ValueError(
            f"{folder} does not fit this model: it lacks {', '.join(missing[:2]) or 'nothing'} and "
            f"has {', '.join(unknown[:2]) or 'nothing'} in excess. Load it on the model that it "
            "was trained on."
        )
    try:
        set_tensors(model, part, tensors)
    except ValueError as error:
        raise ValueError(
            f"{folder} does not fit this model ({error}). Load it on the model that it was "
            "trained on."
        ) from error


def _attach_changes(
    model: nn.Module, folder: Path, name: str, changes: BaseChanges, part: Part
) -> None:
    """Attach changes of the model's own tensors as methods that make such changes."""
    _check_alone(folder, changes, part)
    biases = {site for site, own in changes.whole.items() if set(own) == {"bias"}}
    whole = [site for site in changes.whole if site not in biases]
    if biases:
        _attach_dense(model, folder, name, "bitfit", changes, sorted(biases))
    if whole:
        _attach_dense(model, folder, name, "sparse_tuning", changes, whole)
    if changes.rows:
        _attach_rows(model, folder, name, changes, sorted(changes.rows))


def _check_alone(folder: Path, changes: BaseChanges, part: Part) -> None:
    """Refuse DoRA at a module whose own tensors change: it scales what these were."""
    both = set(part.sites) & ({*changes.whole} | {*changes.rows})
    if both and getattr(part.options, "magnitudes", False):
        raise ValueError(
            f"{folder / CONFIG}: the key 'use_dora' goes with a change of {min(both)}'s own "
            "tensors (the key 'bias', or an embedding that was grown), which would be scaled "
            "along. Merge the adapter with PEFT's merge_and_unload, and load that model."
        )


@torch.no_grad()
def _attach_dense(
    model: nn.Module,
    folder: Path,
    name: str,
    method: str,
    changes: BaseChanges,
    sites: Sequence[str],
) -> None:
    part = _attach_at(model, folder, method, None, sites, name)
    for site, adapter in zip(part.sites, _adapters_of(model, part), strict=True):
        for kind, change in changes.whole[site].items():
            getattr(adapter, kind).copy_(change)


@torch.no_grad()
def _attach_rows(
    model: nn.Module, folder: Path, name: str, changes: BaseChanges, sites: Sequence[str]
) -> None:
    entries = sum(changes.rows[site][1].numel() for site in sites)
    options = {"entries": entries}
    part = _attach_at(model, folder, "sparse_tuning", options, sites, name)
    for site, adapter in zip(part.sites, _adapters_of(model, part), strict=True):
        numbers, change = changes.rows[site]
        dim = change.shape[1]
        places = numbers[:, None] * dim + torch.arange(dim, device=numbers.device)
        adapter.keep("weight", places.flatten())
        adapter.weight.copy_(change.flatten())


def _attach_at(
    model: nn.Module, folder: Path, method: str, options: Any, sites: Sequence[str], name: str
) -> Part:
    hosts = {site: unwrap(model.get_submodule(site)) for site in sites}
    left = [site for site, host in hosts.items() if function_of(host) is None]
    part = None if left else attach_part(model, method, options, sites, name=name)
    left += sorted(set(sites) - set(part.sites)) if part else []
    if part and not left:
        return part
    raise ValueError(
        f"{folder / CONFIG}: the keys 'bias', 'modules_to_save' and 'trainable_token_indices', or "
        f"one of these, change {left[0]}, a {type(hosts[left[0]]).__name__}; linear layers, "
        "convolutions, norms and word tables can be changed. Merge the adapter with PEFT, and load "
        "the merged model."
    )


def _adapters_of(model: nn.Module, part: Part) -> list[Any]:
    """Return the adapters of a method of ours, in the order of its sites."""
    return [layer.mcgurk_adapters[part.key] for layer in layers_of(model, part)]
