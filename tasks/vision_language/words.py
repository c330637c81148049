"""Words that a frozen model is taught beside its adapters: their rows of the token table."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from modalities.vision_language.vl_model import VisionLanguage


class LearntWords(nn.Module):
    """What is added to some rows of a frozen model's token table, at first nothing.

    Adapters change what layers make of words, and find it hard to tell words apart whose vectors
    are still as they were drawn. Here the vectors of a few words are learnt as well; all others
    stay. What is learnt counts wherever the table is read: in the encoder, in the decoder, and in
    the head that scores words, which has rows of its own in T5 1.1.

    Args:
        vl: Gets hooks; its own weights stay.
        words: One or more; each may be several tokens, all of which are learnt.

    Attributes:
        ids: The tokens, [words].
        read: What is added where words are read, [words, dim].
        written: What is added where they are scored, the same parameter where one table does both.

    Raises:
        ValueError: A word is empty or there twice, or the model cannot spell it.

    Source:
        PEFT's trainable tokens do the same for language models.
    """

    ids: Tensor
    place: Tensor

    def __init__(self, vl: VisionLanguage, words: Sequence[str]):
        super().__init__()
        ids, table = find_tokens(vl, words), vl.words
        place = torch.full((len(table),), len(ids))
        place[ids] = torch.arange(len(ids))
        self.register_buffer("ids", torch.tensor(ids), persistent=False)
        self.register_buffer("place", place, persistent=False)
        self.read = nn.Parameter(torch.zeros_like(table[ids]))
        head: Any = vl.model.get_output_embeddings()
        tied = head.weight is table
        self.written = self.read if tied else nn.Parameter(torch.zeros_like(head.weight[ids]))
        for module in vl.model.modules():
            if isinstance(module, nn.Embedding) and module.weight is table:
                module.register_forward_hook(self._add_read)
        head.register_forward_hook(self._add_scores)

    def _add_read(self, module: nn.Module, given: tuple[Any, ...], out: Tensor) -> Tensor:
        rows = torch.cat([self.read, self.read.new_zeros(1, self.read.shape[1])])
        scale = getattr(module, "embed_scale", 1.0)  # some BARTs lengthen what they read
        return out + (rows[self.place[given[0]]] * scale).to(out.dtype)

    def _add_scores(self, _module: nn.Module, given: tuple[Any, ...], out: Tensor) -> Tensor:
        return out.index_add(-1, self.ids, (given[0] @ self.written.T.to(given[0])).to(out.dtype))


def find_tokens(vl: VisionLanguage, words: Sequence[str]) -> list[int]:
    """Return the ids of words' tokens, at the start of a text and inside it, in order.

    Raises:
        ValueError: A word is empty or there twice, or the model cannot spell it.
    """
    if isinstance(words, str) or not all(isinstance(word, str) for word in words):
        raise ValueError(f"Option 'words' is {words!r}; expected a list of words, as [oval, grey].")
    if vl.tokenizer is None:
        raise ValueError(f"{vl.name} has no tokenizer, so that it can be taught no words.")
    found: set[int] = set()
    for number, word in enumerate(words):
        if not word.strip() or word in words[:number]:
            raise ValueError(f"Option 'words' has {word!r} twice or empty; expected each once.")
        ids = {*_ids(vl, word), *_ids(vl, f" {word}")}
        if vl.tokenizer.unk_token_id in ids:
            raise ValueError(
                f"Option 'words': {vl.name} has no tokens for {word!r}. Leave it out, or take "
                "another model."
            )
        found |= ids
    return sorted(found)


def _ids(vl: VisionLanguage, text: str) -> list[int]:
    assert vl.tokenizer is not None
    ids: Any = vl.tokenizer(text, add_special_tokens=False)["input_ids"]
    return ids
