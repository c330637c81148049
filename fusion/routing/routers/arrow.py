"""PEFT's Arrow: each expert is known by what it answers most; nothing is trained."""

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from fusion.contract.context import Context
from fusion.routing.contract import ExpertForm, Router
from fusion.routing.forms.lora import LoraExperts


@dataclass(frozen=True)
class ArrowOptions:
    """It has no options: how many experts and how sharply are the rule's."""


class ArrowRouter(Router):
    """Scores an expert by |x v|, v the first right singular vector of B A, by PEFT's own code.

    The vectors are found anew when the experts have changed.
    """

    Options = ArrowOptions
    title = "Arrow (2024, arXiv 2405.11157), by PEFT"
    formula = "|x v_e|, v_e the first right singular vector of B_e A_e"

    def __init__(self, dim: int, experts: int, heads: int, options: ArrowOptions) -> None:
        super().__init__(dim, experts, heads, options)
        self.seen: tuple[int, ...] = ()
        self.vectors = torch.empty(0)

    @classmethod
    def count(cls, dim: int, experts: int, heads: int, options: ArrowOptions) -> int:
        """Nothing."""
        return 0

    def look_at(self, form: ExpertForm) -> None:
        """Find the vectors of the experts, where these have changed."""
        if not isinstance(form, LoraExperts):
            raise ValueError(
                f"The router 'arrow' looks at matrices A and B, and the experts are "
                f"{type(form).__name__}; take the form 'lora'."
            )
        key = tuple(v for t in (form.down, form.up) for v in (id(t), t._version, t.data_ptr()))
        if key != self.seen:
            self.vectors = first_singular_vectors(form.down, form.up.mT)
            self.seen = key

    def logits(self, features: Tensor, context: Context | None) -> Tensor:
        """Score the experts by the length of what is read along their vectors."""
        return (features @ self.vectors.to(features).T).abs()


@torch.no_grad()
def first_singular_vectors(down: Tensor, up: Tensor) -> Tensor:
    """Return the first right singular vector of each B A.

    Args:
        down: A of each, [experts, rank, dim_in].
        up: B of each, [experts, dim_out, rank].

    Returns:
        Of unit length, and of either sign, [experts, dim_in].
    """
    from peft.tuners.lora.arrow import ArrowLoraLinearLayer
    from peft.tuners.lora.config import ArrowConfig

    config: Any = ArrowConfig(rng_seed=0)
    config.task_adapter_names, config.gks_adapter_names = [], []
    layer = ArrowLoraLinearLayer(down.shape[-1], config)
    found = [layer.top_right_singular_vec_from_BA(a, b) for a, b in zip(down, up, strict=True)]
    return torch.stack(found)
