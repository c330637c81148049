"""BART with visual tokens: they join the words behind the norm of the embeddings."""

from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn
from torch.nn.functional import pad

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase


class VlBart:
    """How BART takes visual tokens.

    Source:
        Sung et al. (2022, arXiv 2112.06825), on Cho et al. (2021, arXiv 2102.02779).
    """

    def classes(self) -> tuple[Any, Any]:
        """Return transformers' BartConfig and BartForConditionalGeneration."""
        from transformers import BartConfig, BartForConditionalGeneration

        return BartConfig, BartForConditionalGeneration

    def special_ids(self, tokenizer: "PreTrainedTokenizerBase") -> Mapping[str, Any]:
        """Return the ids of a tokenizer's marks; the decoder starts with the end mark."""
        return dict(
            pad_token_id=tokenizer.pad_token_id,
            bos_token_id=tokenizer.bos_token_id,
            eos_token_id=tokenizer.eos_token_id,
            decoder_start_token_id=tokenizer.eos_token_id,
            forced_eos_token_id=tokenizer.eos_token_id,
        )

    def norm(self, config: Any, dim: int) -> nn.Module:
        """Build a layer norm."""
        return nn.LayerNorm(dim)

    def start_embedding(self, config: Any, embedding: nn.Module) -> None:
        """Draw weights as BART's own are, with zeros for biases."""
        for layer in embedding.modules():
            if isinstance(layer, nn.Linear | nn.Embedding):
                nn.init.normal_(layer.weight, std=config.init_std)
            if isinstance(layer, nn.Linear):
                nn.init.zeros_(layer.bias)

    def grown(self, vocabulary: int) -> int:
        """Return 200 tokens more."""
        return vocabulary + 200

    def row_deviation(self, config: Any) -> float:
        """Return the deviation of BART's own first rows."""
        return config.init_std

    def opening(self, config: Any) -> tuple[int, ...]:
        """Return start and the mark that every target begins with: answers follow at 1."""
        return config.decoder_start_token_id, config.bos_token_id

    def longest_text(self, config: Any) -> int | None:
        """Return the length of the table of positions; visual tokens take none of it."""
        return config.max_position_embeddings

    def encode(self, model: Any, ids: Tensor, mask: Tensor, visual: Tensor) -> Tensor:
        """Run BART's own encoder; visual tokens get neither its norm nor a position."""
        encoder = model.get_encoder()
        if not visual.shape[1]:
            return encoder(input_ids=ids, attention_mask=mask).last_hidden_state
        words = encoder.embed_tokens(ids)
        joined = torch.cat([words, visual.to(words.dtype)], 1)
        with _past_the_norm(encoder, ids.shape[1], joined):
            return encoder(inputs_embeds=joined, attention_mask=mask).last_hidden_state


@contextmanager
def _past_the_norm(encoder: Any, text: int, joined: Tensor) -> Iterator[None]:
    """Have the encoder treat what follows the text as embedded and normed already.

    Hooks are put on for one call, since what stands in these places may be exchanged meanwhile.
    """
    rest = joined.shape[1] - text

    def cut(_module: nn.Module, given: tuple[Any, ...]) -> tuple[Any, ...]:
        return (given[0][:, :text], *given[1:])  # the table of positions may end with the text

    def lengthen(_module: nn.Module, _given: Any, positions: Tensor) -> Tensor:
        return pad(positions, (0, 0, 0, rest))

    def put_back(_module: nn.Module, _given: Any, normed: Tensor) -> Tensor:
        return torch.cat([normed[:, :text], joined[:, text:].to(normed.dtype)], 1)

    with ExitStack() as hooks:
        places = encoder.embed_positions
        for handle in (
            places.register_forward_pre_hook(cut),
            places.register_forward_hook(lengthen),
            encoder.layernorm_embedding.register_forward_hook(put_back),
        ):
            hooks.callback(handle.remove)
        yield
