"""Tensors that hold all experts in one axis, of which the first may be held: they stay as they are.

What is held and what is trained are then parameters of their own, so that no optimiser, with or
without momentum and weight decay, moves what is held. In files and for readers they stay one.
"""

from collections.abc import Iterator, Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize


class Joined(nn.Module):
    """Puts what is held before what is trained.

    Args:
        held: How many experts are held.
        axis: That of the experts.
    """

    def __init__(self, held: int, axis: int):
        super().__init__()
        self.held, self.axis = held, axis

    def forward(self, held: Tensor, trained: Tensor) -> Tensor:
        """Return all experts."""
        return torch.cat([held, trained], self.axis)

    def right_inverse(self, whole: Tensor) -> tuple[Tensor, Tensor]:
        """Part them, each in memory of its own."""
        sizes = [self.held, whole.shape[self.axis] - self.held]
        held, trained = whole.split(sizes, self.axis)
        return held.clone(), trained.clone()


def hold_first(module: nn.Module, axes: Mapping[str, int], count: int) -> None:
    """Let the first experts stay as they are, and the others be trained as they were.

    Args:
        module: What holds the experts; its tensors become new parameters.
        axes: The axis of the experts by the name of the parameter.
        count: How many stay; 0 for none.
    """
    for _, owner, name, axis in _places(module, axes):
        _join(owner, name)
        whole: Any = getattr(owner, name)
        if count >= whole.shape[axis]:
            whole.requires_grad_(False)
        elif count and whole.requires_grad:
            parametrize.register_parametrization(owner, name, Joined(count, axis), unsafe=True)
            pieces: Any = owner.parametrizations
            pieces[name].original0.requires_grad_(False)


def expert_in(module: nn.Module, axes: Mapping[str, int], number: int) -> dict[str, Tensor]:
    """Return the tensors of one expert by the names in `axes`, the axis of experts 1 long."""
    places = _places(module, axes)
    return {
        path: getattr(owner, name).narrow(axis, number, 1) for path, owner, name, axis in places
    }


def trained_in(module: nn.Module, axes: Mapping[str, int]) -> dict[str, nn.Parameter]:
    """Return the parameters of the experts that are not held, by the names in `axes`."""
    found: dict[str, nn.Parameter] = {}
    for path, owner, name, _ in _places(module, axes):
        pieces: Any = getattr(owner, "parametrizations", None)
        parted = parametrize.is_parametrized(owner, name)
        parameter: Any = pieces[name].original1 if parted else getattr(owner, name)
        if parameter.requires_grad:
            found[path] = parameter
    return found


@torch.no_grad()
def copy_experts(old: nn.Module, new: nn.Module, axes: Mapping[str, int]) -> None:
    """Copy all that a module holds into one of the same kind with more experts.

    Args:
        old: With the experts there are.
        new: Nothing in it is held; its further experts stay as they began.
        axes: The axis of the experts by the name of the parameter; others are copied whole.
    """
    tensors = old.state_dict()
    for name, target in new.named_parameters():
        if name in tensors:
            source = tensors[name]
            axis = axes.get(name)
            part = target if axis is None else target.narrow(axis, 0, source.shape[axis])
            part.copy_(source)


def keep_names(module: Any) -> None:
    """Let a module with `axes` give and take its tensors whole, whatever is held."""
    module.register_state_dict_post_hook(_join_saved)
    module.register_load_state_dict_pre_hook(_part_loaded)


def _places(
    module: nn.Module, axes: Mapping[str, int]
) -> Iterator[tuple[str, nn.Module, str, int]]:
    """Find what holds each parameter that there is: path, module, name in it, axis."""
    for path, axis in axes.items():
        inside, _, name = path.rpartition(".")
        owner = module.get_submodule(inside)
        if getattr(owner, name) is not None:
            yield path, owner, name, axis


def _join(owner: nn.Module, name: str) -> None:
    if parametrize.is_parametrized(owner, name):
        pieces: Any = owner.parametrizations
        # torch makes a buffer of what needs no gradient.
        pieces[name].original1.requires_grad_(True)
        with torch.enable_grad():
            parametrize.remove_parametrizations(owner, name)


def _pieces(path: str) -> tuple[str, str]:
    """Return the names in a state of what is held and what is trained of a tensor."""
    inside, dot, name = path.rpartition(".")
    start = f"{inside}{dot}parametrizations.{name}"
    return f"{start}.original0", f"{start}.original1"


def _join_saved(module: Any, state: dict[str, Tensor], prefix: str, _: Any) -> None:
    for path, axis in module.axes.items():
        held, trained = (prefix + piece for piece in _pieces(path))
        if held in state:
            state[prefix + path] = torch.cat([state.pop(held), state.pop(trained)], axis)


def _part_loaded(module: Any, state: dict[str, Tensor], prefix: str, *rest: Any) -> None:
    for path, owner, name, _ in _places(module, module.axes):
        whole = state.get(prefix + path)
        if whole is not None and parametrize.is_parametrized(owner, name):
            pieces: Any = owner.parametrizations
            del state[prefix + path]
            parts = pieces[name][0].right_inverse(whole)
            state |= dict(zip((prefix + p for p in _pieces(path)), parts, strict=True))
