"""A second MM-DiT beside a frozen one, on a picture and an instruction that says what of it."""

import copy
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.utils.hooks import RemovableHandle

from fusion.conditions.contract import Condition, Host, Injector
from fusion.conditions.joint_attention import (
    Added,
    Asked,
    Source,
    check_joint,
    let_read,
    norm_heads,
)
from fusion.conditions.low_rank import Lora
from fusion.conditions.rotary import Angles, angles_of, grid, turn
from modalities.diffusion.decoupled import split_heads
from modalities.diffusion.networks import SD3

PICTURE, INSTRUCTION = ("to_q", "to_k", "to_v"), ("add_q_proj", "add_k_proj", "add_v_proj")
ASK = "ask"  # the layer that asks for the picture


@dataclass(frozen=True)
class InstructedOptions:
    """How the second stream is made and read.

    Attributes:
        rank: Of the change of each layer; 0 where layers are copies, trained whole.
        alpha: A change counts alpha / rank.
        embedders: Whether what makes tokens of latents, time and texts is copied and trained too.
        own_query: Whether a layer of its own asks for the picture, and not the frozen one.
        rotary: Whether queries and keys are turned by their positions in the picture.
        gates: Whether each attention learns what the stream counts, from 0.
    """

    rank: int = 0
    alpha: float = 16.0
    embedders: bool = True
    own_query: bool = True
    rotary: bool = True
    gates: bool = True

    def __post_init__(self):
        if self.rank < 0:
            raise ValueError(f"Option 'rank' is {self.rank}; expected 1 or more, or 0 for copies.")
        if self.rank and self.embedders:
            raise ValueError("embedders are copies; expected False beside a rank.")


class OwnLayer(nn.Module):
    """A layer of the second stream: a copy of a frozen one, or that with a change of low rank.

    Args:
        layer: The frozen one; not held.
        rank: Inner width of each change to a layer; 0 trains a whole copy.
        strength: What a change counts.
    """

    def __init__(self, layer: nn.Linear, rank: int, strength: float):
        super().__init__()
        self.strength = strength
        self.own = _copy(layer) if not rank else None
        self.change = Lora(layer, rank) if rank else None

    def forward(self, layer: nn.Linear, states: Tensor) -> Tensor:
        """Run it.

        Args:
            layer: The frozen one.
            states: What it reads.
        """
        if self.own is not None:
            return self.own(states)
        assert self.change is not None
        return layer(states) + self.strength * self.change(states)


class InstructedBranch(Injector):
    """Lets SD3 read a second stream on a condition's latents and the tokens of an instruction.

    The stream has attention and modulation of its own and the frozen feed-forwards, and is
    modulated by the time, so that it is run at each step. The picture asks it by a query of its
    own; what it finds is added before the frozen attention's last layer.

    Args:
        model: diffusers' SD3Transformer2DModel.
        options: How the stream is made and read.

    Raises:
        ValueError: Another denoiser, one whose attentions were changed, or SD3.5 with its second
            attention.

    Source:
        UNIC-Adapter, arXiv 2412.18928.
    """

    Options = InstructedOptions
    backbones = (SD3,)
    each_step = True

    def __init__(self, model: Any, options: InstructedOptions):
        super().__init__(model, options)
        self.channels, self.token_dim = model.config.in_channels, model.config.joint_attention_dim
        self.pooled_dim, self.patch = model.config.pooled_projection_dim, model.config.patch_size
        self.blocks = nn.ModuleList()
        for number, block in enumerate(model.transformer_blocks):
            name = f"transformer_blocks.{number}"
            if block.use_dual_attention:
                raise ValueError(f"{name} has a second attention, as SD3.5; expected SD3.")
            check_joint(name, block.attn)
            strength = options.alpha / options.rank if options.rank else 1.0
            self.blocks.append(
                nn.ModuleDict(
                    {
                        key: OwnLayer(layer, options.rank, strength)
                        for key, layer in _layers(block).items()
                        if key != ASK or options.own_query
                    }
                )
            )
        self.gates = nn.Parameter(torch.zeros(len(self.blocks))) if options.gates else None
        self.embedders: Any = _copy_embedders(model) if options.embedders else None
        self._size = (0, 0)  # of the picture, in tokens

    @property
    def needs(self) -> tuple[str, ...]:
        """A picture's latents; the tokens of the instruction, and its vector."""
        return ("latent", "tokens", "vector")

    def check(self, conditions: Mapping[str, Condition]) -> None:
        """Check what it is told, by kind.

        Raises:
            ValueError: Kinds or widths that it was not built for.
        """
        super().check(conditions)
        sizes = (("latent", 1, self.channels), ("tokens", -1, self.token_dim))
        for kind, axis, expected in (*sizes, ("vector", -1, self.pooled_dim)):
            given = conditions[kind]
            if given.data.shape[axis] != expected:
                what = "channels" if kind == "latent" else "numbers wide"
                raise ValueError(
                    f"The {kind} {given.name!r} has {given.data.shape[axis]} {what}; expected "
                    f"{expected}."
                )

    def encode(self, conditions: Mapping[str, Condition], host: Host) -> dict[str, Tensor]:
        """Run the second stream at the step's time.

        Returns:
            "keys-0", "values-0" and so on, what each attention is to read, [rows, tokens, dim];
            "mask" where some tokens are not real, [rows, tokens].

        Raises:
            ValueError: The latents have another size than the picture, with which they are aligned.
        """
        latents, tokens, vector = (conditions[kind] for kind in self.needs)
        model, pictures = host.model, host.step.pictures
        if latents.data.shape[2:] != pictures.shape[2:]:
            given, expected = (list(one.shape[2:]) for one in (latents.data, pictures))
            raise ValueError(
                f"The latent {latents.name!r} is {given[0]} x {given[1]}; expected {expected[0]} x "
                f"{expected[1]}, as the picture."
            )
        states, instruction, modulation = self._embed(host, latents, tokens, vector)
        self._size = tuple(side // self.patch for side in latents.data.shape[2:])
        mask = tokens.mask
        if mask is not None:
            mask = torch.cat([mask.new_ones(states.shape[:2]), mask], 1)
        found = self._run(model, states, instruction, modulation, mask)
        return found if mask is None else {**found, "mask": mask}

    def _embed(
        self, host: Host, latents: Condition, tokens: Condition, vector: Condition
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Return tokens of the picture and of the instruction, and what modulates both."""
        model, pictures = host.model, host.step.pictures
        assert self.told is not None
        batch, data = len(pictures), latents.data.to(pictures)
        times = host.step.times.expand(batch)[self.told.last_rows(batch)]
        texts = tokens.data.to(pictures), vector.data.to(pictures)
        if self.embedders is None:
            states = model.pos_embed(data)
            return states, model.context_embedder(texts[0]), model.time_text_embed(times, texts[1])
        at = model.pos_embed.cropped_pos_embed(*data.shape[2:])
        states = self.embedders["patch"](data).flatten(2).mT + at
        time = self.embedders["time_text"](times, texts[1])
        return states, self.embedders["context"](texts[0]), time

    def _angles(self, others: int, head_dim: int, device: torch.device) -> Angles | None:
        """Return the angles of a picture's places, and of so many tokens at its corner."""
        if not self.options.rotary:
            return None
        height, width = self._size
        at = functional.pad(grid(height, width, device), (0, 0, 0, others))
        return angles_of(at, head_dim)

    def _run(
        self,
        model: Any,
        states: Tensor,
        instruction: Tensor,
        modulation: Tensor,
        mask: Tensor | None,
    ) -> dict[str, Tensor]:
        found, seen = {}, None if mask is None else mask[:, None, None]
        angles = self._angles(instruction.shape[1], model.config.attention_head_dim, states.device)
        last, pairs = len(self.blocks) - 1, zip(model.transformer_blocks, self.blocks, strict=True)
        own: Any
        for number, (block, own) in enumerate(pairs):
            normed, rest = _modulate(block.norm1, own, "norm1", states, modulation)
            told, told_rest = _modulate(
                block.norm1_context, own, "norm1_context", instruction, modulation
            )
            query, keys, values = _ask(block.attn, own, normed, told, angles)
            found[f"keys-{number}"], found[f"values-{number}"] = _join(keys), _join(values)
            if number == last:
                break
            joined = _join(functional.scaled_dot_product_attention(query, keys, values, seen))
            picture, text = joined.split([states.shape[1], instruction.shape[1]], 1)
            out = own["to_out"](block.attn.to_out[0], picture)
            states = _finish(states, out, rest, block.norm2, block.ff)
            out = own["to_add_out"](block.attn.to_add_out, text)
            instruction = _finish(
                instruction, out, told_rest, block.norm2_context, block.ff_context
            )
        return found

    def install(self, model: Any) -> list[RemovableHandle]:
        """Let each attention read the second stream."""
        return [
            let_read(block.attn, Source(partial(self._reads, number), partial(self._read, number)))
            for number, block in enumerate(model.transformer_blocks)
        ]

    def _weight(self, number: int) -> Tensor | float:
        assert self.told is not None
        return self.told.scale * (1.0 if self.gates is None else self.gates[number])

    def _reads(self, number: int) -> bool:
        return self.on and (torch.is_grad_enabled() or bool(self._weight(number) != 0))

    def _read(self, number: int, asked: Asked) -> Added:
        told, batch, attention = self.told, len(asked.query), asked.attention
        assert told is not None and told.values is not None
        keys, values = (
            split_heads(told.take(f"{name}-{number}", batch), attention.heads)
            for name in ("keys", "values")
        )
        places = asked.states.shape[1]
        if self.options.own_query:
            layer: Any = self.blocks[number]
            query = split_heads(layer[ASK](attention.to_q, asked.states), attention.heads)
        else:
            query = asked.query[:, :, -places:]
        angles = self._angles(0, query.shape[-1], query.device)
        query = query if angles is None else turn(query, angles)
        seen = told.take("mask", batch)[:, None, None] if "mask" in told.values else None
        found = functional.scaled_dot_product_attention(
            query, keys.to(query), values.to(query), seen
        )
        return Added(self._weight(number) * found)


def _modulate(
    norm: Any, own: Any, name: str, states: Tensor, modulation: Tensor
) -> tuple[Tensor, tuple[Tensor, ...]]:
    """Return states after a norm that the time shifts, and its four other parts."""
    told = own[name](norm.linear, functional.silu(modulation))
    parts = told.chunk(told.shape[-1] // states.shape[-1], -1)
    scale, shift = parts if len(parts) == 2 else (parts[1], parts[0])  # as diffusers has them
    return norm.norm(states) * (1 + scale[:, None]) + shift[:, None], parts[2:]


def _ask(
    attention: Any, own: Any, picture: Tensor, text: Tensor, angles: Angles | None
) -> tuple[Tensor, Tensor, Tensor]:
    """Run an attention's own layers on a picture and an instruction, in this order."""
    heads, found = attention.heads, []
    for names, states, norms in (
        (PICTURE, picture, (attention.norm_q, attention.norm_k)),
        (INSTRUCTION, text, (attention.norm_added_q, attention.norm_added_k)),
    ):
        query, keys, values = (
            split_heads(own[name](getattr(attention, name), states), heads) for name in names
        )
        found.append((norm_heads(norms[0], query), norm_heads(norms[1], keys), values))
    query, keys, values = (torch.cat(pair, 2) for pair in zip(*found, strict=True))
    return (
        (query, keys, values)
        if angles is None
        else (
            turn(query, angles),
            turn(keys, angles),
            values,
        )
    )


def _finish(
    states: Tensor, told: Tensor, rest: tuple[Tensor, ...], norm: Any, feed_forward: Any
) -> Tensor:
    """Add what an attention tells, and what the frozen feed-forward makes of both."""
    gate, shift, scale, gate_after = rest
    states = states + gate[:, None] * told
    normed = norm(states) * (1 + scale[:, None]) + shift[:, None]
    return states + gate_after[:, None] * feed_forward(normed)


def _layers(block: Any) -> dict[str, nn.Linear]:
    """Return the layers of a block that the second stream has of its own."""
    attention = block.attn
    layers = {name: getattr(attention, name) for name in (*PICTURE, *INSTRUCTION)}
    layers |= {"to_out": attention.to_out[0], ASK: attention.to_q}
    layers |= {name: getattr(block, name).linear for name in ("norm1", "norm1_context")}
    return layers if block.context_pre_only else {**layers, "to_add_out": attention.to_add_out}


def _copy_embedders(model: Any) -> nn.ModuleDict:
    parts = {
        "patch": model.pos_embed.proj,
        "time_text": model.time_text_embed,
        "context": model.context_embedder,
    }
    return nn.ModuleDict({name: _copy(part) for name, part in parts.items()})


def _copy(part: nn.Module) -> nn.Module:
    return copy.deepcopy(part).requires_grad_(True)


def _join(heads: Tensor) -> Tensor:
    return heads.transpose(1, 2).flatten(2)
