"""Subsets of experts: the highest, or drawn without replacement with a known probability."""

import torch
from torch import Generator, Tensor

MOST_ORDERS = 12  # experts of a set whose orders are summed over: 2 ^ 12 sums, kept at once
SCANNED = 4  # experts up to which looking for each anew is quicker than to sort all


def check_count(count: int, experts: int) -> None:
    """Check how many experts are to be taken.

    Raises:
        ValueError: None at all, or more than there are.
    """
    if not 0 < count <= experts:
        raise ValueError(
            f"k is {count}, the router has {experts} experts; expected 1 to {experts}."
        )


def highest(logits: Tensor, count: int) -> Tensor:
    """Return the experts with the highest logits, best first; of equal ones the first.

    `torch.topk` leaves open which of equal ones it takes.

    Args:
        logits: [..., experts].
        count: How many to take, 1 to all.

    Returns:
        Their numbers, [..., count].

    Raises:
        ValueError: None at all, or more than there are.
    """
    check_count(count, logits.shape[-1])
    if count > SCANNED:
        return logits.sort(dim=-1, descending=True, stable=True).indices[..., :count]
    lowest = torch.finfo(logits.dtype).min  # above -inf, which marks what is taken already
    left = logits.detach().clamp_min(lowest)  # a copy
    found = [left.argmax(-1, keepdim=True)]
    while len(found) < count:
        left.scatter_(-1, found[-1], -torch.inf)
        found.append(left.argmax(-1, keepdim=True))
    return torch.cat(found, -1)


def draw_subset(logits: Tensor, count: int, generator: Generator | None = None) -> Tensor:
    """Draw experts one after the other from softmax(logits), none twice, by Gumbel's trick.

    Args:
        logits: [..., experts], of float32 or finer; -inf where an expert is never drawn.
        count: How many to draw, at most those that can be drawn.
        generator: Where chance comes from; None for torch's own.

    Returns:
        Their numbers in the order of drawing, [..., count].

    Raises:
        ValueError: None at all, or more than there are.
    """
    device = logits.device if generator is None else generator.device
    waits = torch.empty(logits.shape, dtype=logits.dtype, device=device)
    waits.exponential_(generator=generator)
    return highest(logits.detach() - waits.to(logits.device).log(), count)


def log_probability_of_order(logits: Tensor, ids: Tensor) -> Tensor:
    """Return the log-probability that experts are drawn in this order, see `draw_subset`.

    Args:
        logits: [..., experts].
        ids: Experts, each once, [..., k].

    Returns:
        sum_j log(q_j / (1 - q of those before)), q = softmax(logits), [...], float32 or finer.

    Source:
        ReMix, arXiv 2603.10160: Q of a selection.
    """
    logits = logits.to(torch.promote_types(logits.dtype, torch.float32))
    total = torch.zeros(logits.shape[:-1], dtype=logits.dtype, device=logits.device)
    left = logits
    for place in range(ids.shape[-1]):
        chosen = ids[..., place : place + 1]
        total = total + logits.gather(-1, chosen)[..., 0] - left.logsumexp(-1)
        left = left.scatter(-1, chosen, -torch.inf)
    return total


def log_probability_of_set(logits: Tensor, ids: Tensor) -> Tensor:
    """Return the log-probability that these experts are drawn, in whatever order.

    What is rewarded does not depend on the order; without its chance a policy gradient has the
    same mean and less variance than with `log_probability_of_order`.

    Args:
        logits: [..., experts].
        ids: Experts, each once, [..., k].

    Returns:
        The sum over all orders, by sums over the subsets of the set, [...], float32 or finer.

    Raises:
        ValueError: More than 12 experts, whose subsets are too many.
    """
    count = ids.shape[-1]
    if count > MOST_ORDERS:
        raise ValueError(
            f"A set of {count} experts has too many orders; expected {MOST_ORDERS} or fewer. Take "
            "log_probability_of_order."
        )
    logs = logits.to(torch.promote_types(logits.dtype, torch.float32)).log_softmax(-1)
    chosen = logs.gather(-1, ids)
    reached = [torch.zeros_like(chosen[..., 0])]  # log-probability to have drawn a subset so far
    for drawn in range(1, 2**count):
        before = {last: drawn & ~(1 << last) for last in range(count) if drawn >> last & 1}
        ways = [reached[b] + chosen[..., i] - _left(logs, ids, b) for i, b in before.items()]
        reached.append(torch.stack(ways).logsumexp(0))
    return reached[-1]


def _left(logs: Tensor, ids: Tensor, drawn: int) -> Tensor:
    """Return the log of what is left of all probability once some of `ids` are drawn, by bits."""
    gone = [place for place in range(ids.shape[-1]) if drawn >> place & 1]
    return logs.scatter(-1, ids[..., gone], -torch.inf).logsumexp(-1)
