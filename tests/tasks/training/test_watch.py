import math

import numpy as np
import pytest
import torch

from tasks.training.goals import Goal, read_goal
from tasks.training.options import LoopOptions
from tasks.training.watch import Plateau, Watch


@pytest.mark.parametrize("seed", range(20))
@pytest.mark.parametrize("mode", ["min", "max"])
def test_plateau_is_torchs_rule(mode, seed):
    random = np.random.default_rng(seed)
    values = np.cumprod(1 + random.normal(0, 0.01, 80)).round(int(random.integers(2, 5)))
    values[random.integers(80, size=3)] = np.nan
    factor, patience, threshold = [(0.3, 5, 1e-4), (0.5, 0, 0.01), (0.1, 2, 0.0)][seed % 3]
    ours = Plateau(factor, patience, threshold)
    optimiser = torch.optim.SGD([torch.zeros(1)], lr=1.0)
    theirs = torch.optim.lr_scheduler.ReduceLROnPlateau(
        optimiser, mode, factor, patience, threshold=threshold, eps=0
    )
    for value in values:
        ours.follow(value if mode == "max" else -value)
        theirs.step(value)
        assert ours.share == optimiser.param_groups[0]["lr"]
    assert ours.share < 1


def test_an_equal_value_below_0_is_no_better():
    plateau = Plateau(0.5, 1, 1e-4)
    for _ in range(3):
        plateau.follow(-1.0)
    assert plateau.share == 0.5


def follow(options: LoopOptions, values: list[float]) -> tuple[list[bool], list[bool]]:
    """Return after each value whether it was the best yet, and whether the training is to end."""
    watch = Watch(options)
    best, stop = [], []
    for number, value in enumerate(values):
        best.append(watch.follow({"step": number + 1, "dice": value}))
        stop.append(watch.stop)
    return best, stop


def test_the_best_is_the_first_of_the_highest_and_no_number_never():
    options = LoopOptions(best="dice")
    assert follow(options, [math.nan, 0.2, 0.1, 0.5, 0.5, math.nan])[0] == [
        *(False, True, False, True, False, False)
    ]
    assert follow(LoopOptions(best="-dice"), [3.0, 2.0, 2.5])[0] == [True, True, False]
    watch = Watch(options)
    assert not watch.follow({"step": 1, "dice": math.nan}) and watch.best is None


def test_small_gains_are_kept_and_add_up_before_it_stops():
    options = LoopOptions(best="dice", stop_after=3, min_delta=0.25)
    best, stop = follow(options, [0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.55])
    assert all(best)
    assert stop == [False] * 6 + [True]


def test_it_does_not_stop_before_the_least_steps_nor_after_a_better_one():
    falling = [0.9, 0.8, 0.7, 0.6, 0.5]
    options = LoopOptions(best="dice", stop_after=2, least_steps=4)
    assert follow(options, falling)[1] == [False, False, False, True, True]
    assert follow(options, [*falling[:3], 1.0, 0.5])[1] == [False] * 5
    assert not any(follow(LoopOptions(best="dice"), falling)[1])


def test_a_minus_says_that_lower_is_better():
    assert read_goal("dice") == Goal("dice", True)
    assert read_goal("-validation_loss") == Goal("validation_loss", False)
    assert read_goal("-auc 5 dB").value({"auc 5 dB": 2.0}) == -2.0


@pytest.mark.parametrize("name", ["loss", "validation_loss", "word_error_rate", "level_error_db"])
def test_the_highest_loss_is_no_goal(name):
    with pytest.raises(ValueError, match=f"'{name}' would be best where it is highest; write '-"):
        read_goal(name)
