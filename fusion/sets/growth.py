"""Sets that grow: how a new one begins, what holds it near the others, and how one is retrieved."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from fusion.contract.options import check_choice

Weights = Mapping[str, Tensor]
BEGINNINGS = ("mean", "zeros", "nearest")
MOST_PASSES = 4  # of a retrieval, as MOS has it


@dataclass(frozen=True)
class Retrieved:
    """The end of a retrieval.

    Attributes:
        name: The set it ended at.
        passes: The sets that the input was run with, in order; the first is the guess.
        settled: Whether the last set that was run named itself; else sets named each other in a
            circle, or the passes were used up.
    """

    name: str
    passes: tuple[str, ...]
    settled: bool


def begin(sets: Mapping[str, Weights], start: str, nearest: str = "") -> dict[str, Tensor]:
    """Make the weights that a new set begins with.

    Args:
        sets: Weights of the sets there are, by name; all have the same tensors.
        start: "mean" of them all, "zeros", or "nearest" for a copy of one. A LoRA of zeros alone
            learns nothing: begin that by its method's own start.
        nearest: The name of that one, as `fusion.sets.descriptors.judge` finds it.

    Returns:
        New tensors by name.

    Raises:
        ValueError: No set, sets that differ in their tensors, another start, or no such set.
    """
    check_choice("start", start, BEGINNINGS)
    _check_alike(sets)
    if start == "mean":
        return mean_of(list(sets.values()))
    if start == "nearest" and nearest not in sets:
        raise ValueError(f"No set {nearest!r} to begin with; known: {', '.join(sorted(sets))}.")
    first = sets[nearest] if start == "nearest" else next(iter(sets.values()))
    make = torch.clone if start == "nearest" else torch.zeros_like
    return {name: make(tensor.detach()) for name, tensor in first.items()}


def mean_of(sets: Sequence[Weights]) -> dict[str, Tensor]:
    """Return the mean of sets tensor by tensor, reckoned in float32 or finer.

    The mean of LoRAs' A and B is not the LoRA of their mean product.

    Raises:
        ValueError: No set, or sets that differ in their tensors.
    """
    _check_alike({str(number): weights for number, weights in enumerate(sets)})
    means = {}
    for name, first in sets[0].items():
        fine = torch.promote_types(first.dtype, torch.float32)
        stacked = torch.stack([weights[name].detach().to(fine) for weights in sets])
        means[name] = stacked.mean(0).to(first.dtype)
    return means


class MeanPull:
    """Draws a set that is trained towards the mean of the others, after every optimiser's step.

    The mean is reckoned once: what a step costs does not grow with the sets.

    Args:
        parameters: Those of the set that is trained, by name.
        others: Weights of the other sets, with the same tensors.
        share: How far each step goes to the mean, 0 to 1; MOS has 0.1.

    Raises:
        ValueError: A share that is none, no other set, or tensors that differ.

    Source:
        MOS, arXiv 2412.09441: adapter merging.
    """

    def __init__(self, parameters: Weights, others: Sequence[Weights], share: float = 0.1):
        if not 0 <= share <= 1:
            raise ValueError(f"The share is {share}; expected 0 to 1.")
        self.parameters, self.share = parameters, share
        means = mean_of(others)
        _check_alike({"the set": parameters, "the others": means})
        self.mean = {name: means[name].to(tensor) for name, tensor in parameters.items()}

    @torch.no_grad()
    def step(self) -> None:
        """Move each parameter to (1 - share) parameter + share mean."""
        for name, parameter in self.parameters.items():
            parameter.lerp_(self.mean[name], self.share)


def retrieve(first: str, refine: Callable[[str], str], most: int = MOST_PASSES) -> Retrieved:
    """Find a set for an input without training a router.

    A guess is run, what comes out names a set, that is run, until a set names itself or one that
    was run before. Only the sets that are named are run, each once.

    Args:
        first: The guess, as of the nearest prototype under the frozen model.
        refine: Runs the input with a set and returns the name of the set that the result speaks
            for.
        most: Passes at most, 1 or more.

    Returns:
        The set that the last pass named. Where sets name each other in a circle that is the first
        one named again.

    Raises:
        ValueError: No pass is allowed.

    Source:
        MOS, arXiv 2412.09441: self-refined retrieval, four passes at most.
    """
    if most < 1:
        raise ValueError(f"{most} passes are allowed; expected 1 or more.")
    passes: list[str] = []
    name = first
    while name not in passes and len(passes) < most:
        passes.append(name)
        name = refine(name)
    return Retrieved(name, tuple(passes), name == passes[-1])


def _check_alike(sets: Mapping[str, Weights]) -> None:
    """Check that sets have the same tensors, of the same shapes."""
    if not sets:
        raise ValueError("There is no set; expected one or more.")
    (first, expected), *others = sets.items()
    for name, weights in others:
        for tensor in sorted({*expected, *weights}):
            shapes = [list(w[tensor].shape) if tensor in w else None for w in (expected, weights)]
            if shapes[0] != shapes[1]:
                raise ValueError(
                    f"{tensor} is {shapes[0] or 'missing'} in {first} and "
                    f"{shapes[1] or 'missing'} in {name}; expected sets of one method, options and "
                    "places."
                )
