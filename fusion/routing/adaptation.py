"""What is done with a trained bank for a new task: fresh routing, or the mean of its skills."""

from dataclasses import replace

import torch
from torch import nn

from fusion.adapters.interface import Adapters, attach
from fusion.routing.bank import Bank
from fusion.routing.forms.lora import LoraExperts
from fusion.routing.forms.mixed_lora import MixedLora
from fusion.routing.routers.tasks import TaskRouter


def route_new_tasks(bank: Bank, tasks: int = 1) -> None:
    """Freeze the experts, and let routing alone be trained for new tasks, from a fresh start.

    Args:
        bank: Its router is "tasks"; the rows of former tasks are gone.
        tasks: How many new ones there are.

    Raises:
        ValueError: Another router.

    Source:
        MHR-z, multi-head routing (2022, arXiv 2211.03831).
    """
    if bank.options.router != "tasks":
        raise ValueError(
            f"Bank {bank.name!r} is weighed by {bank.options.router!r}; only 'tasks' has a row for "
            "each task."
        )
    changed = bank.options.router_options | {"tasks": tasks}
    options = replace(bank.options, trained="router", router_options=changed)
    for router in bank.routers:
        assert isinstance(router, TaskRouter)
        fresh = TaskRouter(router.dim, router.experts, router.heads, options.router_built)
        router.table = nn.Parameter(fresh.table.to(router.table))
    bank.set_options(options)


@torch.no_grad()
def mean_of_experts(bank: Bank, name: str) -> Adapters:
    """Make one LoRA of the mean of A and the mean of B of all experts, to be trained further.

    Args:
        bank: Its experts are LoRAs, mixed in parameters or not; it stays on the model, switched
            off.
        name: What the LoRA is called; it is switched on.

    Returns:
        All adapters of the model.

    Raises:
        ValueError: The experts are no LoRAs.

    Source:
        MHR-mu, multi-head routing (2022, arXiv 2211.03831).
    """
    options = bank.options.form_options
    if bank.options.form not in ("lora", "mixed_lora"):
        raise ValueError(
            f"Experts of bank {bank.name!r} are {bank.options.form!r}; only 'lora' and "
            "'mixed_lora' have A and B."
        )
    lora = {"rank": options["rank"], "alpha": float(options.get("alpha", 1.0))}
    lora["rank_stabilised"] = options.get("rank_stabilised", False)
    adapters = attach(bank.model, "lora", lora, bank.part.sites, name=name)
    matrices = adapters.named_parameters(name)
    for site, adapter in bank.sites.items():
        down, up = _means(adapter.experts)
        matrices[f"{site}.lora_A.weight"].copy_(down)
        matrices[f"{site}.lora_B.weight"].copy_(up)
    return adapters


def _means(experts: nn.Module) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the mean of A, [rank, dim_in], and of B, [dim_out, rank]."""
    if isinstance(experts, LoraExperts):
        return experts.down.mean(0), experts.up.mean(0).T
    assert isinstance(experts, MixedLora)
    heads, count = experts.down.shape[:2]
    down, up = experts.mixed(experts.down.new_full((1, heads, count), 1 / count))
    return down[0].T, up[0].T
