"""Mouths are read once a batch, and strange faces not at all; with a stand-in for the encoder."""

import math

import numpy as np
import pytest
import torch

from tasks.avsr.sets.adapted_whisper import Sight
from tasks.avsr.sets.contract import Utterance
from tasks.avsr.sets.sight_reader import Seen, SightReader


class Eyes:
    """Reads a picture as its brightness, and counts how often it is asked."""

    def __init__(self, reads: bool = True):
        self.asked = 0
        self.reads = reads

    def look(self, crops, masks) -> Sight:
        self.asked += 1
        mask, lips = torch.zeros(len(crops), 80, dtype=torch.bool), torch.zeros(len(crops), 80, 1)
        for row, (clip, seen) in enumerate(zip(crops, masks, strict=True)):
            mask[row, : len(seen)] = torch.from_numpy(seen)
            lips[row, : len(clip), 0] = torch.from_numpy(clip.mean((1, 2)))
        return Sight(mask, lips if self.reads else None)


def brightness(lips: torch.Tensor) -> torch.Tensor:
    return lips.mean((1, 2))


def see(value: int, frames: int = 5) -> Utterance:
    crops = np.full((frames, 96, 96), value, np.uint8)
    return Utterance(np.zeros(16_000, np.float32), crops, np.ones(frames, bool))


BLIND = Utterance(np.zeros(16_000, np.float32))


def test_a_batch_is_read_once_and_known_by_its_utterances():
    eyes = Eyes()
    reader = SightReader(eyes)
    one, two = see(1), see(2)
    first = reader.look([one, two])
    assert reader.look((one, two)) is first and eyes.asked == 1
    assert reader.look([BLIND, BLIND]) == Seen() and eyes.asked == 1
    assert reader.look([one, two]) is first and eyes.asked == 1
    for count, batch in enumerate(([two, one], [one], [see(1)], [one, two]), 2):
        reader.look(batch)
        assert eyes.asked == count


def test_faces_unlike_those_known_are_hidden_and_the_others_stay():
    reader = SightReader(Eyes(), brightness, farthest=7)
    seen = reader.look([see(3), see(9), see(7), BLIND, see(3, frames=1)])
    assert seen.distances == (3.0, 9.0, 7.0, math.inf, math.inf)
    assert seen.sight.mask.sum(1).tolist() == [5, 0, 5, 0, 0]


@pytest.mark.parametrize(("faces", "reads"), [(None, True), (brightness, False)])
def test_without_a_check_or_lips_to_check_every_face_stays(faces, reads):
    seen = SightReader(Eyes(reads), faces, farthest=7).look([see(9)])
    assert seen.distances == () and int(seen.sight.mask.sum()) == 5
