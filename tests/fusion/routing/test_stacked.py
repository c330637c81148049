"""Tensors of which a part is held: bytes, names in files, and what comes back."""

import torch
from torch import nn

from fusion.routing.stacked import copy_experts, expert_in, hold_first, keep_names, trained_in


class Stack(nn.Module):
    """Three experts in each of two axes, one tensor that there may be, and one of them all."""

    axes = {"inside.down": 0, "up": 1, "bias": 0}

    def __init__(self, experts: int = 3):
        super().__init__()
        keep_names(self)
        self.inside = nn.Module()
        self.inside.down = nn.Parameter(torch.randn(experts, 2))
        self.up = nn.Parameter(torch.randn(2, experts))
        self.bias = None
        self.common = nn.Parameter(torch.randn(4))


def test_momentum_and_decay_move_nothing_that_is_held():
    stack = Stack()
    before = {name: tensor.clone() for name, tensor in stack.state_dict().items()}
    optimiser = torch.optim.SGD(stack.parameters(), 0.1, momentum=0.9, weight_decay=0.1)
    (stack.up.sum() + stack.inside.down.sum()).backward()
    optimiser.step()  # momentum of all, from before it is held
    hold_first(stack, stack.axes, 2)
    moved = {name: tensor.clone() for name, tensor in stack.state_dict().items()}
    optimiser = torch.optim.SGD(stack.parameters(), 0.1, momentum=0.9, weight_decay=0.1)
    for _ in range(2):
        optimiser.zero_grad()
        (stack.up.square().sum() + stack.inside.down.square().sum()).backward()
        optimiser.step()
    assert torch.equal(stack.up[:, :2], moved["up"][:, :2])
    assert torch.equal(stack.inside.down[:2], moved["inside.down"][:2])
    assert not torch.equal(stack.up[:, 2:], moved["up"][:, 2:])
    assert not torch.equal(moved["up"], before["up"])


def test_states_are_whole_whatever_is_held():
    stack, other = Stack(), Stack()
    hold_first(stack, stack.axes, 1)
    state = stack.state_dict()
    assert set(state) == {"inside.down", "up", "common"} and state["up"].shape == (2, 3)
    for count in (0, 2, 3):
        hold_first(other, other.axes, count)
        other.load_state_dict(state)
        assert all(torch.equal(tensor, state[n]) for n, tensor in other.state_dict().items())
        nn.init.zeros_(other.common)
    hold_first(stack, stack.axes, 0)
    assert all(torch.equal(tensor, state[n]) for n, tensor in stack.state_dict().items())
    assert sorted(name for name, _ in stack.named_parameters()) == sorted(state)
    assert type(stack) is Stack


def test_what_is_frozen_stays_in_one_piece():
    stack = Stack()
    stack.up.requires_grad_(False)
    hold_first(stack, stack.axes, 2)
    assert set(trained_in(stack, stack.axes)) == {"inside.down"}
    assert isinstance(stack.up, nn.Parameter)
    hold_first(stack, stack.axes, 3)
    assert not trained_in(stack, stack.axes)


def test_a_larger_one_gets_all_that_there_was():
    stack, larger = Stack(), Stack(4)
    hold_first(stack, stack.axes, 2)
    fresh = {name: tensor.clone() for name, tensor in expert_in(larger, larger.axes, 3).items()}
    copy_experts(stack, larger, larger.axes)
    for number in range(3):
        found = expert_in(larger, larger.axes, number)
        assert all(
            torch.equal(t, found[n]) for n, t in expert_in(stack, Stack.axes, number).items()
        )
    assert all(torch.equal(t, fresh[n]) for n, t in expert_in(larger, larger.axes, 3).items())
    assert torch.equal(larger.common, stack.common)
