"""Whether a window shows a talker's face, by how a lip encoder sees its pictures."""

import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from fusion.scenarios.domain import DomainCheck, DomainOptions, summarise
from modalities.network_file import load_network
from modalities.rates import PIECE_PICTURES
from modalities.vision.lips import LipEncoder, normalise
from tasks.avsr.sets.contract import Utterance

FACE = "face.safetensors"


class TalkerFace:
    """Compares faces with that of a talker.

    Args:
        lips: The talker's lip encoder.
        check: Fitted to `summarise_face` of the talker's clips.
    """

    def __init__(self, lips: LipEncoder, check: DomainCheck):
        self.lips, self.check = lips, check

    @torch.inference_mode()
    def distances(self, utterances: Sequence[Utterance]) -> list[float]:
        """Return how far faces are from the talker's: above 1 it is another, or none is seen."""
        found = []
        for one in utterances:
            crops, mask = one.crops, one.mask
            if crops is None or mask is None or int(mask[:PIECE_PICTURES].sum()) < 2:
                found.append(math.inf)
                continue
            row = summarise_face(self.lips, crops[:PIECE_PICTURES], mask[:PIECE_PICTURES])
            found.append(float(self.check.residual(row) / self.check.options.residual))
        return found


def summarise_face(lips: LipEncoder, crops: np.ndarray, mask: np.ndarray) -> Tensor:
    """Return mean and spread of what a lip encoder sees in pictures, [1, 2 * dim].

    Args:
        lips: The encoder.
        crops: uint8 grey, [frames, 96, 96].
        mask: bool [frames], True where a mouth is seen, in two pictures at least.
    """
    device = next(lips.parameters()).device
    seen = torch.from_numpy(mask)[None].to(device)
    pictures = normalise(torch.from_numpy(crops)[None].to(device), seen, lips.network.options)
    return summarise(lips.network.see(pictures, seen)[:, seen[0]])


def load_face(folder: Path, lips: LipEncoder) -> TalkerFace:
    """Load what a talker's folder knows about the face.

    Raises:
        FileNotFoundError: It knows nothing.
        ValueError: The file is damaged.
    """
    check = load_network(DomainCheck, DomainOptions, folder / FACE)
    return TalkerFace(lips, check.to(next(lips.parameters()).device))
