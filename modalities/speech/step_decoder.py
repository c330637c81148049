"""Whisper's decoder, one token at a time, over the modules of a transformers model.

The linear layers are called as modules, so adapters that wrap a linear layer take part. What is
left out is the bookkeeping around them, which costs more than the arithmetic on a small model.
"""

from dataclasses import dataclass
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn.functional import scaled_dot_product_attention
from transformers.models.whisper.modeling_whisper import (
    WhisperAttention,
    WhisperDecoderLayer,
    WhisperForConditionalGeneration,
)


def lay_out_for_steps(model: WhisperForConditionalGeneration) -> None:
    """Store the decoder's tall matrices column by column, values unchanged.

    A product of one row with a tall matrix stored that way runs two to three times faster on a
    CPU; a wide one is fastest as it is.

    Args:
        model: Changed in place; on another device than the CPU nothing is done.
    """
    if model.device.type != "cpu":
        return
    for linear in model.model.decoder.modules():
        if isinstance(linear, nn.Linear) and linear.out_features > linear.in_features:
            linear.weight.data = linear.weight.data.t().contiguous().t()


def is_plain(model: WhisperForConditionalGeneration) -> bool:
    """Tell whether the decoder's blocks are transformers' own, whatever its linear layers are."""
    layers = list(model.model.decoder.layers)
    return all(
        type(layer) is WhisperDecoderLayer
        and type(layer.self_attn) is WhisperAttention
        and type(layer.encoder_attn) is WhisperAttention
        for layer in layers
    )


@dataclass
class StepState:
    """Keys and values of one window, and the cross-attention queries of the tokens read.

    Attributes:
        cross: Per layer keys and values of the encoder states, [batch, heads, frames, head_dim].
        past: Per layer keys and values of the tokens read, [batch, heads, max_tokens, head_dim].
        tokens: How many tokens were read.
        queries: Per layer the scaled cross-attention queries of what was read last, [batch, heads,
            tokens, head_dim]; None unless asked for.
    """

    cross: list[tuple[Tensor, Tensor]]
    past: list[tuple[Tensor, Tensor]]
    tokens: int = 0
    queries: list[Tensor] | None = None


class StepDecoder:
    """Reads tokens and gives the logits of the next one.

    Args:
        model: A Whisper whose decoder blocks are transformers' own.
    """

    def __init__(self, model: WhisperForConditionalGeneration):
        self.decoder = model.model.decoder
        self.layers = cast(list[WhisperDecoderLayer], list(self.decoder.layers))
        self.head = model.proj_out
        self.halves = _split_head(self.head)
        self.max_tokens: int = model.config.max_target_positions

    def start(self, states: Tensor) -> StepState:
        """Project encoder states once for all tokens.

        Args:
            states: Encoder output, [batch, frames, dim].
        """
        cross = []
        for layer in self.layers:
            attention = layer.encoder_attn
            keys = _split_heads(attention.k_proj(states), attention)
            values = _split_heads(attention.v_proj(states), attention)
            cross.append((keys.contiguous(), values.contiguous()))
        return self.restart(StepState(cross, []))

    def restart(self, state: StepState) -> StepState:
        """Return a state over the same sound that has read nothing."""
        past = []
        for keys, _ in state.cross:
            shape = (*keys.shape[:2], self.max_tokens, keys.shape[-1])
            past.append((keys.new_empty(shape), keys.new_empty(shape)))
        return StepState(state.cross, past)

    def read(self, state: StepState, tokens: Tensor, keep_queries: bool = False) -> Tensor:
        """Read tokens and return the decoder's last hidden states.

        Args:
            state: From `start`; changed in place. Several tokens at once only on a fresh state.
            tokens: [batch, tokens].
            keep_queries: Collect the cross-attention queries, for word times.

        Returns:
            [batch, tokens, dim].
        """
        position = state.tokens
        hidden = self.decoder.embed_tokens(tokens)
        hidden = hidden + self.decoder.embed_positions(tokens, past_key_values_length=position)
        state.queries = [] if keep_queries else None
        for index in range(len(self.layers)):
            hidden = self._block(state, index, hidden)
        state.tokens = position + tokens.shape[1]
        return self.decoder.layer_norm(hidden)

    def logits(self, hidden: Tensor) -> Tensor:
        """Give next-token logits, [vocabulary], of one hidden state, [dim]."""
        if self.halves is None:
            return self.head(hidden)
        both = torch.bmm(hidden.expand(2, 1, -1), self.halves)  # [2, 1, vocabulary / 2]
        return both.flatten()[: self.head.out_features]

    def _block(self, state: StepState, index: int, hidden: Tensor) -> Tensor:
        layer = self.layers[index]
        hidden = hidden + self._self_attention(state, index, hidden)
        attention = layer.encoder_attn
        normed = layer.encoder_attn_layer_norm(hidden)
        queries = _split_heads(attention.q_proj(normed) * attention.scaling, attention)
        if state.queries is not None:
            state.queries.append(queries)
        mixed = scaled_dot_product_attention(queries, *state.cross[index], scale=1.0)
        hidden = hidden + attention.out_proj(_join_heads(mixed))
        normed = layer.final_layer_norm(hidden)
        return hidden + layer.fc2(layer.activation_fn(layer.fc1(normed)))

    def _self_attention(self, state: StepState, index: int, hidden: Tensor) -> Tensor:
        layer = self.layers[index]
        attention = layer.self_attn
        normed = layer.self_attn_layer_norm(hidden)
        start, stop = state.tokens, state.tokens + hidden.shape[1]
        keys, values = state.past[index]
        keys[:, :, start:stop] = _split_heads(attention.k_proj(normed), attention)
        values[:, :, start:stop] = _split_heads(attention.v_proj(normed), attention)
        mixed = scaled_dot_product_attention(
            _split_heads(attention.q_proj(normed) * attention.scaling, attention),
            keys[:, :, :stop],
            values[:, :, :stop],
            scale=1.0,
            is_causal=hidden.shape[1] > 1,
        )
        return attention.out_proj(_join_heads(mixed))


def _split_head(head: nn.Module) -> Tensor | None:
    """Copy the output matrix as two halves, [2, dim, vocabulary / 2], that two threads share.

    One row times the whole matrix, which is most of a token's time, runs on one thread. None on
    other devices than the CPU, and where the head is no plain linear layer.
    """
    if type(head) is not nn.Linear or head.weight.device.type != "cpu":
        return None
    weight = nn.functional.pad(head.weight, (0, 0, 0, head.out_features % 2))
    return weight.detach().unflatten(0, (2, -1)).transpose(1, 2).contiguous()


def _split_heads(values: Tensor, attention: WhisperAttention) -> Tensor:
    return values.unflatten(-1, (attention.num_heads, attention.head_dim)).transpose(1, 2)


def _join_heads(values: Tensor) -> Tensor:
    return values.transpose(1, 2).flatten(2)
