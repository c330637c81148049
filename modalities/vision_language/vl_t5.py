"""T5 with visual tokens: they join the words as embeddings, without relative positions."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn
from torch.nn.functional import pad

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase


class VlT5:
    """How T5 takes visual tokens.

    Source:
        Cho et al. (2021, arXiv 2102.02779).
    """

    def classes(self) -> tuple[Any, Any]:
        """Return transformers' T5Config and T5ForConditionalGeneration."""
        from transformers import T5Config, T5ForConditionalGeneration

        return T5Config, T5ForConditionalGeneration

    def special_ids(self, tokenizer: "PreTrainedTokenizerBase") -> Mapping[str, Any]:
        """Return the ids of a tokenizer's marks; the decoder starts with padding."""
        return dict(
            pad_token_id=tokenizer.pad_token_id,
            eos_token_id=tokenizer.eos_token_id,
            decoder_start_token_id=tokenizer.pad_token_id,
        )

    def norm(self, config: Any, dim: int) -> nn.Module:
        """Build T5's own norm, which only scales, so that whoever looks for it finds it here."""
        from transformers.models.t5.modeling_t5 import T5LayerNorm

        return T5LayerNorm(dim, eps=config.layer_norm_epsilon)

    def start_embedding(self, config: Any, embedding: nn.Module) -> None:
        """Keep torch's own first weights: T5's start knows nothing of layers not its own."""

    def grown(self, vocabulary: int) -> int:
        """Return 72 rows more: 28 of 32,128 are spare, and 100 tokens of 200 are there."""
        return vocabulary + 72

    def row_deviation(self, config: Any) -> float:
        """Return the deviation of T5's own first rows."""
        return config.initializer_factor

    def opening(self, config: Any) -> tuple[int, ...]:
        """Return the start alone: answers follow at 0."""
        return (config.decoder_start_token_id,)

    def longest_text(self, config: Any) -> int | None:
        """Return None: relative positions have no end."""
        return None

    def encode(self, model: Any, ids: Tensor, mask: Tensor, visual: Tensor) -> Tensor:
        """Run T5's own encoder; its relative positions are kept between words alone."""
        encoder = model.get_encoder()
        if not visual.shape[1]:
            return encoder(input_ids=ids, attention_mask=mask).last_hidden_state
        words = encoder.embed_tokens(ids)
        joined = torch.cat([words, visual.to(words.dtype)], 1)
        with _positions_of_words(encoder, visual.shape[1]):
            return encoder(inputs_embeds=joined, attention_mask=mask).last_hidden_state


@contextmanager
def _positions_of_words(encoder: Any, seen: int) -> Iterator[None]:
    """Leave out the position bias where a visual token looks or is looked at."""

    def clear(_module: nn.Module, _given: Any, bias: Tensor) -> Tensor:  # [tokens, tokens, heads]
        text = bias.shape[0] - seen  # with prompts in front, where there are some
        return pad(bias[:text, :text], (0, 0, 0, seen, 0, seen))

    table = encoder.block[0].layer[0].SelfAttention.relative_attention_bias
    handle = table.register_forward_hook(clear)
    try:
        yield
    finally:
        handle.remove()
