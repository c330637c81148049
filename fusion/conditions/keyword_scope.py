"""Which places of a picture look at a keyword of the text."""

from collections.abc import Hashable

import torch
from torch import Tensor

from fusion.conditions.joint_attention import Asked
from fusion.conditions.steps import Told


class KeywordScope:
    """Finds the places of a picture that attend to a keyword, in each attention.

    Args:
        threshold: How much of the most attention, over the places, one needs.
        remembered: Whether what is found serves the next step; the first one has all places.

    Source:
        PKA, arXiv 2602.06850; that attention is taken by its most is chosen here.
    """

    def __init__(self, threshold: float, remembered: bool):
        self.threshold, self.remembered = threshold, remembered
        self._told: Told | None = None
        self._found: dict[Hashable, Tensor] = {}

    def begin(self, told: Told | None) -> None:
        """Begin a step; what was found for other conditions is forgotten."""
        if told is not self._told:
            self._told, self._found = told, {}

    def rows(self, key: Hashable, asked: Asked, marks: Tensor, places: int) -> Tensor:
        """Return which rows of an attention are places that look at the keyword.

        Args:
            key: Tells the attention from others.
            asked: What it asks; the text's rows come first.
            marks: 1 for each token of the text that is of the keyword, [batch, tokens].
            places: How many rows are the picture's.

        Returns:
            Bool, [batch, 1, rows, 1]; never a row of the text.
        """
        found = self._find(asked, marks, places)
        if not self.remembered:
            return found
        before, self._found[key] = self._found.get(key), found
        if before is None or before.shape != found.shape:
            text = found.shape[2] - places
            return torch.ones_like(found).index_fill(2, torch.arange(text).to(found.device), False)
        return before

    @torch.no_grad()
    def _find(self, asked: Asked, marks: Tensor, places: int) -> Tensor:
        text = asked.query.shape[2] - places
        query, keys = asked.query[:, :, text:], asked.keys[:, :, :text]
        shares = (query @ keys.mT * query.shape[-1] ** -0.5).softmax(-1).mean(1)
        looks = (shares * marks.to(shares)[:, None]).sum(-1)  # [batch, places]
        found = looks >= self.threshold * looks.amax(-1, keepdim=True)
        rows = torch.cat([found.new_zeros(len(found), text), found], 1)
        return rows[:, None, :, None]
