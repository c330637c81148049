"""A router that reads features and knows the task by a trained embedding."""

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from fusion.contract.context import Context
from fusion.routing.context import TASKS, value_of
from fusion.routing.contract import Router


@dataclass(frozen=True)
class TaskEmbeddingOptions:
    """Options of routers with embeddings of tasks.

    Attributes:
        embedded_tasks: How many there are; 1 or more.
    """

    embedded_tasks: int = 1

    def __post_init__(self):
        if self.embedded_tasks < 1:
            raise ValueError(
                f"Option 'embedded_tasks' is {self.embedded_tasks}; expected 1 or more."
            )


class TaskEmbeddingRouter(Router):
    """A row of a matrix for each expert, of what is read plus the embedding of the task.

    The paper trains the embeddings by contrast, see `fusion.routing.losses`. How they enter the
    router is not public; the sum is ours, and so is that a row whose task is not known reads its
    features alone.

    Attributes:
        gate: [experts, dim].
        embeddings: One of each task, [tasks, dim].
    """

    Options = TaskEmbeddingOptions
    axes = {"gate": 0}
    title = "Expert Pyramid Tuning (2026, arXiv 2603.12577)"
    formula = "G (x + e_task)"

    def __init__(self, dim: int, experts: int, heads: int, options: TaskEmbeddingOptions) -> None:
        super().__init__(dim, experts, heads, options)
        self.gate = nn.Parameter(torch.empty(experts, dim).uniform_(-(dim**-0.5), dim**-0.5))
        self.embeddings = nn.Parameter(torch.randn(options.embedded_tasks, dim) * dim**-0.5)

    @classmethod
    def count(cls, dim: int, experts: int, heads: int, options: TaskEmbeddingOptions) -> int:
        """(E + T) d."""
        return (experts + options.embedded_tasks) * dim

    def hold(self, count: int) -> None:
        """Let the columns of the first experts, and the embeddings, stay as they are."""
        super().hold(count)
        if count:
            self.embeddings.requires_grad_(False)

    def logits(self, features: Tensor, context: Context | None) -> Tensor:
        """Score the experts by what is read and by the task."""
        tasks = value_of(context, TASKS)
        if tasks is not None:
            if tasks.min() < 0 or tasks.max() >= len(self.embeddings):
                wrong = int(tasks.min() if tasks.min() < 0 else tasks.max())
                raise ValueError(
                    f"No task {wrong}; the router has {len(self.embeddings)}, from 0 to "
                    f"{len(self.embeddings) - 1}. Give more in option 'embedded_tasks'."
                )
            known = self.embeddings[tasks.to(self.embeddings.device)]
            features = features + (known[:, None] if features.dim() == 3 else known)
        return functional.linear(features, self.gate)
