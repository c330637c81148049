"""Which sources belong together: one to one, or dealt out to groups."""

from collections.abc import Sequence
from functools import cache
from itertools import permutations, product

import torch
from torch import Tensor

MOST_DEALS = 2**16
MOST_ONE_EACH = 8  # 40,320 ways


def match_best(likeness: Sequence[Sequence[float]]) -> list[int]:
    """Give each row a column of its own, so that the likeness of all together is greatest.

    Args:
        likeness: [rows, columns] of finite numbers, columns at least as many as rows.

    Returns:
        The column of each row.

    Raises:
        ValueError: There are more rows than columns.
    """
    if likeness and len(likeness) > len(likeness[0]):
        raise ValueError(
            f"{len(likeness)} rows cannot have one of {len(likeness[0])} columns each; expected as "
            "many columns or more."
        )
    best: dict[int, tuple[float, list[int]]] = {0: (0.0, [])}  # by the set of columns in use
    for row in likeness:
        found: dict[int, tuple[float, list[int]]] = {}
        for used, (total, columns) in best.items():
            for column, value in enumerate(row):
                if used >> column & 1:
                    continue
                now = used | 1 << column
                if now not in found or total + value > found[now][0]:
                    found[now] = (total + value, [*columns, column])
        best = found
    return max(best.values(), key=lambda entry: entry[0])[1]


@cache
def deal_out(sources: int, groups: int) -> Tensor:
    """List all ways to deal sources out to groups, some of which may stay empty.

    Args:
        sources: How many there are to deal.
        groups: How many each can go to.

    Returns:
        [ways, groups, sources], 1 where a source is in a group and 0 elsewhere. It is kept: change
        a copy.

    Raises:
        ValueError: There are more than 65,536 ways.
    """
    if groups**sources > MOST_DEALS:
        raise ValueError(
            f"{sources} sources can be dealt out to {groups} groups in {groups**sources} ways; "
            f"expected up to {MOST_DEALS}. Take fewer sources or groups."
        )
    ways = torch.tensor(list(product(range(groups), repeat=sources)))  # [ways, sources]
    return torch.nn.functional.one_hot(ways, groups).transpose(1, 2).float()


@cache
def deal_one_each(count: int) -> Tensor:
    """List all ways to deal sources out to as many groups, one to each.

    Args:
        count: Sources, and groups.

    Returns:
        [ways, groups, sources], as `deal_out` has them. It is kept: change a copy.

    Raises:
        ValueError: There are more than 65,536 ways.
    """
    if count > MOST_ONE_EACH:
        raise ValueError(
            f"{count} sources can be dealt out one by one in more than {MOST_DEALS} ways; expected "
            f"up to {MOST_ONE_EACH} sources."
        )
    ways = torch.tensor(list(permutations(range(count))))  # [ways, groups]: the source of each
    return torch.nn.functional.one_hot(ways, count).float()
