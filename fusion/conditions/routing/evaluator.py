"""A small network that tells how a cycle would score conditions, without painting anything."""

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from fusion.conditions.checks import check_counts

LOWEST, HIGHEST = -6.0, 2.0  # deviations beyond which scores are all the same to it


@dataclass(frozen=True)
class EvaluatorOptions:
    """How an evaluator is built.

    Attributes:
        types: Numbers that each type of condition has, by its name.
        prompt_dim: Numbers that tell the prompt; 0 for none.
        dim: Width of what is made of each of them.
        hidden: Width of the layers on all of them.
    """

    types: Mapping[str, int]
    prompt_dim: int = 0
    dim: int = 32
    hidden: int = 128

    def __post_init__(self):
        check_counts(self, "dim", "hidden")
        if not self.types or min(self.types.values()) < 1:
            raise ValueError(f"types are {dict(self.types)}; expected one or more, each 1 or more.")


class ConditionEvaluator(nn.Module):
    """Tells scores of all conditions of a row at once, from conditions and prompt alone.

    It learns the scores of a `CycleScorer`, whose pictures take a forward for each condition and,
    for "image", the real picture. DynamicControl has a multimodal language model in its place;
    this is a stand-in of two small layers.

    Args:
        options: Its sizes.

    Source:
        DynamicControl, arXiv 2412.03255, for what it is told and tells; its form is ours.
    """

    def __init__(self, options: EvaluatorOptions):
        super().__init__()
        self.options = options
        sizes = dict(options.types) | ({"": options.prompt_dim} if options.prompt_dim else {})
        self.readers = nn.ModuleDict(
            {f"of_{name}": nn.Sequential(nn.Linear(size, options.dim * 2), nn.SiLU(),
                                         nn.Linear(options.dim * 2, options.dim))
             for name, size in sizes.items()}
        )  # fmt: skip
        self.joint = nn.Sequential(
            nn.Linear(options.dim * len(sizes), options.hidden),
            nn.SiLU(),
            nn.Linear(options.hidden, options.hidden),
            nn.SiLU(),
            nn.Linear(options.hidden, len(options.types)),
        )

    def forward(self, told: Mapping[str, Tensor], prompt: Tensor | None = None) -> Tensor:
        """Return scores, [rows, types], in the order of its types.

        Args:
            told: Data of each type, [rows, ...].
            prompt: What else is told, [rows, prompt_dim]; None where it was built without.

        Raises:
            ValueError: A type is missing or of another size, or the prompt is.
        """
        given = {name: told.get(name) for name in self.options.types}
        sizes = dict(self.options.types)
        if self.options.prompt_dim:
            given[""], sizes[""] = prompt, self.options.prompt_dim
        read = []
        for name, data in given.items():
            size = 0 if data is None else data.flatten(1).shape[1]
            if data is None or size != sizes[name]:
                raise ValueError(
                    f"{name or 'the prompt'} has {size} numbers; expected {sizes[name]}. Known are "
                    f"{', '.join(self.options.types)}."
                )
            read.append(self.readers[f"of_{name}"](data.flatten(1)))
        return self.joint(torch.cat(read, 1))

    def loss(self, told: Mapping[str, Tensor], prompt: Tensor | None, scores: Tensor) -> Tensor:
        """Compare what it tells with scores of a `CycleScorer`, scalar.

        Args:
            told: Data of each type, [rows, ...].
            prompt: What else is told, [rows, prompt_dim], or None.
            scores: [rows, types].
        """
        return functional.smooth_l1_loss(self(told, prompt), scores.clamp(LOWEST, HIGHEST))
