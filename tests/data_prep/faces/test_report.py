"""The report says in true numbers why a face was not taken."""

import numpy as np
import pytest

from data_prep.faces import build_report
from data_prep.faces.results import FaceTrack, Totals


def silent(score: float) -> FaceTrack:
    every = np.ones(5, bool)
    boxes, points = np.ones((5, 4), np.float32), np.ones((5, 4, 2), np.float32)
    return FaceTrack(0, 0, 0, boxes, points, every, every, ~every, 0.9, score)


@pytest.mark.parametrize(("score", "shown"), [(0.1999, "0.19"), (0.0, "0.00")])
def test_a_score_below_the_least_is_shown_below_it(score, shown):
    [track] = build_report([silent(score)], Totals(5, 1, 5, 0))["tracks"]
    assert track["reason"] == f"talking score {shown} is below 0.20"
