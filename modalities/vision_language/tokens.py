"""Texts as numbers, cut where a model reads no further."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from torch import Tensor

from modalities.hub import reason_of

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


def read_tokenizer(
    kind: Any, folder: Path, files: Sequence[Sequence[str]]
) -> "PreTrainedTokenizerBase":
    """Read the tokenizer of a folder.

    Args:
        kind: The class of transformers that reads it.
        folder: That transformers wrote.
        files: Sets of files, one of which has to be there.

    Raises:
        ValueError: The folder has none that can be read.
    """
    # Without these transformers makes an empty tokenizer, to which all texts are one.
    if not any(all((folder / file).is_file() for file in some) for some in files):
        raise ValueError(
            f"{folder} has no tokenizer; expected {' or '.join(map(' and '.join, files))}"
            " beside the weights. Save it there, or download it again."
        )
    try:
        return kind.from_pretrained(folder, local_files_only=True)
    except Exception as error:  # many classes for the many ways a folder can be damaged
        raise ValueError(
            f"{folder} has no tokenizer that transformers can read ({reason_of(error)}). Save or "
            "download it again."
        ) from error


def words_of(tokenizer: "PreTrainedTokenizerBase | None") -> list[tuple[str, int]] | None:
    """Return the words of a tokenizer and their numbers, sorted; None without one."""
    return None if tokenizer is None else sorted(tokenizer.get_vocab().items())
