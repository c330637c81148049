import pytest
import torch

from fusion.scenarios.domain import DomainCheck, DomainOptions, summarise

OPTIONS = DomainOptions(dim=8, directions=3, residual=1.0, doubt=0.25)


def plane(rows: int, seed: int) -> torch.Tensor:
    """Features in a plane of three directions, and a little beside it."""
    generator = torch.Generator().manual_seed(seed)
    directions = torch.randn(3, 16, generator=torch.Generator().manual_seed(0))
    inside = torch.randn(rows, 3, generator=generator) @ directions
    return inside + 0.01 * torch.randn(rows, 16, generator=generator)


def test_what_lies_beside_the_directions_is_far():
    check = DomainCheck(OPTIONS)
    check.fit(plane(50, 1))
    assert check.residual(plane(20, 2)).max() < 0.1
    elsewhere = torch.randn(20, 16, generator=torch.Generator().manual_seed(3))
    assert check.residual(elsewhere * 3).min() > 1


def test_both_signs_have_to_say_unknown():
    check = DomainCheck(OPTIONS)
    states = torch.randn(2, 5, 8, generator=torch.Generator().manual_seed(4)) * 9
    sure, unsure = torch.tensor([-0.01, -0.01]), torch.tensor([-0.5, -0.5])
    assert (check(states, sure) < 1).all()
    assert (check(states, unsure) > 1).all()
    assert (check(states / 1000, unsure) < 1).all()


def test_summary_is_mean_and_spread():
    states = torch.tensor([[[1.0], [3.0]]])
    assert torch.allclose(summarise(states), torch.tensor([[2.0, 2**0.5]]))


def test_mistakes():
    with pytest.raises(ValueError, match="too few"):
        DomainCheck(OPTIONS).fit(plane(4, 1))
    with pytest.raises(ValueError, match="'directions' is 0"):
        DomainOptions(directions=0)
    with pytest.raises(ValueError, match="numbers above 0"):
        DomainOptions(doubt=0)
