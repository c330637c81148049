"""What a mask is taught by."""

from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits

DICE_WEIGHT, CROSS_ENTROPY_WEIGHT = 1.5, 1.0
SMOOTH = 1e-5  # as monai has it


def dice_loss(logits: Tensor, truth: Tensor) -> Tensor:
    """Return 1 - Dice of the probabilities, a mean over masks.

    Args:
        logits: [masks, height, width].
        truth: In the same shape, 0 or 1.

    Returns:
        A scalar, as monai's DiceLoss(sigmoid=True) with a channel axis.
    """
    probability, truth = logits.float().sigmoid().flatten(1), truth.float().flatten(1)
    both = (probability * truth).sum(1)
    sizes = probability.sum(1) + truth.sum(1)
    return (1 - (2 * both + SMOOTH) / (sizes + SMOOTH)).mean()


def mask_losses(logits: Tensor, truth: Tensor, kind: str) -> dict[str, Tensor]:
    """Return the losses of some masks, "loss" among them.

    Args:
        logits: [masks, height, width].
        truth: In the same shape, 0 or 1.
        kind: "dice_bce", or "paper": the cross-entropy of the paper's software was that of a
            softmax over a single class, which is 0 whatever comes.

    Source:
        VLSM-Adapter (arXiv 2405.06196); its software with monai before 1.3, monai issue 6923.
    """
    dice = dice_loss(logits, truth)
    if kind == "paper":
        return {"loss": DICE_WEIGHT * dice, "dice_loss": dice.detach()}
    crossed = binary_cross_entropy_with_logits(logits.float(), truth.float())
    return {
        "loss": DICE_WEIGHT * dice + CROSS_ENTROPY_WEIGHT * crossed,
        "dice_loss": dice.detach(),
        "cross_entropy": crossed.detach(),
    }
