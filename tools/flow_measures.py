"""Weighted conditional flow matching beside plain and optimal-transport flow matching, on points.

`python -m tools.flow_measures [--seeds N]` trains what is not there yet under build/flow_measures,
and writes what was found into docs/conditions.md. With torchcfm, it is measured in the same run.
"""

import argparse
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property, partial
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from statistics import fmean, median
from time import process_time
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from modalities.diffusion.measure.contract import Coupling, PairWeight
from modalities.diffusion.measure.couplings import ExactTransport, Given
from modalities.diffusion.measure.loss import loss
from modalities.diffusion.measure.paths import FlowPath
from modalities.diffusion.measure.weights import Gibbs, Ones
from modalities.tensor_file import read_tensors, write_tensors
from tools.digit_lessons import MEASURED, measured_once, plain
from tools.flow_toys import (
    TEST,
    TOYS,
    VALIDATION,
    VelocityNetwork,
    measure_flow,
    measure_toy,
)

FOLDER = Path(__file__).resolve().parents[1] / "build/flow_measures"
SEEDS, STEPS, BATCH, RATE = 3, 4000, 256, 1e-3
EPSILONS = {"squared": (2.0, 5.0, 10.0, 20.0, 50.0), "norm": (0.5, 1.0, 2.0, 5.0, 10.0)}
PLAIN, TRANSPORT = "flow matching", "minibatch OT"
PEERS = {f"{PLAIN}, torchcfm": "ConditionalFlowMatcher",
         f"{TRANSPORT}, torchcfm": "ExactOptimalTransportConditionalFlowMatcher"}  # fmt: skip
WEIGHTS = "network.safetensors"
ROUNDS, IN_TURN = 25, 20  # of steps that are timed in turn
Ends = tuple[Tensor, Tensor]


@dataclass(frozen=True)
class Ours:
    """A training measure of ours.

    Attributes:
        coupling: Which source goes with which target.
        weight: How much a pair counts.
    """

    coupling: Coupling = Given()
    weight: PairWeight = Ones()

    def __call__(self, network: nn.Module, ends: Ends) -> dict[str, Tensor]:
        """Return the losses of a batch."""
        return loss(network, ends, FlowPath(), coupling=self.coupling, weight=self.weight)


@dataclass(frozen=True)
class Peer:
    """A training measure of torchcfm, with no noise on its line.

    Attributes:
        matcher: Name of its class.
    """

    matcher: str

    @cached_property
    def built(self) -> Any:
        """Its matcher."""
        library = import_module("torchcfm.conditional_flow_matching")
        return getattr(library, self.matcher)(sigma=0.0)

    def __call__(self, network: nn.Module, ends: Ends) -> dict[str, Tensor]:
        """Return the loss of a batch."""
        times, noisy, wanted = self.built.sample_location_and_conditional_flow(*ends)
        return {"loss": (network(noisy, times) - wanted).square().mean()}


Method = Callable[[nn.Module, Ends], Mapping[str, Tensor]]


def weighted(cost: str, epsilon: float) -> str:
    """Return the name of a weighted training."""
    return f"weighted, {cost} cost, epsilon {epsilon:g}"


METHODS: dict[str, Method] = {
    PLAIN: Ours(),
    TRANSPORT: Ours(coupling=ExactTransport()),
    **{
        weighted(cost, epsilon): Ours(weight=Gibbs(epsilon, cost))
        for cost, epsilons in EPSILONS.items()
        for epsilon in epsilons
    },
    **{name: Peer(matcher) for name, matcher in PEERS.items()},
}


def train_flow(task: str, method: str, seed: int, steps: int = STEPS) -> tuple[nn.Module, float]:
    """Train a flow by Adam.

    Args:
        task: A name of `TOYS`.
        method: A name of `METHODS`.
        seed: Fixes weights, points and times.
        steps: How many.

    Returns:
        The network, and the effective share of the weights, the mean over steps; NaN of a peer.
    """
    torch.manual_seed(seed)
    np.random.seed(seed)  # torchcfm draws pairs by numpy's own generator
    random = np.random.default_rng([0, seed])
    network = VelocityNetwork()
    adam = torch.optim.Adam(network.parameters(), RATE)
    shares = []
    for _ in range(steps):
        found = take_step(network, adam, METHODS[method], TOYS[task].draw(BATCH, random))
        shares.append(float(found.get("effective_share", float("nan"))))
    return network.eval(), fmean(shares)


def take_step(
    network: nn.Module, adam: torch.optim.Adam, method: Method, ends: Ends
) -> Mapping[str, Tensor]:
    """Learn from a batch; return its losses."""
    adam.zero_grad()
    found = method(network, ends)
    found["loss"].backward()
    adam.step()
    return found


def place_of(folder: Path, task: str, method: str, seed: int) -> Path:
    """Return the folder of a training."""
    return folder / plain(task) / f"{plain(method)}_{seed}"


def run_flow(
    task: str, method: str, seed: int, folder: Path = FOLDER, steps: int = STEPS
) -> Mapping[str, Any]:
    """Train a flow and measure it, or return what was measured before.

    Returns:
        "validation" and "test", see `measure_flow`; "effective_share" of the weights, the mean over
        the training, NaN of a peer.
    """
    place = place_of(folder, task, method, seed)

    def measure() -> dict[str, Any]:
        network, share = train_flow(task, method, seed, steps)
        place.mkdir(parents=True, exist_ok=True)
        write_tensors(place / WEIGHTS, network.state_dict())
        seeds = {"validation": VALIDATION, "test": TEST}
        found = {name: measure_flow(network, TOYS[task], of) for name, of in seeds.items()}
        return {**found, "effective_share": share}

    return measured_once(place / MEASURED, measure)


def load_flow(task: str, method: str, seed: int, folder: Path = FOLDER) -> nn.Module:
    """Return a flow that was trained."""
    network = VelocityNetwork()
    path = place_of(folder, task, method, seed) / WEIGHTS
    redo = "train it anew: python -m tools.flow_measures"
    network.load_state_dict(read_tensors(path, redo, redo))
    return network.eval()


def time_steps(names: list[str], rounds: int = ROUNDS, each: int = IN_TURN) -> dict[str, Any]:
    """Take the processor's time for steps of trainings in turn, as the machine may be busy.

    Args:
        names: Of `METHODS`; the first is what the others are compared with.
        rounds: How often all take their turn.
        each: Steps of a turn.

    Returns:
        "seconds" of a step, medians by name; "ratios" to the first, medians over rounds.
    """
    ends = next(iter(TOYS.values())).draw(BATCH, np.random.default_rng(0))
    steps = {name: build_step(METHODS[name], ends) for name in names}
    taken: dict[str, list[float]] = {name: [] for name in names}
    for _ in range(rounds + 1):
        for name, step in steps.items():
            start = process_time()
            for _ in range(each):
                step()
            taken[name].append((process_time() - start) / each)
    taken = {name: seconds[1:] for name, seconds in taken.items()}  # the first warms up
    first = taken[names[0]]
    return {
        "seconds": {name: median(seconds) for name, seconds in taken.items()},
        "ratios": {
            name: median(a / b for a, b in zip(seconds, first, strict=True))
            for name, seconds in taken.items()
        },
    }


def build_step(method: Method, ends: Ends) -> Callable[[], object]:
    """Return a step of a training of its own: loss, gradient, Adam.

    Args:
        method: What is learnt.
        ends: Sources and targets, the same in each step.
    """
    network = VelocityNetwork()
    adam = torch.optim.Adam(network.parameters(), RATE)
    return lambda: take_step(network, adam, method, ends)


def run(seeds: int, folder: Path = FOLDER, steps: int = STEPS) -> None:
    """Run what is not there yet, a seed of all before the next."""
    for task, toy in TOYS.items():
        measured_once(folder / plain(task) / "toy.json", partial(measure_toy, toy))
    for seed in range(seeds):
        for task in TOYS:
            for method in available():
                run_flow(task, method, seed, folder, steps)
    chosen = [weighted(cost, epsilons[0]) for cost, epsilons in EPSILONS.items()]
    timed = [name for name in available() if not name.startswith("weighted") or name in chosen]
    measured_once(folder / "seconds.json", partial(time_steps, timed))


def available() -> list[str]:
    """Return the names of the trainings that can run here."""
    there = find_spec("torchcfm") is not None
    return [name for name in METHODS if there or name not in PEERS]


def main() -> None:
    """Run the study, and write the page."""
    from tools.flow_measures_page import publish

    parser = argparse.ArgumentParser(prog="python -m tools.flow_measures", description=__doc__)
    parser.add_argument("--seeds", type=int, default=SEEDS, metavar="N")
    torch.set_num_threads(1)  # so small a network is slower on more
    run(parser.parse_args().seeds)
    publish(FOLDER)


if __name__ == "__main__":
    main()
