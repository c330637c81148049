"""What models of sound and text share whose texts are a table."""

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn.functional import normalize

from modalities.encoder import FrozenEncoder
from modalities.printable import check_texts
from modalities.spelling import did_you_mean

PROMPTS = ("the sound of ", "a sound of ", "sound of ")  # said of a text, they change nothing


class TabledAudioText(FrozenEncoder):
    """A frozen model of sound that brings it to the vectors of a table of texts, which stays.

    A subclass gives `rate_hz` and `embed_audio`, and ends its `__init__` by `freeze`.

    Args:
        texts: That it knows, checked by `check_table_texts`.
        dim: Features of an embedding.
        table: Vectors of the texts, [texts, dim]; None takes directions that are as far from
            each other as they can be, the same for the same number of texts.
        name: What was asked for; error messages say it.

    Raises:
        ValueError: A table of another shape.
    """

    table: Tensor

    def __init__(self, texts: Sequence[str], dim: int, table: Tensor | None, name: str):
        super().__init__()
        shape = (len(texts), dim)
        if table is None:
            table = spread_directions(*shape)
        if tuple(table.shape) != shape:
            raise ValueError(
                f"The table has shape {list(table.shape)}; expected {list(shape)}: a vector for "
                "each text. Set dim to the length of the vectors."
            )
        self.name, self.dim, self.texts = name, dim, tuple(texts)
        self.register_buffer("table", normalize(table.detach().float(), dim=-1))
        self._places = {plain_text(text): n for n, text in enumerate(texts)}

    def embed_text(self, texts: Sequence[str]) -> Tensor:
        """Look texts up; small and capital letters, and "The sound of" before them, are alike.

        Args:
            texts: One or more of those that it knows.

        Returns:
            [texts, dim], each of length 1, without gradients.

        Raises:
            ValueError: There is none, or one that it does not know.
        """
        check_texts(texts, self.name)
        for text in texts:
            if plain_text(text) not in self._places:
                meant = did_you_mean(plain_text(text), self._places)
                raise ValueError(
                    f"{self.name} does not know the text {text!r}; expected one of "
                    f"{', '.join(self.texts)}.{meant} A CLAP takes any text."
                )
        return normalize(self.table[[self._places[plain_text(text)] for text in texts]], dim=-1)


def check_table_texts(texts: Sequence[str]) -> None:
    """Raise where no table can be made of texts.

    Raises:
        ValueError: There is none, an empty one, or one twice.
    """
    plain = [plain_text(text) for text in texts]
    twice = sorted({text for text in plain if plain.count(text) > 1 or not text})
    if not plain or twice:
        raise ValueError(
            f"texts has {twice[0]!r} twice or empty; expected different texts."
            if twice
            else "texts is empty; expected one or more, as ['bell', 'noise']."
        )


def plain_text(text: str) -> str:
    """Return a text as it is looked up: small letters, single spaces, without "The sound of"."""
    plain = " ".join(text.lower().split()).rstrip(".")
    for prompt in PROMPTS:
        plain = plain.removeprefix(prompt)
    return plain


def spread_directions(count: int, dim: int) -> Tensor:
    """Return [count, dim] directions at right angles, or at random where there are more than dim.

    The same numbers give the same directions, whatever torch's own generator is at.
    """
    drawn = torch.randn(count, dim, generator=torch.Generator().manual_seed(0))
    if count > dim:
        return normalize(drawn, dim=-1)
    return torch.linalg.qr(drawn.T).Q.T.contiguous()
