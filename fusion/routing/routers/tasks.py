"""A router that knows the task: a table of logits, which may be mixed by how probable tasks are."""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from fusion.contract.context import Context
from fusion.routing.context import SCENARIO, TASKS, needed, value_of
from fusion.routing.contract import Router, Routing, Weigh


@dataclass(frozen=True)
class TaskRouterOptions:
    """Options of routers by task.

    Attributes:
        tasks: How many there are; 1 or more.
    """

    tasks: int = 1

    def __post_init__(self):
        if self.tasks < 1:
            raise ValueError(f"Option 'tasks' is {self.tasks}; expected 1 or more.")


class TaskRouter(Router):
    """Logits of each expert, and each head, for each task.

    Where the context gives how probable the tasks are, as a classifier of noise does, a row's
    weights are the mean of the tasks' weights.

    Attributes:
        table: [tasks, heads * experts].
    """

    Options = TaskRouterOptions
    reads_features = False
    per_token = False
    fixed = "has a logit of every skill for each task, and their number is fixed"
    title = "Polytropon (2022, arXiv 2202.13914); multi-head routing (2022, arXiv 2211.03831)"
    formula = "Z[task]"

    def __init__(self, dim: int, experts: int, heads: int, options: TaskRouterOptions) -> None:
        super().__init__(dim, experts, heads, options)
        self.table = nn.Parameter(torch.empty(options.tasks, heads * experts))
        nn.init.uniform_(self.table, -1e-3, 1e-3)

    @classmethod
    def count(cls, dim: int, experts: int, heads: int, options: TaskRouterOptions) -> int:
        """T H E."""
        return options.tasks * heads * experts

    def decide(self, features: Tensor, context: Context | None, weigh: Weigh) -> Routing:
        """Weigh by the task of each row, or by how probable each task is."""
        probable = value_of(context, SCENARIO)
        if probable is None:
            return super().decide(features, context, weigh)
        tasks = len(self.table)
        if probable.shape[-1] != tasks:
            raise ValueError(
                f"The scenario's probabilities are of {probable.shape[-1]} tasks, and the router "
                f"has {tasks}; give one for each."
            )
        weights, _ = weigh(self._split(self.table))
        mixed = torch.einsum("bt,t...->b...", probable.to(weights), weights)
        return Routing(mixed)

    def logits(self, features: Tensor, context: Context | None) -> Tensor:
        """Look the tasks of the rows up."""
        chosen = needed(context, TASKS, "tasks")
        tasks = len(self.table)
        if chosen.min() < 0 or chosen.max() >= tasks:
            wrong = int(chosen.min() if chosen.min() < 0 else chosen.max())
            raise ValueError(
                f"No task {wrong}; the router has {tasks}, from 0 to {tasks - 1}. Give more in "
                "option 'tasks'."
            )
        return self._split(self.table[chosen.to(self.table.device)])

    def _split(self, rows: Tensor) -> Tensor:
        """Part heads from experts, [rows, heads, experts]; one head has no axis."""
        split = rows.unflatten(-1, (self.heads, self.experts))
        return split if self.heads > 1 else split[:, 0]
