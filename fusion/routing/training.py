"""What trains the routers of a bank besides the task's own loss, from what was watched."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from fusion.contract.options import check_choice
from fusion.routing.bank import Bank
from fusion.routing.context import mean_over_real
from fusion.routing.contract import Routing
from fusion.routing.losses import (
    IGNORED,
    contrastive_tasks,
    entropy,
    label_cross_entropy,
    leave_one_out,
    load_balance,
)
from fusion.routing.report import Trace
from fusion.routing.routers.task_embedding import TaskEmbeddingRouter


@dataclass(frozen=True, eq=False)
class Known:
    """What losses look at besides decisions; what is not known is None.

    Attributes:
        labels: Number of the right expert of each row, [batch], or token, [batch, tokens]; -100
            where there is none.
        tasks: Number of the task of each row, [batch].
        costs: What each draw has led to, [draws, batch]: a loss or an error rate of each row. The
            batch that was run holds the rows once for each draw, one copy after the other.
    """

    labels: Tensor | None = None
    tasks: Tensor | None = None
    costs: Tensor | None = None


def router_loss(
    bank: Bank,
    trace: Trace,
    factors: Mapping[str, float],
    *,
    labels: Tensor | None = None,
    tasks: Tensor | None = None,
    costs: Tensor | None = None,
) -> Tensor:
    """Add up what trains the routers of a bank.

    Args:
        bank: That was run.
        trace: What was watched, see `Bank.route`.
        factors: By the names of `LOSSES`, as a preset has them. That of "entropy" may be negative,
            which makes rows flatter.
        labels: Right experts, see `Known`; the loss "labels" needs them.
        tasks: Tasks of the rows, [batch]; the loss "tasks" needs them.
        costs: What draws led to, [draws, batch]; the loss "reward" needs them.

    Returns:
        Scalar, each loss a mean over decisions.

    Raises:
        ValueError: No such loss, nothing was watched, or a loss lacks what it needs.
    """
    if not trace.taken:
        raise ValueError("No decisions to train on; run the model within bank.route().")
    known = Known(labels, tasks, costs)
    total = torch.zeros((), device=trace.taken[0][1].weights.device)
    for name, factor in factors.items():
        check_choice("loss", name, LOSSES)
        total = total + factor * LOSSES[name](bank, trace, known)
    return total


def _labels(bank: Bank, trace: Trace, known: Known) -> Tensor:
    labels = _given("labels", "labels", known.labels)
    return _mean(
        label_cross_entropy(_logits(routing, "labels"), _labels_of(routing, labels))
        for routing in trace.decided
    )


def _balance(bank: Bank, trace: Trace, known: Known) -> Tensor:
    return _mean(
        load_balance(_logits(routing, "balance").softmax(-1), routing.weights, _mask(routing))
        for routing in trace.decided
    )


def _entropy(bank: Bank, trace: Trace, known: Known) -> Tensor:
    return _mean(
        entropy(_logits(routing, "entropy").softmax(-1), _mask(routing))
        for routing in trace.decided
    )


def _tasks(bank: Bank, trace: Trace, known: Known) -> Tensor:
    tasks = _given("tasks", "tasks", known.tasks)
    found, seen = [], set()
    for site, routing in trace.taken:
        router = bank.router_at(site)
        if not isinstance(router, TaskEmbeddingRouter):
            raise ValueError(
                f"Loss 'tasks' trains embeddings of tasks, and the router is "
                f"{bank.options.router!r}; take 'task_embedding'."
            )
        features = routing.features
        if id(routing) in seen or features is None:
            continue
        seen.add(id(routing))
        if routing.per_token:
            features = mean_over_real(features, routing.mask)
        found.append(contrastive_tasks(features, _rows_of(routing, tasks), router.embeddings))
    return _mean(found)


def _reward(bank: Bank, trace: Trace, known: Known) -> Tensor:
    costs = _given("reward", "costs", known.costs)
    total = torch.zeros(costs.numel(), device=costs.device)
    for routing in trace.decided:
        chances = routing.log_probability
        if chances is None:
            raise ValueError(
                f"Loss 'reward' needs experts that were drawn, and {bank.options.rule!r} drew "
                "none; take 'constant_subset', and the model in training."
            )
        if routing.mask is not None and routing.per_token:
            chances = chances * routing.mask
        chances = chances.flatten(1).sum(1) if chances.dim() > 1 else chances
        if routing.rows is None and len(chances) != len(total):
            raise ValueError(
                f"Costs are of {tuple(costs.shape)} draws and rows, and the batch had "
                f"{len(chances)} rows; expected [draws, batch] that make up as many."
            )
        rows = torch.arange(len(total)) if routing.rows is None else routing.rows
        total = total.index_add(0, rows.to(total.device), chances.to(total))
    return leave_one_out(total.view(costs.shape), costs)


LOSSES: dict[str, Callable[[Bank, Trace, Known], Tensor]] = {
    "labels": _labels,
    "balance": _balance,
    "entropy": _entropy,
    "tasks": _tasks,
    "reward": _reward,
}


def _given(loss: str, name: str, value: Tensor | None) -> Tensor:
    if value is None:
        raise ValueError(f"Loss {loss!r} needs {name}, and none are given; give {name}=...")
    return value


def _logits(routing: Routing, loss: str) -> Tensor:
    if routing.logits is None:
        raise ValueError(
            f"Loss {loss!r} needs a router's logits, and these weights were given or mixed; run "
            "without weights or a scenario."
        )
    return routing.logits


def _mask(routing: Routing) -> Tensor | None:
    return routing.mask if routing.per_token else None


def _rows_of(routing: Routing, values: Tensor) -> Tensor:
    return values if routing.rows is None else values[routing.rows.to(values.device)]


def _labels_of(routing: Routing, labels: Tensor) -> Tensor:
    """Return the labels of what was decided, -100 at padding."""
    labels, mask = _rows_of(routing, labels), _mask(routing)
    if mask is None:
        return labels
    if labels.dim() == 1:
        labels = labels[:, None].expand(mask.shape)
    return labels.masked_fill(~mask.to(labels.device), IGNORED)


def _mean(found: Iterable[Tensor]) -> Tensor:
    return torch.stack(list(found)).mean()
