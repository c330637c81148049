"""Tokens of a condition run through a frozen FLUX beside the picture's, which read them."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.utils.hooks import RemovableHandle

from fusion.conditions.aligned import Aligned, align
from fusion.conditions.checks import check_counts
from fusion.conditions.contract import FLUX, Condition, Host, Injector, Step
from fusion.conditions.joint_attention import (
    Added,
    Asked,
    Found,
    Shared,
    Source,
    check_joint,
    let_read,
)
from fusion.conditions.keyword_scope import KeywordScope
from fusion.conditions.low_rank import Lora
from fusion.conditions.rotary import Angles, grid, turn
from fusion.contract.options import check_choice
from modalities.diffusion.decoupled import split_heads

LATENT, TOKENS = "latent", "tokens"
INTERPOLATED, OFFSET = "interpolated", "offset"  # where a condition's picture lies
ALL, ALIGNED, ADDED, KEYWORD = "all", "aligned", "added", "keyword"  # who reads which tokens
FACES = ("q", "k", "v", "out")


@dataclass(frozen=True)
class BranchOptions:
    """How tokens of a condition are made, run and read.

    Attributes:
        rank: Of each change of a layer.
        alpha: A change counts alpha / rank.
        source: "latent" where the condition is a picture's latents, "tokens" where it is tokens.
        patch: Side of the blocks of latents that are one token.
        token_dim: Width of tokens; 0 for that of the packed latents, which need no layer.
        positions: "interpolated" where a condition lies on the picture, whatever its size,
            "offset" where it lies below it.
        offset: How far below, in tokens; 0 for the height of the picture.
        read: "all": text and picture read all its tokens. "aligned": each place of the picture
            reads those at its position, in one softmax with all else. "added": each place is added
            the value at its position. "keyword": places that look at a keyword read all tokens.
        reach: How many tokens around its position a place reads as well, for "aligned".
        threshold: How much of the most attention to a keyword a place needs, for "keyword".
        remembered: Whether that is of the step before, which saves reckoning it first.
        chained: Whether the change of a double block's last layer reads what that layer returns,
            as in the released weights, and not what it reads.
        gates: Whether each attention learns what the condition counts, from 0.
    """

    rank: int = 128
    alpha: float = 128.0
    source: str = LATENT
    patch: int = 2
    token_dim: int = 0
    positions: str = INTERPOLATED
    offset: int = 0
    read: str = ALL
    reach: int = 0
    threshold: float = 0.4
    remembered: bool = False
    chained: bool = False
    gates: bool = True

    def __post_init__(self):
        check_counts(self, "rank", "patch")
        check_choice("source", self.source, (LATENT, TOKENS))
        check_choice("positions", self.positions, (INTERPOLATED, OFFSET))
        check_choice("read", self.read, (ALL, ALIGNED, ADDED, KEYWORD))
        for name in ("token_dim", "offset", "reach"):
            if getattr(self, name) < 0:
                raise ValueError(f"Option {name!r} is {getattr(self, name)}; expected 0 or more.")
        if not 0 <= self.threshold <= 1:
            raise ValueError(f"threshold is {self.threshold}; expected 0 to 1.")


class TokenBranch(Injector):
    """Lets FLUX read tokens of a condition, which see nothing but themselves.

    They run through the frozen blocks at time 0, with changes of low rank that nothing else goes
    through. So keys and values depend on no noise, time or other condition: they are made at the
    first step and kept, and conditions that were trained apart are put in together. Under guidance
    they are modulated by the text's vector of the last rows, those with a text.

    Args:
        model: diffusers' FluxTransformer2DModel.
        options: How tokens are made and read.

    Raises:
        ValueError: Another denoiser, one whose attentions were changed, or a width that it lacks.

    Source:
        EasyControl, arXiv 2503.07027; "aligned", "added" and "keyword": PKA, arXiv 2602.06850.
    """

    Options = BranchOptions
    backbones = (FLUX,)

    def __init__(self, model: Any, options: BranchOptions):
        super().__init__(model, options)
        self.width, self.axes = model.config.in_channels, len(model.config.axes_dims_rope)
        if options.source == LATENT and self.width % options.patch**2:
            raise ValueError(f"patch is {options.patch}; this denoiser's tokens are {self.width}.")
        self.changes = nn.ModuleList()
        for name, block in _blocks(model):
            check_joint(name, block.attn)
            layers = _layers(block.attn)
            self.changes.append(
                nn.ModuleDict(
                    {
                        face: Lora(layer, options.rank, options.chained and face == "out")
                        for face, layer in layers.items()
                    }
                )
            )
        self.gates = nn.Parameter(torch.zeros(len(self.changes))) if options.gates else None
        own = options.source == TOKENS and options.token_dim
        self.enter = nn.Linear(options.token_dim, model.inner_dim) if own else None
        self.scope = KeywordScope(options.threshold, options.remembered)
        self._places = 0  # of the picture, at the step that is under way

    @property
    def needs(self) -> tuple[str, ...]:
        """Latents of a picture, or tokens; a vector that marks a keyword of the text."""
        marks = ("vector",) if self.options.read == KEYWORD else ()
        return (self.options.source, *marks)

    def check(self, conditions: Mapping[str, Condition]) -> None:
        """Check what it is told, by kind.

        Raises:
            ValueError: Kinds, sizes or scales that it cannot run.
        """
        super().check(conditions)
        given, patch = conditions[self.options.source], self.options.patch
        if given.scale < 0:
            raise ValueError(f"{given.name!r} has the scale {given.scale:g}; expected 0 or more.")
        if given.kind == TOKENS:
            width, axes = self.options.token_dim or self.width, given.positions
            if given.data.shape[-1] != width:
                raise ValueError(
                    f"The tokens {given.name!r} are {given.data.shape[-1]} wide; expected {width}."
                )
            if axes is not None and axes.shape[-1] != self.axes:
                raise ValueError(
                    f"positions of {given.name!r} have {axes.shape[-1]} axes; expected {self.axes}."
                )
            return
        channels, height, width = given.data.shape[1:]
        if channels * patch**2 != self.width or height % patch or width % patch:
            raise ValueError(
                f"The latent {given.name!r} is {[channels, height, width]}; expected "
                f"{self.width // patch**2} channels, height and width multiples of {patch}."
            )

    def encode(self, conditions: Mapping[str, Condition], host: Host) -> dict[str, Tensor]:
        """Run the condition's tokens alone, and return what each attention is to read of them.

        Returns:
            "keys-0", "values-0" and so on, each [rows, tokens, dim]; "mask" where some tokens are
            not real, [rows, tokens]; "index" and "there" where places read tokens of their own.

        Raises:
            ValueError: The keyword is marked for another number of the text's tokens.
        """
        given, model, step = conditions[self.options.source], host.model, host.step
        places = picture_grid(step)
        states, ids, size = self._tokens(model, given, places)
        cosines, sines = model.pos_embed(ids.flatten(0, 1).to(states.device))
        angles = tuple(one.unflatten(0, ids.shape[:2])[:, None] for one in (cosines, sines))
        found = self._run(model, states, self._modulation(host, given.rows), angles, given.mask)
        if given.mask is not None:
            found["mask"] = given.mask
        if self.options.read in (ALIGNED, ADDED):
            reach = self.options.reach if self.options.read == ALIGNED else 0
            on = places if given.kind == LATENT else (1, places[0] * places[1])
            for name, value in zip(("index", "there"), align(on, size, reach), strict=True):
                found[name] = value[None].expand(given.rows, -1, -1).to(states.device)
        if "vector" in conditions:
            found["marks"] = _marks(conditions["vector"], step)
        return found

    def _tokens(
        self, model: Any, given: Condition, places: tuple[int, int]
    ) -> tuple[Tensor, Tensor, tuple[int, int]]:
        """Return tokens, [rows, tokens, dim], their positions, [rows, tokens, axes], and grid."""
        weight = model.x_embedder.weight
        data = given.data.to(weight)
        if given.kind == TOKENS:
            states = model.x_embedder(data) if self.enter is None else self.enter(given.data)
            size = (1, data.shape[1])
            if given.positions is not None:
                return states.to(weight), given.positions, size
            at = grid(1, size[1], data.device).flip(-1)  # one below the other
        else:
            size = (data.shape[2] // self.options.patch, data.shape[3] // self.options.patch)
            packed = functional.pixel_unshuffle(data, self.options.patch)
            states, at = model.x_embedder(packed.flatten(2).mT), grid(*size, data.device)
            if self.options.positions == INTERPOLATED:
                at = at * torch.tensor([places[0] / size[0], places[1] / size[1]]).to(at)
        if given.kind == TOKENS or self.options.positions == OFFSET:
            at = at + torch.tensor([self.options.offset or places[0], 0]).to(at)
        ids = functional.pad(at, (self.axes - 2, 0))
        return states, ids.expand(given.rows, -1, -1), size

    def _modulation(self, host: Host, rows: int) -> Tensor:
        """Return what blocks are told of time 0 and of the text's vector, [rows, dim]."""
        assert self.told is not None
        # The last rows that read each condition: under guidance, those with a text.
        numbers = self.told.numbers(len(host.step.pictures)).tolist()
        last = [len(numbers) - 1 - numbers[::-1].index(row) for row in range(rows)]
        told = host.step.take(torch.tensor(last))
        pooled, guidance = told["pooled_projections"], told.get("guidance")
        time = pooled.new_zeros(rows)
        if guidance is None:
            return host.model.time_text_embed(time, pooled)
        strength = guidance.to(pooled).expand(rows) * 1000
        return host.model.time_text_embed(time, strength, pooled)

    def _run(
        self, model: Any, states: Tensor, modulation: Tensor, angles: Any, mask: Tensor | None
    ) -> dict[str, Tensor]:
        found, seen = {}, None if mask is None else mask[:, None, None]
        last = len(self.changes) - 1
        for number, ((_, block), changes) in enumerate(
            zip(_blocks(model), self.changes, strict=True)
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
        output, strength = layer(states), self.options.alpha / self.options.rank
        read = output if self.options.chained and face == "out" else states
        return output + strength * changes[face](read)

    def before(self, step: Step) -> None:
        """Note how many places the picture has, and begin a step of the keyword's scope."""
        self._places = step.pictures.shape[1]
        self.scope.begin(self.told)

    def install(self, model: Any) -> list[RemovableHandle]:
        """Let each attention read the condition."""
        return [
            let_read(block.attn, Source(partial(self._reads, number), partial(self._read, number)))
            for number, (_, block) in enumerate(_blocks(model))
        ]

    def _reads(self, number: int) -> bool:
        if not self.on:
            return False
        assert self.told is not None
        return torch.is_grad_enabled() or self.told.keep(
            ("reads", number), lambda: bool(self._weight(number) != 0)
        )

    def _weight(self, number: int) -> Tensor | float:
        """Return what the condition counts in an attention."""
        assert self.told is not None
        if self.gates is None:
            return self.told.scale
        gate = self.gates[number]
        return self.told.scale * torch.where(gate < 0, -gate, gate)  # learns at 0 as well

    def _read(self, number: int, asked: Asked) -> Found:
        told, batch = self.told, len(asked.query)
        assert told is not None and told.values is not None

        def heads_of(name: str) -> Tensor:
            split = split_heads(told.take(f"{name}-{number}", batch), asked.attention.heads)
            if "index" not in told.values:
                return split
            return split[:, :, told.values["index"][0]]  # each place's own

        keys = told.keep(("keys", number, batch), lambda: heads_of("keys"))
        values = told.keep(("values", number, batch), lambda: heads_of("values"))
        weight = self._weight(number)
        if self.options.read == ADDED:
            return Added(weight * values[:, :, :, 0])
        weights = self._weights(number, asked, weight)
        if self.options.read == ALIGNED:
            assert weights is not None
            return Aligned(keys, values, weights)
        return Shared(keys, values, weights)

    def _weights(self, number: int, asked: Asked, weight: Tensor | float) -> Tensor | None:
        """Return what each token counts for each row; None for 1."""
        told, batch = self.told, len(asked.query)
        assert told is not None and told.values is not None
        seen = None
        if "there" in told.values:
            seen = told.take("there", batch)[:, None]  # [batch, 1, places, near]
        if "mask" in told.values:
            mask = told.take("mask", batch)
            real = mask[:, None, None] if seen is None else mask[:, None, told.values["index"][0]]
            seen = real if seen is None else seen & real
        if self.options.read == KEYWORD:
            scope = self.scope.rows(number, asked, told.take("marks", batch), self._places)
            seen = scope if seen is None else seen & scope
        if seen is None:
            if isinstance(weight, float) and weight == 1:
                return None
            seen = asked.query.new_ones(1, 1, 1, told.values[f"keys-{number}"].shape[1])
        return weight * seen.to(asked.query)


def _finish_double(
    block: Any, states: Tensor, told: Tensor, gate: Tensor, rest: list[Tensor]
) -> Tensor:
    """Add what an attention tells, and what the frozen feed-forward makes of both."""
    shift, scale, gate_after = rest
    states = states + gate[:, None] * told
    normed = block.norm2(states) * (1 + scale[:, None]) + shift[:, None]
    return states + gate_after[:, None] * block.ff(normed)


def _blocks(model: Any) -> list[tuple[str, Any]]:
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


def picture_grid(step: Step) -> tuple[int, int]:
    """Return height and width of the picture in tokens, as FLUX is told them."""
    ids = step.arguments["img_ids"]
    ids = ids[0] if ids.ndim == 3 else ids
    height, width = (int(axis.max() - axis.min()) + 1 for axis in ids[:, -2:].unbind(-1))
    return height, width


def _marks(given: Condition, step: Step) -> Tensor:
    assert step.text is not None
    if given.data.shape[-1] != step.text.shape[1]:
        raise ValueError(
            f"The vector {given.name!r} marks {given.data.shape[-1]} tokens of the text; it has "
            f"{step.text.shape[1]}."
        )
    return given.data
