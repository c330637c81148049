import json

import pytest

from tasks.training.options import LoopOptions, describe

# What a checkpoint says that was written when these were all the options.
FIRST = (
    '[{"batch": 16, "betas": [0.9, 0.999], "checkpoint_every": 100, "clip_norm": 1.0, "epochs": 0, '
    '"eps": 1e-08, "learning_rate": 0.001, "measure_every": 500, "seed": 0, "steps": 7, '
    '"warmup": 50, "weight_decay": 0.01}, {"loop": {"steps": 7}, "name": "a"}]'
)


def test_an_experiment_of_the_first_options_is_described_as_it_was_then():
    settings = {"name": "a", "loop": {"steps": 7, "schedule": "cosine", "average": 0.0}}
    assert describe(LoopOptions(steps=7), settings) == FIRST


@pytest.mark.parametrize(
    "changes",
    [{"schedule": "linear"}, {"accumulation": 2}, {"precision": "bfloat16"}, {"average": 0.9}],
    ids=str,
)
def test_a_later_option_makes_another_experiment(changes):
    described = json.loads(describe(LoopOptions(steps=7, **changes), None))
    assert described[0] == {**json.loads(FIRST)[0], **changes}


@pytest.mark.parametrize(
    "name", ["steps", "batch", "checkpoint_every", "measure_every", "accumulation"]
)
def test_options_below_one_are_refused(name):
    with pytest.raises(ValueError, match=f"Option '{name}' is 0; expected 1 or more"):
        LoopOptions(**{name: 0})


def test_unknown_names_are_told_with_those_that_are_known():
    with pytest.raises(ValueError, match="No schedule 'step'; known: cosine, linear, constant"):
        LoopOptions(schedule="step")
    with pytest.raises(ValueError, match="No precision 'bf16'; known: float32, bfloat16, float16"):
        LoopOptions(precision="bf16")


@pytest.mark.parametrize("decay", [-0.1, 1.0])
def test_an_average_that_never_moves_or_runs_away_is_refused(decay):
    with pytest.raises(ValueError, match=f"'average' is {decay}; expected 0 to below 1"):
        LoopOptions(average=decay)


def test_each_part_in_each_process_needs_an_example():
    with pytest.raises(ValueError, match="'batch' is 3; expected 4 or more"):
        LoopOptions(batch=3, accumulation=4)
    LoopOptions(batch=4, accumulation=2).check_batch(2)
    with pytest.raises(ValueError, match="expected 6 or more, .* 3 processes times accumulation 2"):
        LoopOptions(batch=5, accumulation=2).check_batch(3)
