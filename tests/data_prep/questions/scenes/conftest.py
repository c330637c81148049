from functools import cache

import pytest

from data_prep.questions.scenes.drawing import arrange
from data_prep.questions.scenes.rows import TASKS, make_pair_rows, make_rows
from data_prep.questions.scenes.stating import Pair
from data_prep.questions.scenes.world import WORLDS

PICTURES = 400


@cache
def make(look, seed=5):
    """Return scenes and all their rows, without drawing any picture."""
    world = WORLDS[look]
    scenes = [arrange(seed, number, look) for number in range(PICTURES)]
    rows = []
    for number, scene in enumerate(scenes):
        rows += make_rows(world, seed, number, scene, TASKS, 4)
        if number % 2:
            rows += make_pair_rows(world, seed, number - 1, Pair(scenes[number - 1], scene), 4)
    return scenes, rows


@pytest.fixture(params=["seen", "unseen"])
def look(request):
    return request.param


@pytest.fixture
def made(look):
    return make(look)


@pytest.fixture
def rows_of():
    return lambda look: make(look)[1]
