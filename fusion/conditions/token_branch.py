"""Tokens of a condition run through a frozen FLUX beside the picture's, which read them."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.utils.hooks import RemovableHandle

from fusion.conditions.checks import check_counts
from fusion.conditions.contract import Condition, Host, Injector, Step
from fusion.conditions.flux_stream import FluxStream, flux_blocks
from fusion.conditions.joint_attention import (
    Added,
    Asked,
    Found,
    Shared,
    Source,
    let_read,
)
from fusion.conditions.keyword_scope import KeywordScope
from fusion.conditions.rotary import grid
from fusion.contract.options import check_choice
from modalities.aligned_attention import Aligned, align
from modalities.diffusion.decoupled import split_heads
from modalities.diffusion.networks import FLUX

LATENT, TOKENS = "latent", "tokens"
INTERPOLATED, OFFSET = "interpolated", "offset"  # where a condition's picture lies
ALL, ALIGNED, ADDED, KEYWORD = "all", "aligned", "added", "keyword"  # who reads which tokens


@dataclass(frozen=True)
class BranchOptions:
    """How tokens of a condition are made, run and read.

    Attributes:
        rank: Inner width of each change to a layer.
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
        self.stream = FluxStream(model, options.rank, options.alpha, options.chained)
        count = len(self.stream.changes)
        self.gates = nn.Parameter(torch.zeros(count)) if options.gates else None
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
        found = self.stream(model, states, self._modulation(host), angles, given.mask)
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

    def _modulation(self, host: Host) -> Tensor:
        """Return what blocks are told of time 0 and of the text's vector, [rows, dim]."""
        assert self.told is not None
        told = host.step.take(self.told.last_rows(len(host.step.pictures)))
        pooled, guidance = told["pooled_projections"], told.get("guidance")
        time = pooled.new_zeros(len(pooled))
        if guidance is None:
            return host.model.time_text_embed(time, pooled)
        strength = guidance.to(pooled).expand(len(pooled)) * 1000
        return host.model.time_text_embed(time, strength, pooled)

    def before(self, step: Step) -> None:
        """Note how many places the picture has, and begin a step of the keyword's scope."""
        self._places = step.pictures.shape[1]
        self.scope.begin(self.told)

    def install(self, model: Any) -> list[RemovableHandle]:
        """Let each attention read the condition."""
        return [
            let_read(block.attn, Source(partial(self._reads, number), partial(self._read, number)))
            for number, (_, block) in enumerate(flux_blocks(model))
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
        told, batch, heads = self.told, len(asked.query), asked.attention.heads
        assert told is not None
        keys, values = (
            told.keep(key, partial(self._heads, f"{key[0]}-{number}", batch, heads))
            for key in (("keys", number, batch), ("values", number, batch))
        )
        weight = self._weight(number)
        if self.options.read == ADDED:
            return Added(weight * values[:, :, :, 0])
        weights = self._weights(number, asked, weight)
        if self.options.read == ALIGNED:
            assert weights is not None
            return Aligned(keys, values, weights)
        return Shared(keys, values, weights)

    def _heads(self, name: str, batch: int, heads: int) -> Tensor:
        """Return keys or values, those of each place where it reads its own."""
        told = self.told
        assert told is not None and told.values is not None
        split = split_heads(told.take(name, batch), heads)
        return split[:, :, told.values["index"][0]] if "index" in told.values else split

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
