"""What kinds of language models differ in, for those that give them pictures."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Protocol

from torch import Tensor, nn

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase


class Family(Protocol):
    """One kind of encoder-decoder language model of transformers."""

    def classes(self) -> tuple[Any, Any]:
        """Return the classes of its config and of its model with a head for words."""
        ...

    def special_ids(self, tokenizer: "PreTrainedTokenizerBase") -> Mapping[str, Any]:
        """Return what its config has to say of a tokenizer, the size of the vocabulary not."""
        ...

    def norm(self, config: Any, dim: int) -> nn.Module:
        """Build the norm that follows a projection of features."""
        ...

    def start_embedding(self, config: Any, embedding: nn.Module) -> None:
        """Draw the first weights of a visual embedding, as the published training did."""
        ...

    def grown(self, vocabulary: int) -> int:
        """Return the size of a published model's vocabulary when the added tokens are in."""
        ...

    def row_deviation(self, config: Any) -> float:
        """Return the standard deviation of rows that are added to the token table."""
        ...

    def opening(self, config: Any) -> tuple[int, ...]:
        """Return the ids that the decoder is given before the first word of an answer."""
        ...

    def longest_text(self, config: Any) -> int | None:
        """Return how many tokens of text have a position; None where there is no end."""
        ...

    def encode(self, model: Any, ids: Tensor, mask: Tensor, visual: Tensor) -> Tensor:
        """Run the model's own encoder on words, and visual tokens after them.

        Args:
            model: The instance of the second class of `classes` whose encoder is run.
            ids: [batch, text].
            mask: 1 where real, [batch, text + tokens].
            visual: [batch, tokens, dim].

        Returns:
            [batch, text + tokens, dim].
        """
        ...
