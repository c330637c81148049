import json

import pytest

from tasks.training.options import LoopOptions, describe, is_same, tell_difference

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
    [
        *({"schedule": "linear"}, {"accumulation": 2}, {"precision": "bfloat16"}, {"average": 0.9}),
        {"schedule": "plateau", "watch": "dice", "factor": 0.1, "patience": 3, "threshold": 0.01},
        {"clip_value": 1.0},
        {"best": "dice", "stop_after": 2, "min_delta": 0.1, "least_steps": 3, "least_epochs": 4},
    ],
    ids=str,
)
def test_a_later_option_makes_another_experiment(changes):
    described = json.loads(describe(LoopOptions(steps=7, **changes), None))
    assert described[0] == {**json.loads(FIRST)[0], **changes}


def test_where_features_are_kept_makes_no_other_experiment():
    settings = {"name": "a", "loop": {"steps": 7}}
    for features in ("", "kept", "elsewhere"):
        assert describe(LoopOptions(steps=7), {**settings, "features": features}) == FIRST


def test_how_often_it_is_saved_makes_no_other_experiment():
    def told(steps, every):
        settings = {"name": "a", "loop": {"steps": steps, "checkpoint_every": every}}
        return describe(LoopOptions(steps=steps, checkpoint_every=every), settings)

    assert is_same(told(7, 100), told(7, 20)) and told(7, 100) != told(7, 20)
    assert not is_same(told(7, 100), told(8, 20))
    assert tell_difference(told(7, 100), told(8, 20)) == " (loop.steps was 7 and is 8)"


@pytest.mark.parametrize("name", ["steps", "batch", "checkpoint_every", "accumulation"])
def test_options_below_one_are_refused(name):
    with pytest.raises(ValueError, match=f"Option '{name}' is 0; expected 1 or more"):
        LoopOptions(**{name: 0})


@pytest.mark.parametrize(
    "name",
    [
        *("epochs", "measure_every", "patience", "stop_after", "min_delta", "least_steps"),
        *("clip_norm", "clip_value", "warmup", "seed", "learning_rate", "weight_decay", "eps"),
    ],
)
def test_options_below_0_or_without_an_end_are_refused(name):
    for value in (-1, float("nan"), float("inf")):
        with pytest.raises(ValueError, match=f"Option '{name}' is {value}; expected 0 or more"):
            LoopOptions(**{name: value})


def test_what_is_told_in_epochs_becomes_steps():
    options = LoopOptions(batch=4, epochs=5, measure_every=0, least_epochs=2).in_steps(10)
    assert (options.steps, options.measure_every, options.least_steps) == (15, 3, 6)
    options = LoopOptions(batch=4, steps=7, measure_every=2, least_steps=5)
    assert options.in_steps(10) == options


PLATEAU = {"schedule": "plateau", "watch": "-validation_loss"}


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"schedule": "plateau"}, "'schedule' is 'plateau' and 'watch' ''; expected both"),
        ({"watch": "dice"}, "'schedule' is 'cosine' and 'watch' 'dice'; expected both"),
        ({"stop_after": 3}, "'stop_after' is 3 and 'best' is ''; name what is to get better"),
        ({"best": "validation_loss"}, "Option 'best': 'validation_loss' would be best where"),
        ({"schedule": "plateau", "watch": "loss"}, "Option 'watch': .* write '-loss'"),
        ({**PLATEAU, "factor": 1.0}, "'factor' is 1.0; expected above 0 and below 1"),
        ({**PLATEAU, "threshold": 1.0}, "'threshold' is 1.0; expected 0 to below 1"),
    ],
    ids=str,
)
def test_options_that_do_not_go_together_are_refused(options, words):
    with pytest.raises(ValueError, match=words):
        LoopOptions(**options)


def test_a_goal_that_is_not_measured_in_training_is_told_with_what_is():
    measures = ("loss", "dice", "validation_loss", "test_dice")
    LoopOptions(best="dice", **PLATEAU).check_goals(measures)
    with pytest.raises(ValueError, match="loop.best is 'dcie', .* Did you mean 'dice'?"):
        LoopOptions(best="dcie").check_goals(measures)
    with pytest.raises(ValueError, match="loop.watch is '-validation_loss', and no 'validation_l"):
        LoopOptions(**PLATEAU).check_goals(("loss", "dice"))
    with pytest.raises(ValueError, match="no 'test_dice' is measured; known: loss, dice, valid"):
        LoopOptions(best="test_dice").check_goals(measures)  # the test part chooses nothing


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


@pytest.mark.parametrize("seed", [2**32, 10**13, 10**30])
def test_a_seed_that_torch_cannot_take_is_told_before_the_training(seed):
    """Steps are drawn by a million times the seed: the error came from within torch."""
    with pytest.raises(ValueError, match=f"'seed' is {seed}; expected 0 to 4,294,967,295"):
        LoopOptions(seed=seed)
    assert LoopOptions(seed=2**32 - 1).seed * 1_000_003 < 2**63
