"""Cross-attention of several adapter sets over one encoding: shared in full width, own in low rank.

A set's LoRA on keys and values is not added to them. It stays what it is, the states times A, and B
comes in behind the sum over the frames.
"""

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class LowRank:
    """What LoRAs add to keys or values, not multiplied out.

    Attributes:
        narrow: Encoder states times A, [encodings, sets, frames, rank]; one set where all share A.
        up: B of each set, scaled, [sets, heads, rank, head_dim].
    """

    narrow: Tensor
    up: Tensor

    def added_to(self, encoding: int, number: int, head: int) -> Tensor:
        """Return what a set adds in full width, [frames, head_dim]."""
        own = min(number, self.narrow.shape[1] - 1)
        return self.narrow[encoding, own] @ self.up[number, head]


@dataclass(frozen=True)
class SharedCross:
    """Keys and values that sets share, and what each adds to them; a `Cross` of `StepDecoder`.

    Rows are all sets of the first encoding, then all of the next one.

    Attributes:
        keys: [encodings, heads, frames, head_dim].
        values: [encodings, heads, frames, head_dim].
        low_keys: What sets add to keys; None where none does.
        low_values: What sets add to values; None where none does.
        sets: How many there are.

    Source:
        LRAgent, arXiv 2602.01053, Flash-LoRA-Attention: O = P V + (P V_lr) B. That keys are kept
        likewise, as Q K + (Q B) K_lr, is ours.
    """

    keys: Tensor
    values: Tensor
    low_keys: LowRank | None
    low_values: LowRank | None
    sets: int

    def attend(self, queries: Tensor) -> Tensor:
        """Attend with scaled queries.

        Args:
            queries: [encodings * sets, heads, tokens, head_dim].

        Returns:
            In the same axes.
        """
        asked = queries.unflatten(0, (-1, self.sets)).transpose(1, 2)
        together = asked.flatten(2, 3)  # [encodings, heads, sets * tokens, head_dim]
        scores = (together @ self.keys.mT).unflatten(2, asked.shape[2:4])
        if self.low_keys is not None:
            scores += self._low_scores(asked, self.low_keys)
        weights = scores.softmax(-1)  # [encodings, heads, sets, tokens, frames]
        mixed = (weights.flatten(2, 3) @ self.values).view(asked.shape)
        if self.low_values is not None:
            mixed = mixed + self._low_values(weights, self.low_values)
        return mixed.transpose(1, 2).flatten(0, 1)

    def keys_of(self, row: int, head: int) -> Tensor:
        """Return the keys that a head of a row sees in full width, [frames, head_dim]."""
        encoding, number = divmod(row, self.sets)
        keys = self.keys[encoding, head]
        return (
            keys if self.low_keys is None else keys + self.low_keys.added_to(encoding, number, head)
        )

    def tensors(self) -> dict[str, Tensor]:
        """Return what is kept: both in full width, both in low rank, and the B."""
        found = {"keys": self.keys, "values": self.values}
        for name, low in (("keys", self.low_keys), ("values", self.low_values)):
            if low is not None:
                found |= {f"low-rank {name}": low.narrow, f"B of {name}": low.up}
        return found

    @staticmethod
    def _low_scores(asked: Tensor, low: LowRank) -> Tensor:
        """(Q B^T) K_lr^T: [encodings, heads, sets, tokens, frames]."""
        narrow = asked @ low.up.transpose(0, 1).mT  # [encodings, heads, sets, tokens, rank]
        return _by_set(narrow, low.narrow.mT)

    @staticmethod
    def _low_values(weights: Tensor, low: LowRank) -> Tensor:
        """(P V_lr) B: [encodings, heads, sets, tokens, head_dim]."""
        return _by_set(weights, low.narrow) @ low.up.transpose(0, 1)


def _by_set(rows: Tensor, own: Tensor) -> Tensor:
    """Multiply all heads of a set by its matrix at once.

    Args:
        rows: [encodings, heads, sets, tokens, inner].
        own: [encodings, sets, inner, outer]; one set where all share it.

    Returns:
        [encodings, heads, sets, tokens, outer].
    """
    heads = rows.shape[1]
    flat = rows.transpose(1, 2).flatten(2, 3)  # [encodings, sets, heads * tokens, inner]
    return torch.matmul(flat, own).unflatten(2, (heads, -1)).transpose(1, 2)
