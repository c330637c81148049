"""A bank that grows: one more expert at each of its sites, and a column of each router for it.

What a new expert begins from, and when one is wanted, is in `fusion.sets.bank_growth`.
"""

from collections.abc import Mapping
from dataclasses import asdict, replace
from typing import Any

import torch
from torch import Tensor, nn

from fusion.routing.bank import Bank
from fusion.routing.decisions import Decisions
from fusion.routing.method import build_router, groups_of
from fusion.routing.options import BankOptions
from fusion.routing.stacked import copy_experts


def expert_of(bank: Bank, number: int) -> dict[str, Tensor]:
    """Return the tensors of one expert by site and name, the axis of experts 1 long.

    Raises:
        ValueError: There is no such expert.
    """
    if not 0 <= number < bank.options.experts:
        raise ValueError(
            f"No expert {number}; bank {bank.name!r} has {bank.options.experts}, from 0."
        )
    return {
        f"{site}.{name}": tensor.detach()
        for site, adapter in bank.sites.items()
        for name, tensor in adapter.experts.expert(number).items()
    }


def parameters_of_last(bank: Bank) -> dict[str, nn.Parameter]:
    """Return the parameters of the last expert, by the names of `expert_of`.

    Raises:
        ValueError: Not it alone is trained.
    """
    free = bank.options.experts - bank.options.held
    found = {
        f"{site}.{name}": parameter
        for site, adapter in bank.sites.items()
        for name, parameter in adapter.experts.trained().items()
    }
    if free != 1 or not found:
        raise ValueError(
            f"{free if found else 0} experts of bank {bank.name!r} are trained; expected the last "
            "alone. Hold the others: bank.hold(experts)."
        )
    return found


def add_expert(
    bank: Bank,
    weights: Mapping[str, Tensor] | None = None,
    name: str = "",
    *,
    like: int = -1,
    retrain_router: bool = False,
) -> None:
    """Add an expert to a bank, and a column of each router for it; all older experts are held.

    Older experts keep their bytes whatever is trained from now on, until `Bank.hold` says
    otherwise. A column begins as columns of a fresh bank do. Where a router weighs all experts by
    a softmax, a new column takes weight from the old ones at once; where weights are given, rows
    that do not name the new expert are as they were, but for rounding. What is trained are new
    parameters: an optimiser that knew the bank has to be made anew.

    Args:
        bank: It changes in place; what fails leaves it as it was.
        weights: What the expert begins with, by the names of `expert_of`; None for the form's own
            start, which adds nothing.
        name: What it is called; "" for its number.
        like: Number of the expert whose kind it is of, where kinds differ in size.
        retrain_router: Whether the columns of older experts are trained along.

    Raises:
        ValueError: The router takes no further expert, the name is taken, or weights do not fit.
    """
    options = _grown(bank, name, like, retrain_router)
    sites = bank.adapters.sites(bank.part)
    forms, routers = {}, {}
    for site, adapter in zip(sites, bank.sites.values(), strict=True):
        built = options.form_kind(site, options.experts, options.form_built, bank.common.form)
        forms[site.name] = _follow(adapter.experts, built)
        if not adapter.group:
            old: Any = adapter.router
            routers[site.name] = _follow(old, build_router(site, options))
    shared = {
        group: _follow(bank.common.routers[group], build_router(members[0], options))
        for group, members in groups_of(sites, options).items()
    }
    if weights is not None:
        _begin(forms, options.experts - 1, weights)
    for site, adapter in bank.sites.items():
        adapter.experts, adapter.router = forms[site], routers.get(site)
    for group, router in shared.items():
        bank.common.routers[group] = router
        decided = bank.common.decisions[group]
        bank.common.decisions[group] = Decisions(decided.leaders)  # the last had fewer experts
    bank.set_options(options)


def _grown(bank: Bank, name: str, like: int, retrain_router: bool) -> BankOptions:
    """Return the options of a bank with one more expert."""
    options, kind = bank.options, bank.options.router_kind
    if kind.fixed:
        raise ValueError(
            f"Bank {bank.name!r} cannot grow: router {options.router!r} {kind.fixed}. Take "
            "'features', 'task_embedding' or 'given'."
        )
    before, number = options.expert_names, str(options.experts)
    named = options.names or name
    return replace(
        options,
        experts=options.experts + 1,
        names=(*before, name or number) if named else (),
        form_options=asdict(options.form_kind.grown(options.form_built, like)),
        held=options.experts,
        held_columns=not retrain_router,
    )


def _follow(old: nn.Module, new: Any) -> Any:
    """Give a module with one more expert what another has, its dtype, device and mode."""
    for tensor in old.parameters():
        new.to(tensor)
        break
    copy_experts(old, new, new.axes)
    return new.train(old.training)


@torch.no_grad()
def _begin(forms: Mapping[str, Any], number: int, weights: Mapping[str, Tensor]) -> None:
    targets = {
        f"{site}.{name}": tensor
        for site, form in forms.items()
        for name, tensor in form.expert(number).items()
    }
    for name in sorted({*targets, *weights}):
        shapes = [list(t[name].shape) if name in t else None for t in (weights, targets)]
        if shapes[0] != shapes[1]:
            raise ValueError(
                f"{name} is {shapes[0] or 'missing'} in what the expert begins with, and "
                f"{shapes[1] or 'missing'} in the bank; expected an expert of this bank."
            )
    for name, target in targets.items():
        target.copy_(weights[name])
