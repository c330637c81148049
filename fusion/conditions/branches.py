"""An attention of its own beside one of the denoiser's, and where its numbers lie in a picture."""

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from modalities.diffusion.decoupled import attend, check_plain, copy_linear, split_heads


def key_of(name: str) -> str:
    """Return a module's name as torch's ModuleDict takes it."""
    return name.replace(".", "-")


class Branch(nn.Module):
    """Runs beside an attention, from what that reads; what it finds is added to what that found.

    Args:
        name: The attention's, for messages.
        attention: diffusers' Attention, whose weights it begins as a copy of; not held.
        own: Whether queries and output are its own as well; else they are the attention's.
        zero: Whether it begins by adding 0: by its output where that is its own, else its values.

    Raises:
        ValueError: The attention is not the plain one of Stable Diffusion.

    Source:
        MV-Adapter, arXiv 2412.03632 (own), and IP-Adapter, arXiv 2308.06721 (not).
    """

    def __init__(self, name: str, attention: Any, own: bool, zero: bool):
        super().__init__()
        check_plain(name, attention)
        self.heads = attention.heads
        self.to_k, self.to_v = copy_linear(attention.to_k), copy_linear(attention.to_v)
        self.to_q = copy_linear(attention.to_q) if own else None
        self.to_out = None
        if own:
            old = attention.to_out[0]
            self.to_out = nn.Linear(
                old.in_features, old.out_features, device=old.weight.device, dtype=old.weight.dtype
            )
            self.to_out.load_state_dict(old.state_dict())
        if zero:
            for weight in (self.to_out or self.to_v).parameters():
                nn.init.zeros_(weight)

    def forward(
        self, attention: Any, states: Tensor, keys: Tensor, values: Tensor, mask: Tensor | None
    ) -> Tensor:
        """Return what is to be added, [rows, places, dim].

        Args:
            attention: That it runs beside.
            states: What that reads, [rows, places, dim].
            keys: What `to_k` made of the tokens, [rows, tokens, dim].
            values: What `to_v` made of the tokens, [rows, tokens, dim].
            mask: Which tokens are real, bool, [rows, tokens]; None for all.
        """
        # By its weights and not by calling it: hooks on the attention's layers are not for this.
        query = self.to_q(states) if self.to_q else _apply(attention.to_q, states)
        seen = None if mask is None else mask[:, None, None]
        found = attend(split_heads(query, self.heads), keys, values, seen)
        joined = found.transpose(1, 2).flatten(2)
        if self.to_out is not None:
            return self.to_out(joined)
        return functional.linear(joined, attention.to_out[0].weight)  # its bias was added there


def _apply(layer: nn.Linear, states: Tensor) -> Tensor:
    return functional.linear(states, layer.weight, layer.bias)


def sides_of(places: int, height: int, width: int) -> tuple[int, int]:
    """Return height and width of the picture that an attention sees.

    Args:
        places: How many it has.
        height: Rows of places that the latents have.
        width: Places in each of these rows.

    Raises:
        ValueError: No halving of the latents has so many.
    """
    sides = height, width
    while sides[0] * sides[1] > places and max(sides) > 1:
        sides = (sides[0] + 1) // 2, (sides[1] + 1) // 2
    if sides[0] * sides[1] != places:
        raise ValueError(
            f"An attention sees {places} places of latents of {height} x {width}; expected a "
            "picture that was halved."
        )
    return sides


def first_input(args: tuple, kwargs: dict[str, Any]) -> Tensor:
    """Return what an attention reads, [rows, places, dim], of what it was called with."""
    return args[0] if args else kwargs["hidden_states"]


def branches_on(
    attentions: list[tuple[str, Any]], own: bool, zero: bool, what: str
) -> nn.ModuleDict:
    """Build a branch beside each attention, by its name.

    Args:
        attentions: With their names.
        own: Whether queries and outputs of branches are their own as well.
        zero: Whether branches begin by adding 0.
        what: The kind of attention, for the message where there is none.

    Raises:
        ValueError: There is none, or one of another form.
    """
    if not attentions:
        raise ValueError(f"The denoiser has no {what}; expected one as Stable Diffusion has it.")
    with torch.no_grad():
        built = {key_of(name): Branch(name, one, own, zero) for name, one in attentions}
    return nn.ModuleDict(built)
