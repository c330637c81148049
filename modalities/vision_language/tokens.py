"""Texts as numbers, cut where a model reads no further."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

from torch import Tensor

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase


class Tokens(NamedTuple):
    """Texts as numbers.

    Attributes:
        ids: [texts, tokens].
        mask: [texts, tokens], 1 where real.
        cut: Numbers of the texts that were longer than the model reads, and are cut.
    """

    ids: Tensor
    mask: Tensor
    cut: tuple[int, ...]


def tokenize(
    tokenizer: "PreTrainedTokenizerBase", texts: Sequence[str], longest: int | None = None
) -> Tokens:
    """Turn texts into numbers.

    Args:
        tokenizer: Pads on the side that its model expects.
        texts: One or more, each of which may be empty.
        longest: Tokens that are kept of each, its end marks among them; None cuts nothing.
    """
    whole = tokenizer(list(texts), padding=False, verbose=False)["input_ids"]
    cut = tuple(n for n, ids in enumerate(whole) if longest is not None and len(ids) > longest)
    found = tokenizer(
        list(texts),
        padding=True,
        truncation=longest is not None,
        max_length=longest,
        return_tensors="pt",
    )
    return Tokens(found["input_ids"], found["attention_mask"], cut)
