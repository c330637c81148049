import torch
from torch.nn.functional import cross_entropy

from tasks.vision_language.batches import IGNORED
from tasks.vision_language.losses import answer_loss

LOGITS = torch.randn(3, 4, 9, generator=torch.Generator().manual_seed(0))
TARGETS = torch.tensor([[1, 2, 3, 4], [5, 6, IGNORED, IGNORED], [7, IGNORED, IGNORED, IGNORED]])
WEIGHTS = torch.tensor([1.0, 0.3, 0.6])


def surprise(row: int) -> torch.Tensor:
    kept = TARGETS[row] != IGNORED
    return cross_entropy(LOGITS[row][kept], TARGETS[row][kept])


def test_answers_weigh_their_scores_whatever_their_length():
    found = answer_loss(LOGITS, TARGETS, WEIGHTS, ["vqa"] * 3)
    expected = sum(WEIGHTS[n] * surprise(n) for n in range(3)) / 3
    torch.testing.assert_close(found, expected)


def test_captions_are_a_mean_over_all_tokens_so_that_long_ones_weigh_more():
    found = answer_loss(LOGITS, TARGETS, torch.ones(3), ["caption"] * 3)
    torch.testing.assert_close(found, cross_entropy(LOGITS.flatten(0, 1), TARGETS.flatten()))


def test_a_mixed_batch_weighs_the_tasks_by_their_rows():
    tasks = ["caption", "gqa", "caption"]
    found = answer_loss(LOGITS, TARGETS, torch.ones(3), tasks)
    both = torch.tensor([0, 2])
    words = cross_entropy(LOGITS[both].flatten(0, 1), TARGETS[both].flatten())
    torch.testing.assert_close(found, (2 * words + surprise(1)) / 3)
