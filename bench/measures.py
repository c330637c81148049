"""A step of weighted flow matching: against minibatch optimal transport, and against plain."""

from argparse import Namespace
from collections.abc import Callable

import numpy as np
import torch

from bench.compare import Row, compare
from tools.flow_measures import (
    BATCH,
    IN_TURN,
    METHODS,
    PEERS,
    PLAIN,
    TRANSPORT,
    available,
    build_step,
    weighted,
)
from tools.flow_toys import TOYS

RUNS = 15
TARGETS = {PLAIN: "<= 1.2"}  # of the others it is 3 times as fast or more
OURS = weighted("squared", 10.0)


def rows(given: Namespace) -> list[Row]:
    """Time steps of the small network of docs/conditions.md in turn: loss, gradient, Adam."""
    peers = [name for name in available() if name in PEERS and name.startswith(TRANSPORT)]
    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # so small a network is slower on more, and all of them alike
    try:
        return [step_row(peer, RUNS, IN_TURN) for peer in (TRANSPORT, *peers, PLAIN)]
    finally:
        torch.set_num_threads(threads)


def step_row(peer: str, runs: int, each: int) -> Row:
    """Compare steps of weighted flow matching with those of another.

    Args:
        peer: A name of `METHODS`.
        runs: How often both take their turn.
        each: Steps of a turn.
    """
    ends = next(iter(TOYS.values())).draw(BATCH, np.random.default_rng(0))
    what = f"W-CFM, {each} steps of a network of 3 x 64 on {BATCH} pairs"
    ours, theirs = (_often(build_step(METHODS[name], ends), each) for name in (OURS, peer))
    return compare(what, peer, ours, theirs, TARGETS.get(peer, "<= 0.33"), runs=runs)


def _often(step: Callable[[], object], times: int) -> Callable[[], None]:
    def run() -> None:
        for _ in range(times):
            step()

    return run
