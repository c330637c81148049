"""Routed LoRA experts: against one LoRA, against a loop over experts, and many against few."""

from argparse import Namespace
from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional

from bench.compare import Row, compare
from fusion.routing.kernels import lora_of_rows, lora_of_tokens
from fusion.routing.weight_rules import TopKSoftmax

DIM, RANK, K, TOKENS, ROWS = 384, 8, 2, 1500, 8
FEW, MANY, REPEATS, RUNS = 8, 40, 100, 31
Layer = Callable[[Tensor], Tensor]


def rows(given: Namespace) -> list[Row]:
    """Time layers of random weights in turn, as the machine may be busy: the ratios are the result.

    Every layer is one frozen linear layer and what is added to it; the routed ones reckon gates and
    weights each time.
    """
    torch.manual_seed(0)
    frozen = nn.Linear(DIM, DIM)
    with torch.inference_mode():
        return [*_tokens(frozen), _decoding(frozen)]


def _tokens(frozen: nn.Linear) -> list[Row]:
    hidden = torch.randn(1, TOKENS, DIM)
    one, few, many = _one_lora(frozen), _routed(frozen, FEW), _routed(frozen, MANY)
    what = f"LoRA experts, k {K}, rank {RANK}, d {DIM}, {TOKENS} tokens"
    down, up, weights = _experts(FEW, hidden)

    def looped() -> Tensor:
        total = torch.zeros_like(hidden)
        for number in range(FEW):
            own = weights[..., number : number + 1]
            total = total + own * (hidden @ down[number].T @ up[number].T)
        return total

    return [
        _in_turn(f"{FEW} {what}, layer", "one LoRA", few, one, hidden, "<= 1.6"),
        compare(
            f"{FEW} {what}, experts alone",
            "a loop of all experts over all tokens",
            lambda: lora_of_tokens(hidden, down, up, weights),
            looped,
            "<= 0.33",
            runs=RUNS,
        ),
        _in_turn(f"{MANY} {what}, layer", f"{FEW} of them", many, few, hidden, "<= 1.1"),
    ]


def _decoding(frozen: nn.Linear) -> Row:
    hidden = torch.randn(ROWS, 1, DIM)
    down, up, _ = _experts(FEW, hidden)
    up = up.mT.contiguous().mT
    weights = torch.eye(FEW)[torch.randperm(FEW)[:ROWS]]

    def routed(hidden: Tensor) -> Tensor:
        return frozen(hidden) + lora_of_rows(hidden, down, up, weights)

    what = f"LoRA, rank {RANK}, d {DIM}, {ROWS} rows of one token, each its own of {FEW} experts"
    return _in_turn(what, "one LoRA", routed, _one_lora(frozen), hidden, "<= 1.3", REPEATS)


def _one_lora(frozen: nn.Linear) -> Layer:
    (down,), (up,), _ = _experts(1, torch.randn(1, 1, DIM))

    def run(hidden: Tensor) -> Tensor:
        return frozen(hidden) + 2.0 * functional.linear(functional.linear(hidden, down), up)

    return run


def _routed(frozen: nn.Linear, experts: int) -> Layer:
    down, up = torch.randn(experts, RANK, DIM), torch.randn(experts, DIM, RANK)
    gate, rule = torch.randn(experts, DIM), TopKSoftmax(K)

    def run(hidden: Tensor) -> Tensor:
        weights = rule(functional.linear(hidden, gate), False)
        return lora_of_tokens(hidden, down, up, weights, frozen(hidden))

    return run


def _experts(experts: int, hidden: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Draw A and B, and weights of K experts for each token."""
    down, up = torch.randn(experts, RANK, DIM), torch.randn(experts, DIM, RANK)
    logits = torch.randn(*hidden.shape[:-1], experts)
    return down, up, TopKSoftmax(min(K, experts))(logits, False)


def _in_turn(
    what: str, peer: str, ours: Layer, theirs: Layer, hidden: Tensor, target: str, times: int = 1
) -> Row:
    def often(layer: Layer) -> Callable[[], None]:
        def run() -> None:
            for _ in range(times):
                layer(hidden)

        return run

    return compare(what, peer, often(ours), often(theirs), target, runs=RUNS)
