"""Self-attention beside the denoiser's own: over rows of several views, or to a reference."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import Tensor
from torch.utils.hooks import RemovableHandle

from fusion.conditions.branches import Branch, branches_on, first_input, key_of, sides_of
from fusion.conditions.checks import check_counts
from fusion.conditions.contract import Condition, Host, Injector, Step
from fusion.conditions.unet import self_attentions


@dataclass(frozen=True)
class ViewOptions:
    """How views of one thing attend to each other.

    Attributes:
        views: How many follow each other in a batch.
        rows_only: Whether a place attends to its own row of all views, which is right for level
            cameras without perspective; else to all places of all views.
        scale: What it counts.
        zero: Whether it begins by adding 0.
    """

    views: int = 6
    rows_only: bool = True
    scale: float = 1.0
    zero: bool = True

    def __post_init__(self):
        check_counts(self, "views")


class ViewAttention(Injector):
    """Lets views of one thing, which are rows of a batch, attend to each other.

    It needs no condition: a batch is [a1, a2, ..., b1, b2, ...] of so many views each.

    Args:
        model: diffusers' UNet2DConditionModel.
        options: Views.

    Raises:
        ValueError: Another denoiser, or one without self-attention of the right form.

    Source:
        MV-Adapter, arXiv 2412.03632.
    """

    Options = ViewOptions

    def __init__(self, model: Any, options: ViewOptions):
        super().__init__(model, options)
        found = list(self_attentions(model))
        self.branches = branches_on(found, True, options.zero, "self-attention")
        self._latents = (1, 1)

    def install(self, model: Any) -> list[RemovableHandle]:
        """Put a hook on each self-attention."""
        branches: Any = self.branches
        return [
            attention.register_forward_hook(
                partial(self._add, branches[key_of(name)]), with_kwargs=True
            )
            for name, attention in self_attentions(model)
        ]

    def before(self, step: Step) -> None:
        """Look how large the pictures are.

        Raises:
            ValueError: The batch is not made of whole groups of views.
        """
        height, width = step.pictures.shape[2:]
        self._latents = height, width
        if len(step.pictures) % self.options.views:
            raise ValueError(
                f"A batch of {len(step.pictures)} was run with {self.options.views} views of each "
                "thing; expected a multiple."
            )

    def _add(
        self, branch: Branch, attention: Any, args: tuple, kwargs: dict[str, Any], output: Tensor
    ) -> Tensor:
        if not self.on:
            return output
        states, views = first_input(args, kwargs), self.options.views
        sides = sides_of(states.shape[1], *self._latents)
        grouped = states.unflatten(0, (-1, views)).unflatten(2, sides)  # [things, views, h, w, dim]
        if self.options.rows_only:
            lines = grouped.transpose(1, 2).flatten(0, 1).flatten(1, 2)  # [things * h, views * w]
        else:
            lines = grouped.flatten(1, 3)
        found = branch(attention, lines, branch.to_k(lines), branch.to_v(lines), None)
        if self.options.rows_only:
            found = found.unflatten(0, (-1, sides[0])).unflatten(2, (views, sides[1]))
            found = found.transpose(1, 2)
        back = found.reshape(states.shape)
        return output + self.options.scale * back.to(output.dtype)


@dataclass(frozen=True)
class ReferenceOptions:
    """How pictures attend to a reference.

    Attributes:
        zero: Whether it begins by adding 0.
    """

    zero: bool = True


class ReferenceAttention(Injector):
    """Lets each self-attention attend to what the frozen denoiser reads there of a reference.

    Args:
        model: diffusers' UNet2DConditionModel.
        options: How it begins.

    Raises:
        ValueError: Another denoiser, or one without self-attention of the right form.

    Source:
        MV-Adapter, arXiv 2412.03632.
    """

    Options = ReferenceOptions

    def __init__(self, model: Any, options: ReferenceOptions):
        super().__init__(model, options)
        self.names = [name for name, _ in self_attentions(model)]
        found = list(self_attentions(model))
        self.branches = branches_on(found, True, options.zero, "self-attention")

    @property
    def needs(self) -> tuple[str, ...]:
        """The latents of a reference, without noise."""
        return ("latent",)

    @property
    def may_take(self) -> tuple[str, ...]:
        """The tokens of its text; else it is read with that of the picture."""
        return ("tokens",)

    def encode(self, conditions: Mapping[str, Condition], host: Host) -> dict[str, Tensor]:
        """Run the frozen denoiser on the reference, and return what each self-attention reads.

        Raises:
            ValueError: The reference has other channels than the pictures.
        """
        latents, pictures = conditions["latent"], host.step.pictures
        if latents.data.shape[1] != pictures.shape[1]:
            raise ValueError(
                f"The latent {latents.name!r} has {latents.data.shape[1]} channels; expected "
                f"{pictures.shape[1]}, as the denoiser reads them."
            )
        assert self.told is not None
        arguments = host.step.take(self.told.last_rows(len(pictures)))
        arguments["sample"] = latents.data.to(pictures)
        times = latents.times
        arguments["timestep"] = times if times is not None else latents.data.new_zeros(latents.rows)
        if "tokens" in conditions:
            arguments["encoder_hidden_states"] = conditions["tokens"].data
            arguments.pop("cross_attention_kwargs", None)
        return self._read(host, arguments)

    def _read(self, host: Host, arguments: dict[str, Any]) -> dict[str, Tensor]:
        read: dict[str, Tensor] = {}

        def keep(name: str, module: Any, args: tuple, kwargs: dict[str, Any]) -> None:
            read[name] = first_input(args, kwargs)

        attentions = list(self_attentions(host.model))
        handles = [
            one.register_forward_pre_hook(partial(keep, key_of(name)), with_kwargs=True)
            for name, one in attentions
        ]
        try:
            with host.bare(), torch.no_grad():
                host.model(**arguments)
        finally:
            for handle in handles:
                handle.remove()
        return read

    def install(self, model: Any) -> list[RemovableHandle]:
        """Put a hook on each self-attention."""
        return [
            attention.register_forward_hook(partial(self._add, key_of(name)), with_kwargs=True)
            for name, attention in self_attentions(model)
        ]

    def _add(
        self, key: str, attention: Any, args: tuple, kwargs: dict[str, Any], output: Tensor
    ) -> Tensor:
        if not self.on:
            return output
        branch, told = self.branches[key], self.told
        assert isinstance(branch, Branch) and told is not None and told.values is not None
        states, read = first_input(args, kwargs), told.values[key]
        batch = len(states)
        keys = told.keep((key, "keys", batch), lambda: told.spread(branch.to_k(read), batch))
        values = told.keep((key, "values", batch), lambda: told.spread(branch.to_v(read), batch))
        found = branch(attention, states, keys, values, None)
        return output + told.scale * found.to(output.dtype)
