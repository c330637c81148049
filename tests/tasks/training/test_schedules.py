import math

import pytest

from tasks.training.schedules import SCHEDULES, height


def heights(name: str, steps: int = 14, warmup: int = 4) -> list[float]:
    return [height(name, step, steps, warmup) for step in range(steps)]


@pytest.mark.parametrize("name", SCHEDULES)
def test_each_rises_in_equal_parts_and_begins_at_its_height(name):
    assert heights(name)[:5] == [0.25, 0.5, 0.75, 1, 1]
    assert heights(name, warmup=0)[0] == 1
    assert heights(name, steps=2) == [0.25, 0.5]  # the training ends before the warm-up


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("cosine", lambda share: math.cos(math.pi * share / 2) ** 2),
        ("linear", lambda share: 1 - share),
        ("constant", lambda share: 1),
        ("plateau", lambda share: 1),
    ],
)
def test_each_goes_on_as_its_name_says(name, expected):
    assert heights(name)[4:] == pytest.approx([expected(step / 10) for step in range(10)])


def test_the_table_is_tested_whole():
    assert set(SCHEDULES) == {"cosine", "linear", "constant", "plateau"}
