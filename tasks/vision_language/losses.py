"""What is learnt from answers: the surprise at their words, weighed as each task was published."""

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

from data_prep.questions.manifest import DESCRIBING
from tasks.vision_language.batches import IGNORED


def answer_loss(logits: Tensor, targets: Tensor, weights: Tensor, tasks: Sequence[str]) -> Tensor:
    """Return the mean loss of a batch.

    Captions: a mean over all their tokens together, so that long ones weigh more. Everything else:
    a mean over the tokens of each answer, times its weight, then a mean over rows. A batch of
    several tasks has the mean of their losses, each weighing as many rows as it has.

    Args:
        logits: [rows, length, vocabulary].
        targets: [rows, length], -100 behind the end.
        weights: [rows], the soft scores of the answers, 0 to 1.
        tasks: The name of each row's task.

    Returns:
        A scalar.

    Source:
        VL-Adapter's software (2022), multitask.py and the models of its four tasks.
    """
    each = cross_entropy(
        logits.flatten(0, 1).float(), targets.flatten(), ignore_index=IGNORED, reduction="none"
    ).view(targets.shape)
    lengths = (targets != IGNORED).sum(1)
    by_row = each.sum(1) / lengths.clamp_min(1) * weights
    describing = torch.tensor([task in DESCRIBING for task in tasks], device=targets.device)
    if not bool(describing.any()):
        return by_row.mean()
    words = each[describing].sum() / lengths[describing].sum()
    return (by_row[~describing].sum() + int(describing.sum()) * words) / len(tasks)
