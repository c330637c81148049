"""What trains a router besides the task's own loss."""

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional

IGNORED = -100  # label of what has none


def label_cross_entropy(logits: Tensor, labels: Tensor) -> Tensor:
    """Teach a router whose experts stand for labels, as MeteoRA with the task of each text.

    Args:
        logits: [..., experts].
        labels: Number of the right expert, int64, in the axes of the logits without the last, or
            fewer from the front: one for a sample holds for all its tokens. -100 where there is
            none, as at padding.

    Returns:
        Mean over what has a label, scalar.

    Raises:
        ValueError: The labels' axes do not fit, none of them says anything, or one names an expert
            that there is not.

    Source:
        MeteoRA, arXiv 2405.13053; its code weighs this loss with 50.
    """
    experts = logits.shape[-1]
    labels = _spread(labels, logits.shape[:-1], "Labels")
    real = labels != IGNORED
    if not real.any():
        raise ValueError("No label is given, all are -100; expected one or more.")
    low, high = int(labels[real].min()), int(labels[real].max())
    if low < 0 or high >= experts:
        raise ValueError(
            f"Labels go from {low} to {high}, the router has {experts} experts; expected 0 to "
            f"{experts - 1}, or -100 for none."
        )
    return functional.cross_entropy(logits[real].float(), labels[real])


def load_balance(probabilities: Tensor, weights: Tensor, mask: Tensor | None = None) -> Tensor:
    """Push a router to use its experts alike.

    Args:
        probabilities: softmax of the logits, [..., experts].
        weights: What the rule made of them, 0 for experts that are not used, [..., experts].
        mask: Which rows are real, bool, the axes without the last; None for all.

    Returns:
        sum_e mean probability of e * share of the rows that use e, scalar: k / experts where all is
        even, up to k. Only the probabilities have a gradient. Switch multiplies by the experts.

    Raises:
        ValueError: No row is real.

    Source:
        LoRA-Mixer, arXiv 2507.00029, first term of its loss; Switch transformer, arXiv 2101.03961.
    """
    chances, used = _rows(probabilities, mask), _rows(weights, mask) > 0
    return (chances.mean(0) * used.float().mean(0)).sum()


def entropy(probabilities: Tensor, mask: Tensor | None = None) -> Tensor:
    """Return how undecided a router is, the mean of -sum p log p over rows, in nats.

    Args:
        probabilities: softmax of the logits, [..., experts].
        mask: Which rows are real, bool, the axes without the last; None for all.

    Returns:
        Scalar, 0 to log(experts).

    Raises:
        ValueError: No row is real.
    """
    return torch.special.entr(_rows(probabilities, mask)).sum(-1).mean()


def specialisation(
    probabilities: Tensor,
    weights: Tensor,
    sign: int,
    balance: float = 1.0,
    spread: float = 1.0,
    mask: Tensor | None = None,
) -> Tensor:
    """Balance a router and move its entropy, LoRA-Mixer's loss with either sign.

    The paper subtracts the entropy, so that descent makes rows flatter, and says that they become
    more decided. It gives no weights; those by default are ours.

    Args:
        probabilities: softmax of the logits, [..., experts].
        weights: What the rule made of them, [..., experts].
        sign: -1 as the paper writes it, for flatter rows; +1 for what its text says, more decided
            ones.
        balance: Factor of `load_balance`.
        spread: Factor of `entropy`, 0 or more.
        mask: Which rows are real, bool, the axes without the last; None for all.

    Returns:
        balance * load_balance + sign * spread * entropy, scalar.

    Raises:
        ValueError: Another sign, or no row is real.

    Source:
        LoRA-Mixer, arXiv 2507.00029, the routing-specialisation loss.
    """
    if sign not in (-1, 1):
        raise ValueError(f"The sign of the entropy is {sign}; expected -1 or 1.")
    even = load_balance(probabilities, weights, mask)
    return balance * even + sign * spread * entropy(probabilities, mask)


def contrastive_tasks(features: Tensor, tasks: Tensor, embeddings: Tensor) -> Tensor:
    """Pull samples to their own task's embedding and away from the others'.

    Args:
        features: What a sample is known by, in the embeddings' space, [batch, dim].
        tasks: Number of each sample's task, int64, [batch].
        embeddings: [tasks, dim].

    Returns:
        -mean log softmax(features . embeddings)[task], scalar. The pyramid of experts weighs it
        with 0.1.

    Raises:
        ValueError: A task without an embedding, or another number of features.

    Source:
        Expert Pyramid Tuning, arXiv 2603.12577. That the similarity is a plain product is ours.
    """
    if features.shape[-1] != embeddings.shape[-1]:
        raise ValueError(
            f"Samples have {features.shape[-1]} features, embeddings of tasks "
            f"{embeddings.shape[-1]}; expected the same."
        )
    return label_cross_entropy(features.float() @ embeddings.float().T, tasks)


def leave_one_out(log_probabilities: Tensor, costs: Tensor) -> Tensor:
    """Return what has the gradient of the mean cost by chance, from several draws for each sample.

    REINFORCE with the mean of the other draws as baseline: unbiased, and nothing is learnt beside.
    Its value means nothing; its gradient is that of log_probabilities by
    (cost - mean cost) / (draws - 1).

    Args:
        log_probabilities: How probable each draw was, the sum over all that was drawn for a
            sample, at all sites and tokens, [draws, batch].
        costs: What each draw led to, such as a loss or a word error rate, which need not be
            differentiable, [draws, batch].

    Returns:
        Scalar, to be added to the loss; mean over the batch.

    Raises:
        ValueError: Fewer than two draws, or different shapes.

    Source:
        RLOO as ReMix has it, arXiv 2603.10160. That the mean is taken for each sample is ours: a
        batch's mean would mix the samples' difficulty into it.
    """
    if log_probabilities.shape != costs.shape:
        raise ValueError(
            f"Log-probabilities are {tuple(log_probabilities.shape)} and costs "
            f"{tuple(costs.shape)}; expected [draws, batch] of both."
        )
    draws = len(costs)
    if draws < 2:
        raise ValueError(f"{draws} draw is no ground to compare with; expected 2 or more.")
    costs = costs.detach().to(log_probabilities.dtype)
    gains = (costs - costs.mean(0)) / (draws - 1)
    return (gains * log_probabilities).sum(0).mean()


def _rows(values: Tensor, mask: Tensor | None) -> Tensor:
    """Return the real rows in float32 or finer, [..., experts] -> [rows, experts]."""
    rows = values.to(torch.promote_types(values.dtype, torch.float32)).flatten(0, -2)
    if mask is None:
        return rows
    real = _spread(mask, values.shape[:-1], "A mask").flatten()
    if not real.any():
        raise ValueError("No row is real; leave the batch out.")
    return rows[real]


def _spread(values: Tensor, axes: Sequence[int], what: str) -> Tensor:
    """Repeat [batch] over the axes that follow it, or leave what has them all."""
    if tuple(values.shape) != tuple(axes[: values.ndim]) or values.ndim == 0:
        raise ValueError(
            f"{what} of shape {tuple(values.shape)} came with logits of {tuple(axes)} rows; "
            "expected these axes, or the first of them."
        )
    return values.reshape(values.shape + (1,) * (len(axes) - values.ndim)).expand(*axes)
