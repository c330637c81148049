"""Work of several threads in batches."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from tasks.serving.together import Together


class Squares:
    """Squares numbers, when it is let; keeps the batches."""

    def __init__(self):
        self.batches: list[list[int]] = []
        self.go, self.begun = threading.Event(), threading.Event()

    def __call__(self, numbers: list[int]) -> list[int]:
        self.batches.append(numbers)
        self.begun.set()
        assert self.go.wait(10)
        if 13 in numbers:
            raise ValueError("13")
        return [number**2 for number in numbers]


@pytest.fixture
def squares():
    return Squares()


def ask(together, squares, pool, *asked):
    """Ask for one thing, and for more while it is at work; return what comes."""
    first = pool.submit(together, [0])
    assert squares.begun.wait(10)
    others = []
    for count, items in enumerate(asked):
        others.append(pool.submit(together, items))
        while len(together.waiting) < sum(map(len, asked[: count + 1])):
            pass
    squares.go.set()
    return [first, *others]


def test_what_comes_while_one_is_at_work_is_done_as_one_batch(squares):
    together = Together(squares, threading.Lock(), 8)
    with ThreadPoolExecutor(4) as pool:
        found = ask(together, squares, pool, [1], [2, 3], [4])
        assert [one.result() for one in found] == [[0], [1], [4, 9], [16]]
    assert squares.batches == [[0], [1, 2, 3, 4]]


def test_batches_are_bounded_and_in_order(squares):
    together = Together(squares, threading.Lock(), 2)
    with ThreadPoolExecutor(4) as pool:
        found = ask(together, squares, pool, [1, 2, 3], [4])
        assert [one.result() for one in found] == [[0], [1, 4, 9], [16]]
    assert squares.batches == [[0], [1, 2], [3, 4]]


def test_what_is_bad_fails_alone(squares):
    together = Together(squares, threading.Lock(), 8)
    with ThreadPoolExecutor(4) as pool:
        found = ask(together, squares, pool, [1], [13], [4])
        assert [found[n].result() for n in (0, 1, 3)] == [[0], [1], [16]]
        with pytest.raises(ValueError, match="13"):
            found[2].result()
    assert together([5]) == [25]
