"""LoRA experts on many tokens, each expert run only where it has weight.

An expert whose weight is 0 is not run, so that nothing it computes, and no gradient of that weight,
exists there. Scales of the experts belong into the weights.
"""

import torch
from torch import Tensor
from torch.nn.functional import pad

# Products of fewer rows take other kernels, which round in another way: a token's result would then
# hang on how many others have its expert.
LEAST_ROWS = 16
RUN_TOGETHER = 64  # ranks of all experts up to which it costs less to run all than to look some up


def lora_of_tokens(
    inputs: Tensor, down: Tensor, up: Tensor, weights: Tensor, onto: Tensor | None = None
) -> Tensor:
    """Add up what each token's experts make of it, one product per expert over its tokens.

    What it costs grows with the weights that are not 0, and hardly with the experts. On a CPU a
    token gets the same to the bit whatever other tokens there are, and however many experts.

    Args:
        inputs: [..., dim_in].
        down: A of each expert, [experts, rank, dim_in].
        up: B of each expert, [experts, dim_out, rank].
        weights: [..., experts].
        onto: What is added to, [..., dim_out], and left as it is; None for zeros.

    Returns:
        onto + sum_e weights_e B_e A_e inputs, [..., dim_out].

    Raises:
        ValueError: Weights for other tokens, or for another number of experts.
    """
    _check(inputs.shape[:-1], down, up, weights)
    flat = inputs.reshape(-1, inputs.shape[-1])
    experts, tokens = weights.reshape(-1, len(down)).T.nonzero(as_tuple=True)  # sorted by expert
    counts = torch.bincount(experts, minlength=len(down)).tolist()
    chosen = weights.reshape(-1, len(down))[tokens, experts].to(inputs.dtype)[:, None]
    shape = (*inputs.shape[:-1], up.shape[1])
    sums = inputs.new_zeros(shape) if onto is None else onto.clone()
    sums = sums.view(-1, shape[-1])
    parts = zip(tokens.split(counts), chosen.split(counts), down, up, strict=True)
    for own, weight, first, second in parts:
        if len(own):
            own, weight = _fill_up(own, weight)
            narrow = flat.index_select(0, own).mm(first.T).mul(weight)  # [tokens of it, rank]
            sums.index_add_(0, own, narrow.mm(second.T))
    return sums.view(shape)


def _fill_up(tokens: Tensor, weights: Tensor) -> tuple[Tensor, Tensor]:
    """Have few tokens be enough for the usual kernel: the first one again, without weight."""
    missing = LEAST_ROWS - len(tokens)
    if missing <= 0:
        return tokens, weights
    return pad(tokens, (0, missing), value=int(tokens[0])), pad(weights, (0, 0, 0, missing))


def lora_of_rows(inputs: Tensor, down: Tensor, up: Tensor, weights: Tensor) -> Tensor:
    """Add up what each row's experts make of all its tokens, as when several users decode.

    Few experts are run on all rows, in two products, and weighed in between; of many, those with
    weight are looked up for each row and run by batched products.

    Args:
        inputs: [batch, tokens, dim_in].
        down: A of each expert, [experts, rank, dim_in].
        up: B of each expert, [experts, dim_out, rank]; a view of [experts, rank, dim_out] saves a
            copy.
        weights: [batch, experts].

    Returns:
        sum_e weights_e B_e A_e inputs, [batch, tokens, dim_out].

    Raises:
        ValueError: Weights for other rows, or for another number of experts.
    """
    _check(inputs.shape[:1], down, up, weights)
    weights = weights.to(inputs.dtype)
    if down.shape[0] * down.shape[1] <= RUN_TOGETHER:
        return _all_experts(inputs, down, up, weights)
    rows, experts = weights.nonzero(as_tuple=True)
    first, second = down.index_select(0, experts), up.mT.index_select(0, experts)
    narrow = torch.bmm(inputs.index_select(0, rows), first.mT)  # [pairs, tokens, rank]
    wide = torch.bmm(narrow * weights[rows, experts][:, None, None], second)
    return inputs.new_zeros(*inputs.shape[:2], up.shape[1]).index_add_(0, rows, wide)


def _all_experts(inputs: Tensor, down: Tensor, up: Tensor, weights: Tensor) -> Tensor:
    """Run all experts, by views and plain products: at one token a row, calls are what costs."""
    (batch, tokens, dim), (experts, rank, _) = inputs.shape, down.shape
    narrow = inputs.reshape(-1, dim).mm(down.reshape(-1, dim).T)  # [.., experts * rank]
    weighed = narrow.view(batch, tokens, experts, rank) * weights.reshape(batch, 1, experts, 1)
    wide = weighed.view(-1, experts * rank).mm(up.mT.reshape(experts * rank, -1))
    return wide.view(batch, tokens, -1)


def _check(rows: torch.Size, down: Tensor, up: Tensor, weights: Tensor) -> None:
    if weights.shape != (*rows, down.shape[0]) or up.shape[0] != down.shape[0]:
        raise ValueError(
            f"Weights are {list(weights.shape)} for {list(rows)} rows or tokens and {len(down)} "
            f"experts (B: {len(up)}); expected {[*rows, len(down)]}."
        )
