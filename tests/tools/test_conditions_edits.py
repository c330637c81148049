import pytest
import torch

from tools.conditions_edits import PALETTE, TASKS, draw_edits, judge_edits
from tools.conditions_pictures import SHAPES


@pytest.fixture(scope="module")
def edits():
    return draw_edits("validation", 80, 3)


def test_all_that_is_told_disagrees(edits):
    asked = edits.words[:, 1] - len(SHAPES)
    assert asked.min() >= 0 and asked.max() < len(PALETTE)
    solid = edits.cover > 0.9
    for row in range(len(edits)):
        source = edits.source[row][:, solid[row, 0]].mean(1)
        shown = (edits.reference[row] - PALETTE[:, :, None, None]).abs().sum(1).amin((1, 2))
        nearest = (PALETTE - source).abs().sum(1).argmin()
        assert len({int(asked[row]), int(nearest), int(shown.argmin())}) == 3


def test_what_is_outside_the_mask_is_to_stay_and_half_a_shape_is_within(edits):
    outside = (edits.mask == 0).expand_as(edits.source)
    assert torch.equal(edits.target[outside], edits.source[outside])
    solid = edits.cover > 0.5
    share = (solid * edits.mask).sum((1, 2, 3)) / solid.sum((1, 2, 3))
    assert share.min() > 0.1 and share.max() < 0.9
    keep = edits.tasks == TASKS.index("keep")
    assert torch.allclose(edits.target[keep], edits.source[keep], atol=1e-5)
    erased = edits.take(edits.tasks == TASKS.index("erase"))
    ground = erased.source[:, :, :1, :1].expand_as(erased.source)
    within = (erased.mask > 0).expand_as(ground)
    assert torch.allclose(erased.target[within], ground[within], atol=1e-5)


def test_a_judge_takes_targets_and_refuses_sources(edits):
    right = judge_edits(edits.target, edits)
    assert right["both"].all() and right["error"].max() == 0
    as_they_are = judge_edits(edits.source, edits)
    assert torch.equal(as_they_are["both"], edits.tasks == TASKS.index("keep"))
    assert as_they_are["outside"].all()
