"""Read the mouths of a batch of windows once, and leave out faces that nobody learnt to read."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch

from fusion.scenarios.domain import DomainCheck, DomainOptions
from modalities.network_file import load_network
from modalities.rates import CROP_SIDE
from tasks.avsr.sets.adapted_whisper import AdaptedWhisper, Sight
from tasks.avsr.sets.collection import DOMAIN, FACES
from tasks.avsr.sets.contract import Utterance


@dataclass(frozen=True)
class Seen:
    """What is seen in a batch of windows.

    Attributes:
        sight: Without faces that are unlike the training data, whose lips nobody learnt to read;
            None where no window has video.
        distances: How far each face is from the training data, infinite for fewer than two
            pictures of it; none at all where nobody looked.
    """

    sight: Sight | None = None
    distances: tuple[float, ...] = ()


class SightReader:
    """Reads mouths for the selector and for every set that sees.

    Args:
        adapted: Its lip encoder reads.
        faces: Says how unlike those of the training data a face is; None takes all for known.
        farthest: Distance above which a face is not read.
    """

    def __init__(
        self,
        adapted: AdaptedWhisper,
        faces: DomainCheck | None = None,
        farthest: float = math.inf,
    ):
        self.adapted = adapted
        self.faces = faces
        self.farthest = farthest
        # The selector and each set look at the same mouths, one after another: the last batch
        # stays, so that it is read once.
        self._last: tuple[tuple[Utterance, ...], Seen] = (), Seen()

    def look(self, utterances: Sequence[Utterance]) -> Seen:
        """Read the mouths of a batch, some of which may have none.

        Args:
            utterances: Of which the first 3.2 s of pictures count. What they hold must not be
                changed between two calls: a batch is known again by its utterances.
        """
        if all(u.crops is None for u in utterances):
            return Seen()
        batch = tuple(utterances)
        if batch != self._last[0]:  # an utterance equals itself and no other
            self._last = batch, self._read(batch)
        return self._last[1]

    def _read(self, utterances: tuple[Utterance, ...]) -> Seen:
        nothing = np.zeros((0, CROP_SIDE, CROP_SIDE), np.uint8), np.zeros(0, bool)
        seen = [nothing if u.crops is None else (u.crops, u.mask) for u in utterances]
        sight = self.adapted.look(*zip(*seen, strict=True))  # type: ignore[arg-type]
        distances = self._face_distances(sight)
        if not distances:
            return Seen(sight)
        known = torch.tensor(distances, device=sight.mask.device) <= self.farthest
        return Seen(replace(sight, mask=sight.mask & known[:, None]), distances)

    def _face_distances(self, sight: Sight) -> tuple[float, ...]:
        """Return how far faces are from those of the training data; none without lips to read."""
        if self.faces is None or sight.lips is None:
            return ()
        distances = []
        for lips, mask in zip(sight.lips, sight.mask, strict=True):
            known = lips[None, mask]
            distances.append(float(self.faces(known)) if known.shape[1] > 1 else math.inf)
        return tuple(distances)


def load_sight_reader(folder: Path, adapted: AdaptedWhisper, farthest: float) -> SightReader:
    """Load what a collection learnt about faces.

    Args:
        folder: Folder of the collection.
        adapted: With the collection's lip encoder; the check goes where its model is.
        farthest: Distance above which a face is not read.

    Raises:
        FileNotFoundError: The collection knows its sounds, but not its faces.
        ValueError: The file is damaged.
    """
    faces = None
    if (folder / DOMAIN).is_file():  # sounds and faces are learnt together
        faces = load_network(DomainCheck, DomainOptions, folder / FACES).to(adapted.model.device)
    return SightReader(adapted, faces, farthest)
