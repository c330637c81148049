"""Keys and values of a decoder's cross-attention, shared by the adapter sets that decode one sound.

Sets that change the decoder alone all read the same encoding: what is shared is then exact. Sets
that change the encoder, too, share what the first of them made, which is near and not the same.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

import torch
from torch import Tensor

from fusion.adapters.injection import layers_of
from fusion.adapters.interface import Adapters
from fusion.adapters.peft_rows import matrices_of
from fusion.contract.options import check_choice
from fusion.serving.shared_cross import LowRank, SharedCross
from modalities.speech.step_decoder import StepDecoder, StepState

NON_SHARED, EXACT, BASE, BASE_LR = "non_shared", "exact_cross", "base_shared", "base_lr_shared"
FULL = "full_shared"
MODES = (NON_SHARED, EXACT, BASE, BASE_LR, FULL)
ENCODER, ATTENTION = "model.encoder.", "model.decoder.layers.{}.encoder_attn.{}_proj"


class SharedCache:
    """Lets several sets decode what was encoded once, in one batch.

    Args:
        steps: The decoder.
        adapters: Those of its model.
        sets: Which sets decode; None is the frozen model.
        mode: "exact_cross" encodes with the frozen model and shares keys and values, each set
            adding its own LoRA in low rank. "non_shared" has an encoding, keys and values for each
            set. The others are near where sets change the encoder: "base_shared" takes the first
            set's encoding for what is shared and each set's own for its low rank,
            "base_lr_shared" the first set's for both, and sets must have one A there,
            "full_shared" gives every set what the first one has.

    Raises:
        ValueError: No such set or mode; in "exact_cross" a set changes the encoder; or a set has
            more than a plain LoRA on the keys or values of cross-attention.

    Source:
        LRAgent, arXiv 2602.01053: BaseShared, BaseLRShared, and FullShared, which it compares
        with. That cross-attention makes it exact is ours.
    """

    def __init__(
        self,
        steps: StepDecoder,
        adapters: Adapters,
        sets: Sequence[str | None],
        mode: str = EXACT,
    ):
        check_choice("mode", mode, MODES)
        if not sets:
            raise ValueError("No set is named; a cache is shared by one or more.")
        self.steps, self.adapters, self.sets, self.mode = steps, adapters, tuple(sets), mode
        if mode == EXACT:
            for name in dict.fromkeys(sets):
                _check_leaves_encoder(adapters, name)
        if mode in (EXACT, BASE, BASE_LR):
            layers = range(len(steps.layers))
            self.loras = [(self._loras(index, "k"), self._loras(index, "v")) for index in layers]

    @contextmanager
    def rows(self, encodings: int = 1) -> Iterator[None]:
        """Give each row of a batch its set: all sets of the first encoding, then of the next.

        Args:
            encodings: How many there are.
        """
        with self.adapters.rows(self.sets * encodings):
            yield

    def encode(self, run: Callable[[Tensor], Tensor], sound: Tensor) -> Tensor:
        """Encode as often as the mode wants it.

        Args:
            run: The encoder, [batch, ...] -> [batch, frames, dim].
            sound: What it reads, [encodings, ...].

        Returns:
            [encodings, frames, dim], or [encodings, sets, frames, dim] where each set has its own.
        """
        if self.mode in (NON_SHARED, BASE):
            with self.rows(len(sound)):
                states = run(sound.repeat_interleave(len(self.sets), 0))
            return states.unflatten(0, (len(sound), -1))
        with self.adapters.rows([None if self.mode == EXACT else self.sets[0]]):
            return run(sound)

    def start(self, states: Tensor) -> StepState:
        """Return what `StepDecoder` reads tokens on, within `rows`.

        Args:
            states: What `encode` returned.
        """
        if self.mode == NON_SHARED:
            with self.rows(len(states)):
                return self.steps.start(states.flatten(0, 1))
        first = states if states.dim() == 3 else states[:, 0]
        cross = []
        for index in range(len(self.steps.layers)):
            with self.adapters.rows([self.sets[0] if self.mode == FULL else None]):
                keys, values = self.steps.project(index, first)
            low_keys = low_values = None
            if self.mode != FULL:
                own = states if states.dim() == 4 else first[:, None]
                for_keys, for_values = self.loras[index]
                low_keys = _low_rank(for_keys, own, keys)
                low_values = _low_rank(for_values, own, values)
            cross.append(SharedCross(keys, values, low_keys, low_values, len(self.sets)))
        return self.steps.begin(cross, len(self.sets) * len(states))

    def _loras(self, index: int, role: str) -> list[tuple[Tensor, Tensor] | None]:
        """Return A and scaled B of each set at the keys or values of a layer; None without."""
        site = ATTENTION.format(index, role)
        found = [_lora_at(self.adapters, name, site) for name in self.sets]
        downs = [lora[0] for lora in found if lora is not None]
        if self.mode == BASE_LR and not all(torch.equal(down, downs[0]) for down in downs):
            raise ValueError(
                f"Sets {', '.join(map(str, self.sets))} have different A at {site}; mode "
                f"{BASE_LR!r} wants sets that were trained with one. Take {BASE!r}."
            )
        return found


def _check_leaves_encoder(adapters: Adapters, name: str | None) -> None:
    """Raise where a set changes the encoder, so that one encoding is not that of all sets."""
    parts = [] if name is None else adapters.parts(name)
    sites = [site for part in parts for site in part.sites if site.startswith(ENCODER)]
    if sites:
        raise ValueError(
            f"Set {name!r} changes the encoder, at {sites[0]} and {len(sites) - 1} more; mode "
            f"{EXACT!r} is for sets of the decoder alone. Take {NON_SHARED!r}, or {BASE!r}, which "
            "is near."
        )


def _lora_at(adapters: Adapters, name: str | None, site: str) -> tuple[Tensor, Tensor] | None:
    """Return A and scaled B of a set at a module, or None where it has nothing there."""
    parts = [] if name is None else [p for p in adapters.parts(name) if site in p.sites]
    if not parts:
        return None
    layer = dict(zip(parts[0].sites, layers_of(adapters.model, parts[0]), strict=True))[site]
    found = matrices_of(layer, parts[0].key)
    if found is None or len(parts) > 1:
        told = " + ".join(part.method for part in parts)
        raise ValueError(
            f"Set {name!r} has {told} at {site}, and a shared cache takes one plain LoRA there; "
            f"take mode {NON_SHARED!r}."
        )
    return found


def _low_rank(
    loras: Sequence[tuple[Tensor, Tensor] | None], states: Tensor, keys: Tensor
) -> LowRank | None:
    """Multiply states by A.

    Args:
        loras: A and scaled B of each set, None where it has none here.
        states: [encodings, sets, frames, dim], or one for all sets.
        keys: Tells the axes of heads.
    """
    downs = [lora[0] for lora in loras if lora is not None]
    if not downs:
        return None
    rank = max(map(len, downs))
    up = torch.stack([_split(lora, rank, keys) for lora in loras])
    alike = all(torch.equal(down, downs[0]) for down in downs)
    if alike and states.shape[1] == 1:
        return LowRank(states @ downs[0].T, up)
    dim = states.shape[-1]
    nothing = states.new_zeros(rank, dim)
    padded = [nothing if lora is None else _grown(lora[0], rank, 0) for lora in loras]
    return LowRank(states @ torch.stack(padded).mT, up)


def _split(lora: tuple[Tensor, Tensor] | None, rank: int, keys: Tensor) -> Tensor:
    """Return B by heads, [heads, rank, head_dim], zeros without one."""
    heads, head_dim = keys.shape[1], keys.shape[3]
    if lora is None:
        return keys.new_zeros(heads, rank, head_dim)
    return _grown(lora[1], rank, 1).unflatten(0, (heads, head_dim)).mT


def _grown(matrix: Tensor, rank: int, axis: int) -> Tensor:
    """Fill a matrix up with zeros to a rank."""
    missing = rank - matrix.shape[axis]
    if not missing:
        return matrix
    shape = [missing if a == axis else size for a, size in enumerate(matrix.shape)]
    return torch.cat([matrix, matrix.new_zeros(shape)], axis)
