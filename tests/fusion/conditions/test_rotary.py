import torch

from fusion.conditions.rotary import angles_of, grid, turn


def test_pairs_are_turned_as_complex_numbers(draw):
    states, at = draw(2, 3, 6, 8), grid(2, 3)
    turns = [at[:, axis, None] * 10_000.0 ** -torch.tensor([0.0, 0.5]) for axis in (0, 1)]
    angles = torch.cat(turns, 1)  # [tokens, pairs]
    numbers = torch.view_as_complex(states.unflatten(-1, (-1, 2)).contiguous())
    expected = torch.view_as_real(numbers * torch.polar(torch.ones_like(angles), angles)).flatten(
        -2
    )
    assert torch.allclose(turn(states, angles_of(at, 8)), expected, atol=1e-6)


def test_scores_depend_on_how_far_two_positions_are_apart(draw):
    query, keys, at = draw(1, 1, 6, 8), draw(1, 1, 7, 8)[:, :, :6], grid(2, 3)
    first, other = (
        turn(query, angles_of(at + by, 8)) @ turn(keys, angles_of(at + by, 8)).mT for by in (0, 7)
    )
    assert torch.allclose(first, other, atol=1e-5)
