"""What lips are read as is the run of an encoder's words over the pictures that show a mouth."""

import numpy as np
import torch

from modalities.encoder import Features
from modalities.vision.lips import LipEncoder, LipNetwork, LipOptions
from tasks.avsr.sets.contract import Utterance
from tools.measure_lips import measure, read_words
from tools.unknown_speech import GRID, TEST, Piece

WORDS = ("bin", "blue", "now")


class Encoder(LipEncoder):
    """Sees in the brightness of a picture which word is said; the fourth is silence."""

    def __init__(self):
        super().__init__(LipNetwork(LipOptions(WORDS, channels=(4, 8), dim=4, layers=1)))
        self.network.head = torch.nn.Identity()

    def forward(self, crops, mask=None):
        return Features(torch.eye(4)[crops[:, :, 0, 0].long()], mask, self.rate_hz)


def shown(labels: list[int], seen: list[int] | None = None) -> Utterance:
    crops = np.array(labels, np.uint8)[:, None, None] * np.ones((1, 96, 96), np.uint8)
    return Utterance(np.zeros(9), crops, np.array(seen or [1] * len(labels), bool))


def test_words_are_runs_of_two_pictures_or_more_where_a_mouth_is_seen():
    encoder = Encoder()
    assert read_words(encoder, shown([3, 3, 0, 0, 1, 1, 1, 3, 2, 2])) == "bin blue now"
    assert read_words(encoder, shown([0, 0, 1, 2, 2], [1, 1, 1, 0, 0])) == "bin"


def test_errors_are_those_of_all_clips_together():
    pieces = [
        Piece("a", GRID, TEST, "s9", "bin blue now", shown([0, 0, 1, 1, 2, 2])),
        Piece("b", GRID, TEST, "s9", "now", shown([0, 0, 3, 3])),
    ]
    assert measure(Encoder(), pieces) == (25.0, 4)
