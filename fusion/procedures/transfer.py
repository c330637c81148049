"""Trans-LoRA: carry an adapter over to another model, without its training data."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from fusion.adapters.interface import Adapters

Batch = Mapping[str, Tensor]


@dataclass(frozen=True)
class TransferOptions:
    """How an adapter is transferred; the defaults are the paper's for MMLU.

    Attributes:
        samples: How many inputs are kept at most; the paper takes as many as the adapter was
            trained on.
        epochs: How often all kept inputs are gone through.
        learning_rate: At first, of AdamW without decay; it falls to 0 linearly.
    """

    samples: int = 250
    epochs: int = 10
    learning_rate: float = 2e-4


def train_discriminator(
    real: Tensor, synthetic: Tensor, steps: int = 200, learning_rate: float = 0.05
) -> nn.Linear:
    """Train a linear probe that tells real inputs from synthetic ones.

    This is done where the source adapter is trained, as real inputs are seen only there. The paper
    trains a LoRA adapter for it; on encoders a probe of frozen features does.

    Args:
        real: Features of real inputs, [samples, dim].
        synthetic: Features of inputs that were generated, [samples, dim]; as many or others.
        steps: How many steps Adam makes, each on all samples.
        learning_rate: Step size of Adam, from the first step to the last.

    Returns:
        The probe; its output is above 0 where an input looks real.
    """
    features = torch.cat([real, synthetic]).detach()
    labels = torch.cat([real.new_ones(len(real), 1), real.new_zeros(len(synthetic), 1)])
    probe = nn.Linear(features.shape[1], 1, device=features.device, dtype=features.dtype)
    optimiser = torch.optim.Adam(probe.parameters(), learning_rate)
    for _ in range(steps):
        optimiser.zero_grad()
        functional.binary_cross_entropy_with_logits(probe(features), labels).backward()
        optimiser.step()
    return probe.requires_grad_(False)


def transfer(
    source: nn.Module,
    source_name: str,
    target: nn.Module,
    target_name: str,
    inputs: Iterable[Batch],
    read: Callable[[nn.Module, Batch], Tensor],
    keep: Callable[[Batch], Tensor] | None = None,
    loss: Callable[[Tensor, Tensor], Tensor] = functional.mse_loss,
    options: TransferOptions | None = None,
) -> list[float]:
    """Train an adapter of one model to do what an adapter of another one does.

    Args:
        source: The model whose adapter is known.
        source_name: What the known adapter is called in the source.
        target: The model whose adapter is trained; it is switched on and left on.
        target_name: What the trained adapter is called in the target, where it is attached.
        inputs: Batches of generated or any unlabelled inputs.
        read: Runs a model on a batch and returns what is to be alike, features or logits,
            [batch, ...] of one shape in both models.
        keep: Returns which rows of a batch look real, [batch] or [batch, 1], bool; None keeps all.
        loss: Takes what `read` gives of the target and of the source, in this order; returns a
            scalar.
        options: How long and how fast.

    Returns:
        The mean loss of each epoch.

    Raises:
        ValueError: No such adapter, or no row was kept.

    Source:
        Trans-LoRA (2024, arXiv 2405.17258).
    """
    options = options or TransferOptions()
    batches = filter_batches(inputs, keep, options.samples)
    taught = [(batch, _teach(source, source_name, batch, read)) for batch in batches]
    adapters = Adapters(target)
    adapters.use(target_name)
    optimiser = torch.optim.AdamW(
        adapters.parameters(target_name), options.learning_rate, weight_decay=0.0
    )
    steps = options.epochs * len(taught)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimiser, lambda step: 1 - step / steps)
    losses = []
    for _ in range(options.epochs):
        total = 0.0
        for batch, expected in taught:
            optimiser.zero_grad()
            value = loss(read(target, batch), expected)
            value.backward()
            optimiser.step()
            schedule.step()
            total += float(value.detach())
        losses.append(total / len(taught))
    return losses


def filter_batches(
    inputs: Iterable[Batch], keep: Callable[[Batch], Tensor] | None, samples: int
) -> list[Batch]:
    """Return the rows that look real, until there are enough.

    Raises:
        ValueError: There is no such row.
    """
    kept: list[Batch] = []
    seen = found = 0
    for batch in inputs:
        if found >= samples:
            break
        rows = len(next(iter(batch.values())))
        wanted = torch.ones(rows, dtype=torch.bool) if keep is None else keep(batch)
        chosen = wanted.reshape(rows).nonzero().flatten()[: samples - found]
        seen, found = seen + rows, found + len(chosen)
        if len(chosen):
            kept.append({name: values[chosen.to(values.device)] for name, values in batch.items()})
    if not kept:
        raise ValueError(
            f"None of {seen} inputs was kept for the transfer. Generate more, or loosen `keep`."
        )
    return kept


@torch.no_grad()
def _teach(
    source: nn.Module, name: str, batch: Batch, read: Callable[[nn.Module, Batch], Tensor]
) -> Tensor:
    """Return what the source gives with its adapter on, and leave the source as it was."""
    adapters, training = Adapters(source), source.training
    active = adapters.active
    adapters.use(name)
    source.eval()
    try:
        return read(source, batch)
    finally:
        adapters.use(active)
        source.train(training)
