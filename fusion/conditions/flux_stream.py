"""Tokens that run through FLUX's frozen blocks by themselves, with changes of their own."""

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from fusion.conditions.joint_attention import check_joint
from fusion.conditions.low_rank import Lora
from fusion.conditions.rotary import Angles, turn
from modalities.diffusion.decoupled import split_heads

FACES = ("q", "k", "v", "out")


class FluxStream(nn.Module):
    """Changes of low rank that tokens of a condition, and nothing else, go through.

    Args:
        model: diffusers' FluxTransformer2DModel, for its sizes; not held.
        rank: Inner width of each change to a layer.
        alpha: A change counts alpha / rank.
        chained: Whether the change of a double block's last layer reads what that returns.

    Raises:
        ValueError: An attention that was changed.

    Source:
        EasyControl, arXiv 2503.07027, and for `chained` its released code.
    """

    def __init__(self, model: Any, rank: int, alpha: float, chained: bool):
        super().__init__()
        self.strength, self.chained = alpha / rank, chained
        self.changes = nn.ModuleList()
        for name, block in flux_blocks(model):
            check_joint(name, block.attn)
            self.changes.append(
                nn.ModuleDict(
                    {
                        face: Lora(layer, rank, chained and face == "out")
                        for face, layer in _layers(block.attn).items()
                    }
                )
            )

    def forward(
        self, model: Any, states: Tensor, modulation: Tensor, angles: Angles, mask: Tensor | None
    ) -> dict[str, Tensor]:
        """Run tokens that see only themselves, up to the last keys and values.

        Args:
            model: The denoiser.
            states: Tokens, as its first block reads them, [rows, tokens, dim].
            modulation: What its blocks are told of time and text, [rows, dim].
            angles: Rotary angles of the places where the tokens stand.
            mask: Which tokens are real, bool, [rows, tokens]; None for all.

        Returns:
            "keys-0", "values-0" and so on, what each attention has of them, [rows, tokens, dim].
        """
        found, seen = {}, None if mask is None else mask[:, None, None]
        last = len(self.changes) - 1
        for number, ((_, block), changes) in enumerate(
            zip(flux_blocks(model), self.changes, strict=True)
        ):
            double = hasattr(block, "ff")
            normed, gate, *rest = (block.norm1 if double else block.norm)(states, emb=modulation)
            query, keys, values = self._ask(block.attn, changes, normed, angles)
            found[f"keys-{number}"], found[f"values-{number}"] = _join(keys), _join(values)
            if number == last:
                break
            joined = functional.scaled_dot_product_attention(query, keys, values, seen)
            if double:
                told = self._change(block.attn.to_out[0], changes, "out", _join(joined))
                states = _finish_double(block, states, told, gate, rest)
            else:
                mixed = torch.cat([_join(joined), block.act_mlp(block.proj_mlp(normed))], 2)
                states = states + gate[:, None] * block.proj_out(mixed)
        return found

    def _ask(
        self, attention: Any, changes: Any, states: Tensor, angles: Angles
    ) -> tuple[Tensor, Tensor, Tensor]:
        layers = _layers(attention)
        query, keys, values = (
            split_heads(self._change(layers[face], changes, face, states), attention.heads)
            for face in FACES[:3]
        )
        return turn(attention.norm_q(query), angles), turn(attention.norm_k(keys), angles), values

    def _change(self, layer: nn.Linear, changes: Any, face: str, states: Tensor) -> Tensor:
        """Run a frozen layer and its change, which this condition's tokens alone go through."""
        output, strength = layer(states), self.strength
        read = output if self.chained and face == "out" else states
        return output + strength * changes[face](read)


def _finish_double(
    block: Any, states: Tensor, told: Tensor, gate: Tensor, rest: list[Tensor]
) -> Tensor:
    """Add what an attention tells, and what the frozen feed-forward makes of both."""
    shift, scale, gate_after = rest
    states = states + gate[:, None] * told
    normed = block.norm2(states) * (1 + scale[:, None]) + shift[:, None]
    return states + gate_after[:, None] * block.ff(normed)


def flux_blocks(model: Any) -> list[tuple[str, Any]]:
    """Return FLUX's blocks with their names, in its order."""
    return [
        (f"{kind}.{number}", block)
        for kind in ("transformer_blocks", "single_transformer_blocks")
        for number, block in enumerate(getattr(model, kind))
    ]


def _layers(attention: Any) -> dict[str, nn.Linear]:
    """Return the layers that change, by face; a single block has no last layer of its own."""
    layers = {"q": attention.to_q, "k": attention.to_k, "v": attention.to_v}
    return layers if attention.pre_only else {**layers, "out": attention.to_out[0]}


def _join(heads: Tensor) -> Tensor:
    return heads.transpose(1, 2).flatten(2)
