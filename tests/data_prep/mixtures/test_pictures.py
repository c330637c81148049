import numpy as np
import pytest

from data_prep.mixtures.pictures import choose_second, count_events, score_seconds


@pytest.mark.parametrize(
    ("counts", "second"),
    [
        ([0, 1, 3, 1], 2.5),
        ([1, 1, 1, 1, 1], 2.5),
        ([2, 0, 2, 2, 2, 0], 3.5),  # the longest run, away from its ends
        ([2, 2, 0, 2, 2], 0.5),  # the earlier of two
        ([0, 0, 0], None),
        ([], None),
    ],
)
def test_the_middle_of_the_best_second_is_chosen(counts, second):
    assert choose_second(counts) == second


def test_counts_that_are_no_numbers_are_refused():
    with pytest.raises(ValueError, match="expected a finite number"):
        choose_second([1, float("nan")])


def test_what_is_only_heard_or_only_seen_does_not_count():
    heard = [("dog", 0, 3), ("car", 1, 4), ("dog", 1, 2), ("cat", 2, 2)]
    seen = [("dog", 1, 2.5), ("car", 2, 9), ("cat", 0, 4)]
    assert count_events(heard, seen, 4) == [0, 1, 2, 1]


def test_models_choose_the_second_in_which_the_same_is_heard_and_seen():
    seconds, labels = 5, ("dog", "car")
    pictures = [np.full((2, 2, 3), n, np.float32) for n in range(seconds)]
    sounds = [np.full(16_000, n, np.float32) for n in range(seconds)]
    heard, seen = np.full((5, 2), 0.1), np.full((5, 2), 0.2)
    heard[[0, 2], 0] = heard[3, 1] = 0.5  # dog in 0 and 2, car in 3
    seen[[1, 2], 0] = seen[4, 1] = 0.4  # dog in 1 and 2, car in 4

    def look_up(table):
        return lambda things, names: table[[int(thing.flat[0]) for thing in things]]

    scores = score_seconds(pictures, sounds, labels, look_up(seen), look_up(heard))
    assert scores.shape == (5,) and choose_second(scores) == 2.5
    assert ((0 <= scores) & (scores <= 2)).all()


def test_models_of_another_shape_and_missing_sounds_are_told():
    picture, sound = np.zeros((2, 2, 3)), np.zeros(16_000)
    with pytest.raises(ValueError, match="1 pictures, 0 sounds and 1 labels"):
        score_seconds([picture], [], ["dog"], lambda *_: np.zeros((1, 1)), lambda *_: [])
    with pytest.raises(ValueError, match=r"returned \[2, 1\]; expected \[1, 1\]"):
        score_seconds([picture], [sound], ["dog"], lambda *_: np.zeros((2, 1)), lambda *_: [[0.0]])
