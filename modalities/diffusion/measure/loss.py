"""One loss for flow matching and diffusion: draw, pair, place, weigh."""

from typing import Any

from torch import Generator, Tensor

from modalities.diffusion.measure.contract import (
    Coupling,
    Model,
    Pairs,
    PairWeight,
    Path,
    TimeSampler,
)
from modalities.diffusion.measure.couplings import Given
from modalities.diffusion.measure.paths import draw_like
from modalities.diffusion.measure.times import Uniform
from modalities.diffusion.measure.weights import Ones, weigh

UNIFORM, GIVEN, ONES = Uniform(), Given(), Ones()
Batch = Tensor | tuple[Tensor, Tensor]


def loss(
    model: Model,
    batch: Batch,
    path: Path,
    *,
    time: TimeSampler = UNIFORM,
    coupling: Coupling = GIVEN,
    weight: PairWeight = ONES,
    cond: Any = None,
    generator: Generator | None = None,
) -> dict[str, Tensor]:
    """Return the loss of a batch, and what tells how it was made, as the training loop logs it.

    Args:
        model: Tells velocities, or noise, as the path wants it.
        batch: Targets, [rows, ...], whose sources are drawn from N(0, 1); or sources and targets.
        path: `FlowPath` or `DiffusionPath`.
        time: Draws levels. With `IndependentPair`, all first halves of the pairs come before all
            second ones; with `QuantileMatched`, the model gets the other clock's levels as well.
        coupling: Chooses a source for each target.
        weight: How much a pair counts.
        cond: What targets are about; handed to the model as it is.
        generator: Where chance comes from; None for torch's own.

    Returns:
        Scalars: "loss"; "unweighted_loss"; "effective_share" of the weights, see `weigh`;
        "mean_level", of the levels of noise, 0 to 1; "mean_cost", the mean squared distance of
        source and target by numbers of a row.

    Raises:
        ValueError: Sources are not shaped as targets are.
    """
    source, target = _split(batch, generator)
    order = coupling.order(source, target, generator)
    if order is not None:
        source = source[order.to(source.device)]
    levels = time.draw(len(target), generator)
    own = levels.own.to(target.device)
    placed = path.place(source, target, own, generator)
    other = () if levels.other is None else (levels.other.to(target.device),)
    told = model(placed.noisy, placed.times, cond, *other)
    errors = (told.float() - placed.wanted.float()).flatten(1).square().mean(1)
    logs = weight.log_weights(Pairs(source, target, own, path))
    return {
        **weigh(errors, logs, weight.normalised),
        "mean_level": own.mean(),
        "mean_cost": (source - target).float().square().mean(),
    }


def _split(batch: Batch, generator: Generator | None) -> tuple[Tensor, Tensor]:
    if isinstance(batch, Tensor):
        return draw_like(batch, generator), batch
    source, target = batch
    if source.shape != target.shape:
        raise ValueError(
            f"Sources are shaped {list(source.shape)} and targets {list(target.shape)}; expected "
            "one shape."
        )
    return source, target
