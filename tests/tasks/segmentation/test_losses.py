"""Losses against monai's, and against what the paper's software computed."""

import pytest
import torch
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits, softmax

from tasks.segmentation.losses import dice_loss, mask_losses

monai_losses = pytest.importorskip("monai.losses")


def masks() -> tuple[Tensor, Tensor]:
    """Logits and truths of masks of very different size, one of them empty."""
    generator = torch.Generator().manual_seed(0)
    logits = 3 * torch.randn(4, 20, 24, generator=generator)
    truth = (torch.rand(4, 20, 24, generator=generator) > 0.7).float()
    truth[1] = 0
    truth[2, 1:] = 0
    return logits, truth


def test_dice_loss_is_monais_of_probabilities():
    logits, truth = masks()
    expected = monai_losses.DiceLoss(sigmoid=True)(logits[:, None], truth[:, None])
    torch.testing.assert_close(dice_loss(logits, truth), expected)


def test_default_is_monais_dice_and_cross_entropy_on_logits():
    logits, truth = masks()
    loss = monai_losses.DiceCELoss(sigmoid=True, lambda_dice=1.5, lambda_ce=1.0)
    found = mask_losses(logits, truth, "dice_bce")
    torch.testing.assert_close(found["loss"], loss(logits[:, None], truth[:, None]))
    once = binary_cross_entropy_with_logits(logits, truth)
    torch.testing.assert_close(found["cross_entropy"], once)  # not of a sigmoid of a sigmoid
    twice = binary_cross_entropy_with_logits(logits.sigmoid(), truth)
    assert (found["cross_entropy"] - twice).abs() > 0.1


def test_papers_own_is_its_dice_alone():
    """Its monai took the cross-entropy of a softmax over the only class, which is 0."""
    logits, truth = masks()
    probability = logits.sigmoid()[:, None]
    crossed = -(truth[:, None] * softmax(probability, 1).log()).sum(1).mean()
    assert crossed == 0
    dice = monai_losses.DiceLoss()(probability, truth[:, None])
    found = mask_losses(logits, truth, "paper")
    torch.testing.assert_close(found["loss"], 1.5 * dice + crossed)
    assert set(found) == {"loss", "dice_loss"}


def test_each_mask_weighs_the_same_whatever_its_size():
    logits, truth = masks()
    truth[0], logits[0] = 1, 5  # a large one that is found
    alone = torch.stack([dice_loss(logits[n : n + 1], truth[n : n + 1]) for n in range(4)])
    torch.testing.assert_close(dice_loss(logits, truth), alone.mean())
    pooled = dice_loss(logits.reshape(1, -1, 24), truth.reshape(1, -1, 24))
    assert (dice_loss(logits, truth) - pooled).abs() > 0.2


@pytest.mark.parametrize("kind", ["dice_bce", "paper"])
def test_losses_and_gradients_are_finite_at_the_extremes(kind):
    for filled in (0.0, 1.0):
        for level in (-300.0, 0.0, 300.0):
            logits = torch.full((2, 5, 5), level, requires_grad=True)
            loss = mask_losses(logits, torch.full((2, 5, 5), filled), kind)["loss"]
            loss.backward()
            assert loss.isfinite() and logits.grad is not None and logits.grad.isfinite().all()
            right = (level > 0) == bool(filled) and level != 0
            assert (loss < 0.01) == right


def test_half_precision_is_summed_in_floats():
    logits, truth = masks()
    large = logits[:, :, :1].expand(4, 20, 24).repeat(1, 20, 20)
    wide = truth[:, :, :1].expand(4, 20, 24).repeat(1, 20, 20)
    found = mask_losses(large.bfloat16(), wide.bfloat16(), "dice_bce")["loss"]
    assert found.dtype == torch.float32
    torch.testing.assert_close(
        found, mask_losses(large, wide, "dice_bce")["loss"], rtol=0.02, atol=0.01
    )
