"""Banks of LoRAs that were trained before: they stay frozen, and a router is trained."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import nn

from fusion.adapters.files import CONFIG, read_adapter_config
from fusion.adapters.injection import layers_of
from fusion.adapters.interface import Adapters
from fusion.contract.selection import Part
from fusion.contract.sites import LINEAR_ROLES, find_sites
from fusion.routing.bank import Bank, attach_bank
from fusion.routing.forms.lora import LoraExperts
from fusion.routing.options import changed
from fusion.routing.presets import find_preset, present_roles


def bank_of_loras(
    model: nn.Module,
    names: Sequence[str],
    method: str = "meteora",
    changes: Mapping[str, Any] | None = None,
    *,
    name: str = "bank",
) -> Bank:
    """Make LoRAs that are on a model the experts of a bank, and switch that on.

    The bank has copies, and is where they are; the LoRAs stay on the model, switched off.

    Args:
        model: With the LoRAs on it, of one rank and at the same modules.
        names: What they are called, in the order of the experts.
        method: A name of `fusion.routing.presets.PRESETS` whose experts are LoRAs.
        changes: Settings of the bank that differ; what the LoRAs fix, as the rank, is set already.
        name: What the bank is called.

    Raises:
        ValueError: They are not LoRAs of one rank at the same modules, or the settings ask for
            another number of experts.
    """
    parts = _check_alike(Adapters(model), names)
    options = parts[0].options
    fixed: dict[str, Any] = {"rank": options.rank, "alpha": float(options.rank)}
    fixed |= {"experts": len(names), "names": tuple(names), "rank_stabilised": False}
    given = dict(changes or {})
    for option in fixed:
        if option in given and given[option] != fixed[option]:
            raise ValueError(
                f"Option {option!r} is {given[option]!r}, and the LoRAs {', '.join(names)} make it "
                f"{fixed[option]!r}; leave it out."
            )
    preset = find_preset(method)
    if preset.options.form != "lora":
        raise ValueError(
            f"Experts of {method!r} are {preset.options.form!r}, and {names[0]!r} is 'lora'; take "
            "'meteora', 'lora_mixer', 'remix' or 'arrow'."
        )
    built = changed(
        preset.options, {"trained": "router"} | given | fixed | _fewer(given, preset, names)
    )
    bank = attach_bank(model, built, _places(model, parts[0].sites), name=name)
    _fill(bank, parts)
    return bank


def bank_of_folders(
    model: nn.Module,
    folders: Mapping[str, str | Path],
    method: str = "meteora",
    changes: Mapping[str, Any] | None = None,
    *,
    name: str = "bank",
) -> Bank:
    """Make LoRAs on disk, ours or PEFT's, the experts of a bank; see `bank_of_loras`.

    Args:
        model: The frozen model that they were trained on.
        folders: Where they are, by the names that the experts get.
        method: A name of `fusion.routing.presets.PRESETS` whose experts are LoRAs.
        changes: Settings of the bank that differ.
        name: What the bank is called.

    Raises:
        FileNotFoundError: A folder or a file is not there.
        ValueError: They do not go together, as where their base models differ.
    """
    _check_bases({expert: Path(folder) for expert, folder in folders.items()})
    adapters, loaded = Adapters(model), []
    active = list(adapters.selection.active)
    try:
        for expert, folder in folders.items():
            adapters.load(folder, expert)
            loaded.append(expert)
        return bank_of_loras(model, list(folders), method, changes, name=name)
    except BaseException:
        adapters.selection.active[:] = active
        raise
    finally:
        for expert in loaded:
            adapters.drop(expert)


def _places(model: nn.Module, sites: Sequence[str]) -> Sequence[str]:
    """Return roles that stand for just these modules, or their names where none do.

    A module by name belongs to no block: what shares a router, or decodes, only its role tells.
    """
    try:
        found = find_sites(model, present_roles(model, LINEAR_ROLES))
    except ValueError:  # no known block
        return sites
    role_of = {site.name: site.role for site in found}
    roles = dict.fromkeys(role_of.get(name, "") for name in sites)
    alike = {name for name, role in role_of.items() if role in roles}
    return list(roles) if alike == set(sites) else sites


def _fewer(given: Mapping[str, Any], preset: Any, names: Sequence[str]) -> dict[str, Any]:
    """Choose among all where there are fewer LoRAs than the method chooses by default."""
    chosen = preset.options.chosen
    return {"k": len(names)} if "k" not in given and chosen and chosen > len(names) else {}


def _check_alike(adapters: Adapters, names: Sequence[str]) -> list[Part]:
    if not names:
        raise ValueError("No LoRA is named; a bank needs one or more experts.")
    parts = []
    for name in names:
        own = adapters.parts(name)
        if [part.method for part in own] != ["lora"] or not _is_plain(own[0].options):
            told = ", ".join(part.method for part in own)
            raise ValueError(
                f"Adapter {name!r} is {told} with magnitudes, a bias or ranks by module, or no "
                "LoRA; experts are plain LoRAs of one rank."
            )
        parts.append(own[0])
    first = parts[0]
    for name, part in zip(names, parts, strict=True):
        if part.options.rank != first.options.rank:
            raise ValueError(
                f"LoRA {names[0]!r} has rank {first.options.rank}, and {name!r} rank "
                f"{part.options.rank}; experts of a bank have one rank."
            )
        if set(part.sites) != set(first.sites):
            odd = min(set(part.sites) ^ set(first.sites))
            one, other = (name, names[0]) if odd in part.sites else (names[0], name)
            raise ValueError(
                f"LoRA {one!r} is at {odd}, and {other!r} is not; experts of a bank are at the "
                "same modules."
            )
    return parts


def _is_plain(options: Any) -> bool:
    return not (options.magnitudes or options.up_bias or options.ranks)


@torch.no_grad()
def _fill(bank: Bank, parts: Sequence[Part]) -> None:
    """Copy A and B of each LoRA; its scale goes into B."""
    sites = bank.sites
    for number, part in enumerate(parts):
        for site, layer in zip(part.sites, layers_of(bank.model, part), strict=True):
            experts = sites[site].experts
            assert isinstance(experts, LoraExperts)
            experts.down[number].copy_(layer.lora_A[part.key].weight)
            experts.up[number].copy_(layer.lora_B[part.key].weight.T * layer.scaling[part.key])


def _check_bases(folders: Mapping[str, Path]) -> None:
    """Check that adapters on disk name one base model, where they name one."""
    bases = {
        expert: base
        for expert, folder in folders.items()
        if (folder / CONFIG).is_file()
        and (base := read_adapter_config(folder / CONFIG).get("base_model_name_or_path"))
    }
    if len(set(bases.values())) > 1:
        (one, base), *rest = bases.items()
        other, strange = next((name, found) for name, found in rest if found != base)
        raise ValueError(
            f"LoRA {one!r} was trained on {base}, and {other!r} on {strange}; experts of a bank "
            "have one base model."
        )
