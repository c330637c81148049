"""What a bank did: how experts were used at each site, and what it takes to train and to keep."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor

from fusion.routing.contract import Routing


@dataclass
class Trace:
    """The decisions of all sites while somebody watched, in the order in which they ran.

    Gradients go through them as long as the trace is kept.

    Attributes:
        taken: Name of the site and what was decided there.
    """

    taken: list[tuple[str, Routing]] = field(default_factory=list)

    @property
    def decided(self) -> list[Routing]:
        """All decisions, one that several sites share once."""
        return list({id(routing): routing for _, routing in self.taken}.values())

    def at(self, site: str) -> list[Routing]:
        """Return the decisions at a site, one for each time that it ran."""
        return [routing for name, routing in self.taken if name == site]


@dataclass(frozen=True)
class Usage:
    """How the experts were used at a site; means over real tokens, or over samples and heads.

    Attributes:
        load: Part of all weight that an expert had, [experts].
        support: Effective support size (sum w / |w|)^2, the number of experts that weigh: 1 to all.
        entropy: Of the router's softmax, nats; of the weights where there are no logits.
        variance: Of these probabilities over tokens or samples, mean over experts: 0 where the
            router does not look at what it reads.
    """

    load: tuple[float, ...]
    support: float
    entropy: float
    variance: float


@dataclass(frozen=True)
class BankReport:
    """What a bank did and what it takes.

    Attributes:
        experts: Their names.
        sites: How they were used, by site; empty where nobody watched.
        trained: Parameters that training changes.
        stored: Numbers in the bank's file.
    """

    experts: tuple[str, ...]
    sites: dict[str, Usage]
    trained: int
    stored: int

    @property
    def load(self) -> dict[str, float]:
        """Part of all weight that an expert had, mean over the sites, by its name."""
        if not self.sites:
            return {}
        loads = [usage.load for usage in self.sites.values()]
        return {
            name: sum(column) / len(loads)
            for name, column in zip(self.experts, zip(*loads, strict=True), strict=True)
        }

    def __str__(self) -> str:
        """A line a site, and one of what it takes."""
        lines = [
            f"{site}: load {' '.join(f'{part:.2f}' for part in usage.load)}, support "
            f"{usage.support:.2f}, entropy {usage.entropy:.2f}, variance {usage.variance:.4f}"
            for site, usage in self.sites.items()
        ]
        lines.append(f"{self.trained:,} parameters trained, {self.stored:,} stored")
        return "\n".join(lines)


@torch.no_grad()
def usage_of(decisions: Sequence[Routing]) -> Usage:
    """Measure how experts were used in some decisions of one site.

    Raises:
        ValueError: There are none.
    """
    if not decisions:
        raise ValueError("No decisions to measure; run the model within bank.route().")
    weights = torch.cat([_real(routing, routing.weights) for routing in decisions]).float()
    scores = [_probabilities(routing) for routing in decisions]
    probabilities = torch.cat(scores).float()
    total = weights.sum(-1)
    load = weights.sum(0) / total.sum()
    support = total.square() / weights.square().sum(-1)
    entropy = -torch.special.xlogy(probabilities, probabilities).sum(-1)
    return Usage(
        load=tuple(load.tolist()),
        support=float(support.mean()),
        entropy=float(entropy.mean()),
        variance=float(probabilities.var(0, correction=0).mean()),
    )


def _probabilities(routing: Routing) -> Tensor:
    if routing.logits is not None:
        return _real(routing, routing.logits.float().softmax(-1))
    weights = _real(routing, routing.weights)
    return weights / weights.sum(-1, keepdim=True)


def _real(routing: Routing, values: Tensor) -> Tensor:
    """Return a row for each real token, or for each sample and head, [rows, experts]."""
    if routing.per_token and routing.mask is not None:
        return values[routing.mask]
    return values.flatten(0, -2)
