"""What routers look at besides features: tasks, scenarios, lengths, weights that are given."""

from dataclasses import dataclass

import torch
from torch import Tensor

from fusion.contract.context import Context

TASKS, SCENARIO, WEIGHTS, DECODER = "tasks", "scenario", "weights", "decoder_lengths"


@dataclass(frozen=True, eq=False)
class RouteContext:
    """What is known of a batch; what is not is None.

    Attributes:
        tasks: Number of the task of each row, [batch].
        scenario: How probable each task is for a row, [batch, tasks], for a router of tasks.
        lengths: How many tokens are real of those that an encoder's sites read, [batch]; an average
            over a padded recording would be one over silence.
        decoder_lengths: How many of a decoder's own tokens are real, [batch].
        weights: Weights of the experts, in place of the router's, [batch, experts].

    Raises:
        ValueError: Nothing is given, or for batches of different sizes.
    """

    tasks: Tensor | None = None
    scenario: Tensor | None = None
    lengths: Tensor | None = None
    decoder_lengths: Tensor | None = None
    weights: Tensor | None = None

    def as_context(self) -> Context | None:
        """Return it as adapters see it; None where nothing is given."""
        values = {
            TASKS: self.tasks,
            SCENARIO: self.scenario,
            DECODER: self.decoder_lengths,
            WEIGHTS: self.weights,
        }
        given = {name: tensor for name, tensor in values.items() if tensor is not None}
        if not given and self.lengths is None:
            return None
        return Context(lengths=self.lengths, values=given)


def value_of(context: Context | None, name: str) -> Tensor | None:
    """Return what a context holds by a name of `RouteContext`, or None."""
    if context is None:
        return None
    return context.lengths if name == "lengths" else context.values.get(name)


def needed(context: Context | None, name: str, router: str) -> Tensor:
    """Return what a context holds by a name of `RouteContext`.

    Raises:
        ValueError: It does not hold it.
    """
    found = value_of(context, name)
    if found is None:
        held = ", ".join(context.values) if context is not None else ""
        raise ValueError(
            f"Router {router!r} needs {name}, and the context has {held or 'none'}; give it as "
            f"bank.route({name}=...)."
        )
    return found


def real_tokens(
    context: Context | None, tokens: int, decodes: bool, site: str, device: torch.device
) -> Tensor | None:
    """Say which tokens of a site are real.

    Args:
        context: What is known of the rows that are run; None where nothing is.
        tokens: How many the site reads.
        decodes: Whether they are a decoder's own, of which a later call may bring some only.
        site: Its name, for messages.
        device: Where the answer is to lie.

    Returns:
        Bool, [batch, tokens]; None where no lengths are given.

    Raises:
        ValueError: A length is 0, or above what an encoder's site reads.
    """
    lengths = value_of(context, DECODER if decodes else "lengths")
    if lengths is None:
        return None
    most = int(lengths.max())
    if int(lengths.min()) < 1 or (most > tokens and not decodes):
        raise ValueError(
            f"Lengths go from {int(lengths.min())} to {most}, and {site} reads {tokens} tokens; "
            "expected 1 to as many. Give lengths in the tokens that the bank's sites read."
        )
    return torch.arange(tokens, device=device) < lengths.to(device)[:, None]


def mean_over_real(features: Tensor, mask: Tensor | None) -> Tensor:
    """Average over tokens.

    Args:
        features: [batch, tokens, dim].
        mask: Which tokens are real, [batch, tokens]; None for all.

    Returns:
        [batch, dim].
    """
    if mask is None:
        return features.mean(1)
    real = mask[..., None].to(features.dtype)
    return (features * real).sum(1) / real.sum(1)
