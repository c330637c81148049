import pytest

from modalities.diffusion.measure.times import LogitNormal
from modalities.diffusion.measure.weights import Gibbs
from tasks.training.measures import MeasureOptions
from tasks.training.options import LoopOptions, describe


def test_options_build_what_they_name():
    options = MeasureOptions(
        time="logit_normal",
        time_options={"mean": 0.5, "deviation": 1.5},
        weight="gibbs",
        weight_options={"cost": "norm"},
    )
    assert options.sampler == LogitNormal(0.5, 1.5)
    assert options.pair_weight == Gibbs(10.0, "norm")


def test_equal_measures_are_equal_however_much_was_told():
    assert MeasureOptions(weight="gibbs") == MeasureOptions(
        weight="gibbs", weight_options={"epsilon": 10.0}
    )


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"time": "logit"}, "Option 'time' is 'logit'; known: uniform, late, cubic, logit_normal"),
        ({"weight": "snr"}, "known: ones, gibbs, min_snr"),
        ({"coupling": "ot"}, "known: given, independent, exact, sinkhorn"),
        ({"weight": "gibbs", "weight_options": {"eps": 1.0}}, "known: epsilon, cost, normalised"),
        ({"weight": "gibbs", "weight_options": {"epsilon": -1.0}}, "epsilon is -1.0"),
        ({"time": "late", "time_options": {"late": "six"}}, "expected a float"),
    ],
)
def test_what_cannot_be_is_told(options, told):
    with pytest.raises(ValueError, match=told):
        MeasureOptions(**options)


def test_experiments_without_a_measure_are_what_they_were_before_there_was_one():
    loop = LoopOptions()
    assert describe(loop, {"late": 1.0, "measure": None}) == describe(loop, {"late": 1.0})
    assert describe(loop, {"late": 1.0, "measure": {"time": "cubic"}}) != describe(
        loop, {"late": 1.0}
    )
