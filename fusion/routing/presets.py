"""Methods that were published as banks, with their settings; what is ours is said at each."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from torch import nn

from fusion.contract.blocks import BLOCKS, Block
from fusion.contract.sites import LINEAR_ROLES, find_sites
from fusion.routing.bank import Bank, attach_bank
from fusion.routing.options import BankOptions, changed
from modalities.spelling import did_you_mean


@dataclass(frozen=True)
class Preset:
    """A published method.

    Attributes:
        options: Those of its bank, as published or as its code has it.
        where: The roles that it is put at; those that a model does not have are passed over.
        losses: Factors of what trains its router beside the task's own loss, by the names of
            `fusion.routing.training.LOSSES`.
        blocks: How many blocks, from the last one back, or as many as there are; 0 for all.
        title: Paper, year and arXiv number.
        ours: What no source states, and was chosen here; "" where all is known.
    """

    options: BankOptions
    where: tuple[str, ...]
    losses: Mapping[str, float] = field(default_factory=dict)
    blocks: int = 0
    title: str = ""
    ours: str = ""


def _options(**given: Any) -> BankOptions:
    return changed(BankOptions(), given)


_POLY: dict[str, Any] = dict(
    form="mixed_lora",
    rank=8,
    experts=4,
    router="tasks",
    tasks=1,
    granularity="sample",
    rule="relaxed_bernoulli",
)
ATTENTION, FEED_FORWARD = ("q", "k", "v", "o"), ("fc1", "fc2", "gate")

PRESETS: dict[str, Preset] = {
    "poly": Preset(
        _options(**_POLY),
        where=("q", "v"),
        title="Polytropon (2022, arXiv 2202.13914)",
        ours="sizes, which are the defaults of PEFT's Poly",
    ),
    "mhr": Preset(
        _options(**_POLY, heads=8),
        where=("q", "v"),
        title="Multi-head routing (2022, arXiv 2211.03831)",
        ours="8 heads; the other sizes are the defaults of PEFT's Poly",
    ),
    "meteora": Preset(
        _options(
            experts=28,
            rank=8,
            router_start="normal",
            std=1.0,
            rule="top_k_softmax",
            k=2,
            trained="router",
        ),
        where=LINEAR_ROLES,
        losses={"labels": 50.0},
        title="MeteoRA (2024, arXiv 2405.13053)",
        ours="",
    ),
    "remix": Preset(
        # 2 / (k r) for each chosen one: 2 / r of the form, 1 / k of the rule.
        _options(experts=8, rank=8, alpha=2.0, granularity="sample", rule="constant_subset", k=2),
        where=FEED_FORWARD,
        losses={"reward": 1.0},
        title="ReMix (2026, arXiv 2603.10160)",
        ours="that a whole sample is routed, where the paper says 'a given input'; k of its 1 to 4",
    ),
    "lora_mixer": Preset(
        _options(experts=6, rank=8, k=3, dense_in_training=True),
        where=ATTENTION,
        losses={"balance": 1.0, "entropy": 1.0},
        title="LoRA-Mixer (2025, arXiv 2507.00029)",
        ours="rank and factors; 'entropy' of 1 makes rows decided as the text says, -1 flat as the "
        "formula does",
    ),
    "pyramid": Preset(
        _options(
            form="pyramid",
            experts=8,
            rank=8,
            scales=(2, 2, 4, 4, 6, 6, 8, 8),
            router="task_embedding",
            k=2,
            temperature=0.05,
            renormalised=False,
        ),
        where=("q", "v"),
        losses={"tasks": 0.1},
        title="Expert Pyramid Tuning (2026, arXiv 2603.12577)",
        ours="rank, k, the roles, a matrix for each site, how task embeddings enter the router",
    ),
    "sema": Preset(
        _options(
            form="bottleneck",
            experts=1,
            rank=16,
            activation="relu",
            bias=True,
            granularity="sample",
        ),
        where=("mlp",),
        blocks=3,
        title="SEMA (2024, arXiv 2403.18886)",
        ours="that blocks before the last three have none; the paper's have one each, of the first "
        "task; that the three grow together, unless each block has a bank of its own",
    ),
    "mos": Preset(
        _options(
            form="bottleneck",
            experts=1,
            rank=16,
            activation="relu",
            router="given",
            granularity="sample",
            rule="one_hot",
        ),
        where=("mlp",),
        title="MOS (2024, arXiv 2412.09441)",
        ours="",
    ),
    "arrow": Preset(
        _options(router="arrow", rule="top_k_softmax", k=3, trained="experts"),
        where=("q", "v"),
        title="Arrow (2024, arXiv 2405.11157), by PEFT",
        ours="",
    ),
}


def find_preset(name: str) -> Preset:
    """Return a published method.

    Raises:
        ValueError: No such method; the message lists those there are.
    """
    if name not in PRESETS:
        guess = did_you_mean(name, PRESETS)
        raise ValueError(f"No routed method {name!r}; known: {', '.join(PRESETS)}.{guess}")
    return PRESETS[name]


def attach_preset(
    model: nn.Module,
    method: str,
    changes: Mapping[str, Any] | None = None,
    where: Sequence[str] | None = None,
    *,
    name: str = "bank",
    layers: Sequence[int] | None = None,
    blocks: Mapping[str, tuple[Block, ...]] | None = None,
) -> Bank:
    """Put the bank of a published method on a model, and switch it on.

    Args:
        model: Any module that holds Transformer blocks; it is changed in place.
        method: A name of `PRESETS`.
        changes: Settings that differ from the published ones, as {"tasks": 10, "experts": 6}.
        where: Roles or names of modules; None for the method's own.
        name: What the bank is called, as an adapter is.
        layers: Numbers of the blocks, negative ones from the end; None for the method's own.
        blocks: Block classes that are not known, by class name.

    Raises:
        ValueError: No such method, option, role or layer; the message lists what exists.
    """
    preset = find_preset(method)
    options = changed(preset.options, changes or {})
    if where is None:
        where = present_roles(model, preset.where, blocks)
    if layers is None and preset.blocks:
        sites = find_sites(model, where, "sublayer", None, {**BLOCKS, **(blocks or {})})
        fewest = min((site.layers for site in sites if site.layer >= 0), default=0)
        layers = range(-min(preset.blocks, fewest), 0)
    return attach_bank(model, options, where, name=name, layers=layers, blocks=blocks)


def present_roles(
    model: nn.Module,
    roles: Sequence[str],
    blocks: Mapping[str, tuple[Block, ...]] | None = None,
) -> list[str]:
    """Leave roles out that no block of the model has; all stay where it has none of them.

    Args:
        model: Any module that holds Transformer blocks.
        roles: Names of `fusion.contract.sites.ROLES`, as "q"; one or more.
        blocks: Block classes that are not known, by class name.
    """
    known = {**BLOCKS, **(blocks or {})}
    if not any(type(module).__name__ in known for module in model.modules()):
        return list(roles)
    found = []
    for role in roles:
        try:
            find_sites(model, [role], "sublayer", None, blocks)
        except ValueError:
            continue
        found.append(role)
    return found or list(roles)
