"""Mouth crops that wait for their window of sound."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from modalities.rates import CROP_SIDE, VIDEO_RATE_HZ

if TYPE_CHECKING:
    from data_prep.faces import MouthChunk


@dataclass(frozen=True)
class Mouths:
    """The talker's mouth over a stretch of time.

    Attributes:
        crops: [video_frames, 96, 96], uint8 grey, 25 frames per second.
        mask: [video_frames], bool, True where a mouth is seen.
    """

    crops: np.ndarray
    mask: np.ndarray


class MouthBuffer:
    """Collects pieces of mouth video in order and gives out windows of them."""

    def __init__(self):
        self.first_frame = 0
        self.crops = np.zeros((0, CROP_SIDE, CROP_SIDE), np.uint8)
        self.mask = np.zeros(0, bool)
        self.finished = False

    def add(self, chunk: "MouthChunk") -> None:
        """Append the piece that follows the last one."""
        self.crops = np.concatenate([self.crops, chunk.crops])
        self.mask = np.concatenate([self.mask, chunk.mask])

    def covers(self, end_s: float) -> bool:
        """Tell whether all video before a time has arrived."""
        return self.finished or self.first_frame + len(self.mask) >= end_s * VIDEO_RATE_HZ

    def between(self, start_s: float, end_s: float) -> Mouths:
        """Give a stretch; where there is no video crops are black and the mask is False."""
        first, last = round(start_s * VIDEO_RATE_HZ), round(end_s * VIDEO_RATE_HZ)
        crops = np.zeros((last - first, CROP_SIDE, CROP_SIDE), np.uint8)
        mask = np.zeros(last - first, bool)
        begin, end = first - self.first_frame, last - self.first_frame
        piece = slice(max(0, begin), max(0, end))
        have = self.mask[piece]
        at = max(0, -begin)
        crops[at : at + len(have)] = self.crops[piece]
        mask[at : at + len(have)] = have
        return Mouths(crops, mask)

    def forget(self, before_s: float) -> None:
        """Drop what lies before a time."""
        drop = min(len(self.mask), max(0, int(before_s * VIDEO_RATE_HZ) - self.first_frame))
        self.crops, self.mask = self.crops[drop:].copy(), self.mask[drop:].copy()
        self.first_frame += drop
