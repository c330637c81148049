"""Whisper's decoder, one token at a time, over the modules of a transformers model.

The linear layers are called as modules, so adapters that wrap a linear layer take part. What is
left out is the bookkeeping around them, which costs more than the arithmetic on a small model.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol, cast

import torch
from torch import Tensor, nn
from torch.nn.functional import scaled_dot_product_attention
from transformers.models.whisper.modeling_whisper import (
    WhisperAttention,
    WhisperDecoderLayer,
    WhisperForConditionalGeneration,
)

from modalities.speech.row_products import RowProduct, store_by_columns


def lay_out_for_steps(model: WhisperForConditionalGeneration) -> None:
    """Store the decoder's matrices as reading one token at a time wants them, values unchanged.

    Args:
        model: Changed in place; on another device than the CPU nothing is done.
    """
    if model.device.type != "cpu" or not is_plain(model):
        return
    for layer in cast(list[WhisperDecoderLayer], list(model.model.decoder.layers)):
        for group in _groups(layer)[:-1]:  # the last matrix is wide, and stays
            if all(type(linear) is nn.Linear for linear in group):
                store_by_columns(cast(list[nn.Linear], group))
    if type(model.proj_out) is nn.Linear:
        store_by_columns([model.proj_out])


def is_plain(model: WhisperForConditionalGeneration) -> bool:
    """Tell whether the decoder's blocks are transformers' own, whatever its linear layers are."""
    layers = list(model.model.decoder.layers)
    return all(
        type(layer) is WhisperDecoderLayer
        and type(layer.self_attn) is WhisperAttention
        and type(layer.encoder_attn) is WhisperAttention
        for layer in layers
    )


class Cross(Protocol):
    """What a layer's cross-attention looks at, in whatever form it is kept."""

    def attend(self, queries: Tensor) -> Tensor:
        """Attend with scaled queries, [batch, heads, tokens, head_dim] -> the same."""
        ...

    def keys_of(self, row: int, head: int) -> Tensor:
        """Return the keys that a head of a row sees, [frames, head_dim]."""
        ...

    def tensors(self) -> dict[str, Tensor]:
        """Return what is kept, by name."""
        ...


class KeysValues(NamedTuple):
    """Keys and values of each row.

    Attributes:
        keys: [batch, heads, frames, head_dim].
        values: [batch, heads, frames, head_dim].
    """

    keys: Tensor
    values: Tensor

    def attend(self, queries: Tensor) -> Tensor:
        """Attend; see `Cross`."""
        return scaled_dot_product_attention(queries, self.keys, self.values, scale=1.0)

    def keys_of(self, row: int, head: int) -> Tensor:
        """Return keys; see `Cross`."""
        return self.keys[row, head]

    def tensors(self) -> dict[str, Tensor]:
        """Return both."""
        return self._asdict()


@dataclass
class StepState:
    """Keys and values of one window, and the cross-attention queries of the tokens read.

    Attributes:
        cross: Per layer what is seen of the encoder states.
        past: Per layer keys and values of the tokens read, [batch, heads, max_tokens, head_dim].
        tokens: How many tokens were read.
        queries: Per layer the scaled cross-attention queries of what was read last, [batch, heads,
            tokens, head_dim]; None unless asked for.
    """

    cross: Sequence[Cross]
    past: list[tuple[Tensor, Tensor]]
    tokens: int = 0
    queries: list[Tensor] | None = None

    def cross_bytes(self) -> dict[str, int]:
        """Count the memory that `cross` keeps, all layers together, by the names of its parts."""
        found: dict[str, int] = {}
        counted: set[int] = set()
        for cross in self.cross:
            for name, tensor in cross.tensors().items():
                storage = tensor.untyped_storage()
                new = storage.data_ptr() not in counted
                counted.add(storage.data_ptr())
                found[name] = found.get(name, 0) + new * storage.nbytes()
        return found


class StepDecoder:
    """Reads tokens and gives the logits of the next one.

    Args:
        model: A Whisper whose decoder blocks are transformers' own.
    """

    def __init__(self, model: WhisperForConditionalGeneration):
        self.model = model
        self.decoder = model.model.decoder
        self.layers = cast(list[WhisperDecoderLayer], list(self.decoder.layers))
        self.products: list[list[RowProduct]] = []
        self.max_tokens: int = model.config.max_target_positions

    def start(self, states: Tensor) -> StepState:
        """Project encoder states once for all tokens.

        Args:
            states: Encoder output, [batch, frames, dim].
        """
        return self.begin([self.project(index, states) for index in range(len(self.layers))])

    def project(self, index: int, states: Tensor) -> KeysValues:
        """Return keys and values of encoder states for the cross-attention of a layer.

        Args:
            index: Number of the layer.
            states: Encoder output, [batch, frames, dim].
        """
        attention = self.layers[index].encoder_attn
        keys, values = attention.k_proj(states), attention.v_proj(states)
        parts = (_split_heads(part, attention).contiguous() for part in (keys, values))
        return KeysValues(*parts)

    def begin(self, cross: Sequence[Cross], batch: int | None = None) -> StepState:
        """Return a state over what cross-attention looks at, that has read nothing.

        Args:
            cross: What each layer sees of the sound, in their order.
            batch: How many rows there are; None for those of `KeysValues`.
        """
        # Anew for every window, since adapters come and go.
        self.head = RowProduct(self.model.proj_out)
        self.products = [[RowProduct(*group) for group in _groups(layer)] for layer in self.layers]
        like = next(iter(cross[0].tensors().values()))
        past = []
        for layer in self.layers:
            attention = layer.self_attn
            rows = len(like) if batch is None else batch
            shape = (rows, attention.num_heads, self.max_tokens, attention.head_dim)
            past.append((like.new_empty(shape), like.new_empty(shape)))
        return StepState(cross, past)

    def restart(self, state: StepState) -> StepState:
        """Return a state over the same sound that has read nothing."""
        return StepState(
            state.cross, [(torch.empty_like(k), torch.empty_like(v)) for k, v in state.past]
        )

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
        # The table itself: how its forward is called differs between versions of transformers.
        places = self.decoder.embed_positions.weight[position : position + tokens.shape[1]]
        hidden = hidden + places
        state.queries = [] if keep_queries else None
        for index in range(len(self.layers)):
            hidden = self._block(state, index, hidden)
        state.tokens = position + tokens.shape[1]
        return self.decoder.layer_norm(hidden)

    def logits(self, hidden: Tensor) -> Tensor:
        """Give next-token logits of hidden states, [..., dim] -> [..., vocabulary]."""
        return self.head(hidden.unsqueeze(-2)).squeeze(-2)  # the first axis stays that of rows

    def _block(self, state: StepState, index: int, hidden: Tensor) -> Tensor:
        layer = self.layers[index]
        _, out, cross_query, cross_out, widen, narrow = self.products[index]
        hidden = hidden + out(self._self_attention(state, index, hidden))
        attention = layer.encoder_attn
        normed = layer.encoder_attn_layer_norm(hidden)
        queries = _split_heads(cross_query(normed) * attention.scaling, attention)
        if state.queries is not None:
            state.queries.append(queries)
        mixed = state.cross[index].attend(queries)
        hidden = hidden + cross_out(_join_heads(mixed))
        normed = layer.final_layer_norm(hidden)
        return hidden + narrow(layer.activation_fn(widen(normed)))

    def _self_attention(self, state: StepState, index: int, hidden: Tensor) -> Tensor:
        layer = self.layers[index]
        attention = layer.self_attn
        projected = self.products[index][0](layer.self_attn_layer_norm(hidden))
        query, key, value = projected.chunk(3, -1)
        start, stop = state.tokens, state.tokens + hidden.shape[1]
        keys, values = state.past[index]
        keys[:, :, start:stop] = _split_heads(key, attention)
        values[:, :, start:stop] = _split_heads(value, attention)
        mixed = scaled_dot_product_attention(
            _split_heads(query * attention.scaling, attention),
            keys[:, :, :stop],
            values[:, :, :stop],
            scale=1.0,
            is_causal=hidden.shape[1] > 1,
        )
        return _join_heads(mixed)


def _groups(layer: WhisperDecoderLayer) -> list[list[nn.Module]]:
    """List the linear layers in the order of their use, those that read the same input together."""
    own, cross = layer.self_attn, layer.encoder_attn
    return [
        [own.q_proj, own.k_proj, own.v_proj],
        [own.out_proj],
        [cross.q_proj],
        [cross.out_proj],
        [layer.fc1],
        [layer.fc2],
    ]


def _split_heads(values: Tensor, attention: WhisperAttention) -> Tensor:
    return values.unflatten(-1, (attention.num_heads, attention.head_dim)).transpose(1, 2)


def _join_heads(values: Tensor) -> Tensor:
    return values.transpose(1, 2).flatten(2)
