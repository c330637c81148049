"""What the attentions of an MM-DiT read of conditions, beside their own tokens."""

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional
from torch.utils.hooks import RemovableHandle

from fusion.conditions.rotary import Angles, turn
from modalities.aligned_attention import Aligned, attend_aligned
from modalities.diffusion.decoupled import split_heads

KNOWN = ("FluxAttnProcessor", "JointAttnProcessor2_0")


@dataclass(frozen=True, eq=False)
class Asked:
    """What an attention asks. Rows of a text come first, then those of the picture.

    Attributes:
        attention: diffusers' Attention or FluxAttention, for its layers.
        states: What its layers for the picture read, [batch, places, dim]; in FLUX's single
            blocks the text comes first.
        query: [batch, heads, rows, head_dim].
        keys: One for each row, [batch, heads, rows, head_dim].
        values: What is read at each key, [batch, heads, rows, head_dim].
    """

    attention: Any
    states: Tensor
    query: Tensor
    keys: Tensor
    values: Tensor


@dataclass(frozen=True, eq=False)
class Shared:
    """Tokens that all rows read, in one softmax with their own.

    Attributes:
        keys: [batch, heads, tokens, head_dim].
        values: What is read at each key, [batch, heads, tokens, head_dim].
        weights: What each counts, 0 for one that a row does not read; fits
            [batch, 1, rows, tokens]; None for 1, as an own token.
    """

    keys: Tensor
    values: Tensor
    weights: Tensor | None = None


@dataclass(frozen=True, eq=False)
class Added:
    """What is added to what the picture's rows found, [batch, heads, places, head_dim]."""

    values: Tensor


Found = Shared | Aligned | Added


@dataclass(frozen=True, eq=False)
class Source:
    """What lets an attention read something.

    Attributes:
        reads: Tells whether there is something now; where not, the attention is what it was.
        read: Returns it.
    """

    reads: Callable[[], bool]
    read: Callable[[Asked], Found]


class JointProcessor:
    """Takes the place of an MM-DiT attention's arithmetic while something is read beside.

    It belongs to no module, so that the denoiser's own parameters stay what they were.

    Args:
        old: The arithmetic of diffusers, which it leaves to where nothing is read.
    """

    def __init__(self, old: Any):
        self.old = old
        self.sources: OrderedDict[int, Source] = OrderedDict()

    def __call__(
        self,
        attn: Any,
        hidden_states: Tensor,
        encoder_hidden_states: Tensor | None = None,
        attention_mask: Tensor | None = None,
        image_rotary_emb: Angles | None = None,
    ) -> Any:
        """Attend; the names of arguments are diffusers'.

        Args:
            attn: The attention, for its layers.
            hidden_states: [batch, places, dim].
            encoder_hidden_states: The text's tokens, [batch, tokens, dim]; None in single blocks.
            attention_mask: diffusers'; None where conditions are told.
            image_rotary_emb: Cosines and sines of text and picture, [rows, head_dim], or None.

        Returns:
            What diffusers' arithmetic returns.

        Raises:
            ValueError: A mask where conditions are told.
        """
        active = [source for source in self.sources.values() if source.reads()]
        if not active:
            given = {} if image_rotary_emb is None else {"image_rotary_emb": image_rotary_emb}
            return self.old(attn, hidden_states, encoder_hidden_states, attention_mask, **given)
        if attention_mask is not None:
            raise ValueError(
                "An attention was told a mask beside conditions; expected none of both."
            )
        asked = _ask(attn, hidden_states, encoder_hidden_states, image_rotary_emb)
        found = attend_beside(asked, [source.read(asked) for source in active])
        joined = found.transpose(1, 2).flatten(2).to(hidden_states.dtype)
        return _answer(attn, joined, None if encoder_hidden_states is None else hidden_states)


def _ask(attention: Any, states: Tensor, text: Tensor | None, rotary: Angles | None) -> Asked:
    """Run an attention's layers on text and picture."""
    heads = attention.heads
    query, keys, values = (
        split_heads(layer(states), heads)
        for layer in (attention.to_q, attention.to_k, attention.to_v)
    )
    query, keys = norm_heads(attention.norm_q, query), norm_heads(attention.norm_k, keys)
    if text is not None:
        added = (
            split_heads(layer(text), heads)
            for layer in (attention.add_q_proj, attention.add_k_proj, attention.add_v_proj)
        )
        text_query, text_keys, text_values = added
        query = torch.cat([norm_heads(attention.norm_added_q, text_query), query], 2)
        keys = torch.cat([norm_heads(attention.norm_added_k, text_keys), keys], 2)
        values = torch.cat([text_values, values], 2)
    if rotary is not None:
        query, keys = turn(query, rotary), turn(keys, rotary)
    return Asked(attention, states, query, keys, values)


def norm_heads(norm: Any, states: Tensor) -> Tensor:
    """Return queries or keys after an attention's norm, where it has one."""
    return states if norm is None else norm(states)


def _answer(attention: Any, joined: Tensor, picture: Tensor | None) -> Any:
    """Return what diffusers' arithmetic returns of what was found, [batch, rows, dim]."""
    if picture is None:
        return joined if attention.pre_only else attention.to_out[1](attention.to_out[0](joined))
    text = joined.shape[1] - picture.shape[1]
    told, found = (part.contiguous() for part in joined.split([text, picture.shape[1]], 1))
    if not attention.context_pre_only:
        told = attention.to_add_out(told)
    return attention.to_out[1](attention.to_out[0](found)), told


def attend_beside(asked: Asked, reads: list[Found]) -> Tensor:
    """Attend to an attention's own tokens and to what is read beside.

    Args:
        asked: What the attention asks.
        reads: What there is; of `Aligned` and `Added` each place reads its own.

    Returns:
        [batch, heads, rows, head_dim].
    """
    shared = [one for one in reads if isinstance(one, Shared)]
    aligned = [one for one in reads if isinstance(one, Aligned)]
    keys = torch.cat([asked.keys, *(one.keys.to(asked.keys) for one in shared)], 2)
    values = torch.cat([asked.values, *(one.values.to(asked.values) for one in shared)], 2)
    weights = _weights(asked, shared)
    places = aligned[0].keys.shape[2] if aligned else 0
    text, picture = asked.query.split([asked.query.shape[2] - places, places], 2)
    found = attend_weighted(text, keys, values, _head(weights, text.shape[2]))
    if places:
        own = None if weights is None else _tail(weights, places)
        found = torch.cat([found, attend_aligned(picture, keys, values, aligned, own)], 2)
    for one in reads:
        if isinstance(one, Added):
            missing = found.shape[2] - one.values.shape[2]
            found = found + functional.pad(one.values.to(found), (0, 0, missing, 0))
    return found


def attend_weighted(query: Tensor, keys: Tensor, values: Tensor, weights: Tensor | None) -> Tensor:
    """Attend to tokens that count differently.

    Args:
        query: [batch, heads, rows, head_dim].
        keys: [batch, heads, tokens, head_dim].
        values: What is read at each key, [batch, heads, tokens, head_dim].
        weights: What each token counts, as if it stood there so often; fits
            [batch, 1, rows, tokens]; None for 1.
    """
    if weights is None:
        return functional.scaled_dot_product_attention(query, keys, values)
    if torch.is_grad_enabled():  # so that a weight of 0 learns
        return attend_aligned(query, keys, values, (), weights)
    bias = weights.log().to(query.dtype)
    return functional.scaled_dot_product_attention(query, keys, values, attn_mask=bias)


def _weights(asked: Asked, shared: list[Shared]) -> Tensor | None:
    """Return what own and shared tokens count, [batch or 1, 1, rows or 1, tokens]."""
    told = [one.weights for one in shared if one.weights is not None]
    if not told:
        return None
    batch, rows = (max(one.shape[axis] for one in told) for axis in (0, 2))
    one = asked.keys.new_ones(1, 1, 1, 1)
    counts = [(one, asked.keys.shape[2])]
    counts += [
        (one if read.weights is None else read.weights.to(one), read.keys.shape[2])
        for read in shared
    ]
    return torch.cat([count.expand(batch, 1, rows, tokens) for count, tokens in counts], -1)


def _head(weights: Tensor | None, rows: int) -> Tensor | None:
    return weights if weights is None or weights.shape[2] == 1 else weights[:, :, :rows]


def _tail(weights: Tensor, rows: int) -> Tensor:
    return weights if weights.shape[2] == 1 else weights[:, :, -rows:]


class _Reading(RemovableHandle):
    """Takes a source off an attention; with the last, the arithmetic is diffusers' own again."""

    def __init__(self, attention: Any, source: Source):
        processor = attention.processor
        if not isinstance(processor, JointProcessor):
            processor = JointProcessor(processor)
            attention.set_processor(processor)
        super().__init__(processor.sources)
        processor.sources[self.id] = source
        self.attention, self.processor = attention, processor

    def remove(self) -> None:
        super().remove()
        if not self.processor.sources and self.attention.processor is self.processor:
            self.attention.set_processor(self.processor.old)


def let_read(attention: Any, source: Source) -> RemovableHandle:
    """Let an attention of an MM-DiT read something beside its own tokens, until it is removed.

    Args:
        attention: diffusers' Attention or FluxAttention.
        source: What there is.
    """
    return _Reading(attention, source)


def check_joint(name: str, attention: Any) -> None:
    """Check that an attention has diffusers' own arithmetic for an MM-DiT, with layers apart.

    Raises:
        ValueError: It has another one, as an IP-Adapter brings, or its layers were fused.
    """
    processor = attention.processor
    old = processor.old if isinstance(processor, JointProcessor) else processor
    fused = getattr(attention, "fused_projections", False)
    if type(old).__name__ not in KNOWN or fused:
        odd = "fused layers" if fused else f"a {type(old).__name__}"
        raise ValueError(f"The attention {name} has {odd}; expected a plain {' or '.join(KNOWN)}.")
