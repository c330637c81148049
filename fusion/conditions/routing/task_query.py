"""A router that scores experts for each token, by what the token is and what is to be done."""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from fusion.contract.context import Context
from fusion.routing.context import needed
from fusion.routing.contract import Router

TASK = "task"  # what the context tells, [batch, task_dim]


@dataclass(frozen=True)
class TaskQueryOptions:
    """Options of routers with a query.

    Attributes:
        key_dim: Width of a token's key and of the task's query.
        hidden: Width between, of each expert.
        task_dim: Width of the vector that tells the task; 0 for none.
    """

    key_dim: int = 64
    hidden: int = 64
    task_dim: int = 0


class TaskQueryRouter(Router):
    """Scores each expert by a small network of its own on [key of the token, query of the task].

    Attributes:
        inner: First layers, [experts, hidden, width].
        inner_bias: Their biases, [experts, hidden].
        outer: Second layers, [experts, hidden].
        bias: One number for each expert, [experts].

    Source:
        CARE-Edit, arXiv 2603.08589; its widths are not printed.
    """

    Options = TaskQueryOptions
    axes = {"inner": 0, "inner_bias": 0, "outer": 0, "bias": 0}
    title = "CARE-Edit (2026, arXiv 2603.08589)"
    formula = "MLP_e([W x, phi(task)]) + b_e"

    def __init__(self, dim: int, experts: int, heads: int, options: TaskQueryOptions) -> None:
        super().__init__(dim, experts, heads, options)
        width = options.key_dim * (2 if options.task_dim else 1)
        self.key = nn.Linear(dim, options.key_dim, bias=False)
        self.query = nn.Linear(options.task_dim, options.key_dim) if options.task_dim else None
        inner = torch.empty(experts, options.hidden, width).uniform_(-(width**-0.5), width**-0.5)
        self.inner = nn.Parameter(inner)
        self.inner_bias = nn.Parameter(torch.zeros(experts, options.hidden))
        limit = options.hidden**-0.5  # not 0: of equal scores the same experts would always be kept
        self.outer = nn.Parameter(torch.empty(experts, options.hidden).uniform_(-limit, limit))
        self.bias = nn.Parameter(torch.zeros(experts))

    @classmethod
    def count(cls, dim: int, experts: int, heads: int, options: TaskQueryOptions) -> int:
        """K d + E H (K' + 2) + E, and with a task T K + K, where K' is 2 K, else K."""
        key, hidden, task = options.key_dim, options.hidden, options.task_dim
        width = key * (2 if task else 1)
        query = (task + 1) * key if task else 0
        return key * dim + experts * (hidden * (width + 2) + 1) + query

    def logits(self, features: Tensor, context: Context | None) -> Tensor:
        """Score the experts for each token, [batch, tokens, experts]."""
        read = self.key(features)
        if self.query is not None:
            query = self.query(needed(context, TASK, "task_query").to(read))
            read = torch.cat([read, query[:, None].expand(-1, read.shape[1], -1)], -1)
        hidden = torch.einsum("btw,ehw->bteh", read, self.inner) + self.inner_bias
        scores = torch.einsum("bteh,eh->bte", torch.nn.functional.silu(hidden), self.outer)
        return scores + self.bias
