"""Tokens of conditions that see all and that all see: what EasyControl's causal mask is against."""

from collections.abc import Mapping
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.utils.hooks import RemovableHandle

from fusion.conditions.contract import Condition, Host, Step
from fusion.conditions.flux_stream import flux_blocks
from fusion.conditions.token_branch import TokenBranch, picture_grid


class DenseBranch(TokenBranch):
    """The same tokens and changes as a `TokenBranch`, in one sequence with all others.

    Nothing is masked, so that nothing can be kept: tokens run at the step's own time, see text,
    noise and other conditions, and are seen by all of these. Options that say who reads, and gates,
    are passed over.

    Args:
        model: diffusers' FluxTransformer2DModel.
        options: How tokens are made.

    Raises:
        ValueError: Another denoiser, one whose attentions were changed, or a width that it lacks.

    Source:
        The ablation without the mask in EasyControl, arXiv 2503.07027, where the time is not told.
    """

    def encode(self, conditions: Mapping[str, Condition], host: Host) -> dict[str, Tensor]:
        """Return a condition's tokens as they are packed, and where they lie.

        Returns:
            "tokens", [rows, tokens, dim], and "ids", [rows, tokens, axes].
        """
        given, patch = conditions[self.options.source], self.options.patch
        _, ids, _ = self._tokens(host.model, given, picture_grid(host.step))
        packed = functional.pixel_unshuffle(given.data, patch).flatten(2).mT
        return {"tokens": packed, "ids": ids}

    def before(self, step: Step) -> None:
        """Put the tokens behind all that is there."""
        assert self.told is not None and step.text is not None
        there = step.pictures
        tokens = self.told.take("tokens", len(there)).to(there)
        assert self.told.values is not None
        ids = self.told.values["ids"][0].to(step.arguments["img_ids"])
        self._first, self._count, self._text = there.shape[1], tokens.shape[1], step.text.shape[1]
        step.arguments["hidden_states"] = torch.cat([there, tokens], 1)
        step.arguments["img_ids"] = torch.cat([step.arguments["img_ids"], ids])

    def after(self, output: Tensor) -> Tensor:
        """Take the tokens off again."""
        return output[:, : self._first]

    def install(self, model: Any) -> list[RemovableHandle]:
        """Let the changes act on the condition's own rows of each layer."""
        handles = []
        for (_, block), changes in zip(flux_blocks(model), self.stream.changes, strict=True):
            double, attention = hasattr(block, "ff"), block.attn
            layers = {"q": attention.to_q, "k": attention.to_k, "v": attention.to_v}
            layers |= {"out": attention.to_out[0]} if double else {}
            own: Any = changes
            for face, layer in layers.items():
                change = partial(self._change, own[face], not double)
                handles.append(layer.register_forward_hook(change))
        return handles

    def _change(
        self, change: nn.Module, joined: bool, layer: Any, args: tuple, output: Tensor
    ) -> Tensor:
        """Add a change to the rows of the condition; with the text before them where joined."""
        if not self.on:
            return output
        first = self._first + (self._text if joined else 0)
        rows = slice(first, first + self._count)
        added = self.stream.strength * change(args[0][:, rows])
        return torch.cat([output[:, :first], output[:, rows] + added, output[:, rows.stop :]], 1)
