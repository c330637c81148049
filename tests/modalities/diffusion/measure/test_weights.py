import math

import pytest
import torch

from modalities.diffusion.measure.contract import Pairs
from modalities.diffusion.measure.paths import DiffusionPath, FlowPath
from modalities.diffusion.measure.weights import Gibbs, MinSnr, Ones, weigh
from modalities.diffusion.noise import NoiseSchedule

ERRORS = torch.tensor([3.0, 1.0, 4.0, 1.5])
FAR = torch.tensor([0.0, 1.0, 2.0, 3.0])  # distances of pairs


def pairs(path=None, levels=None) -> Pairs:
    target = torch.zeros(4, 2, 2)
    source = target.clone()
    source[:, 0, 0] = FAR * 0.6
    source[:, 1, 1] = FAR * 0.8
    return Pairs(
        source, target, torch.full((4,), 0.5) if levels is None else levels, path or FlowPath()
    )


@pytest.mark.parametrize(("cost", "costs"), [("norm", FAR), ("squared", FAR**2)])
def test_gibbs_weights_are_the_kernel_over_its_mean(cost, costs):
    weight = Gibbs(epsilon=2.0, cost=cost)
    kernel = torch.exp(-costs / 2.0)
    found = weigh(ERRORS, weight.log_weights(pairs()), weight.normalised)
    torch.testing.assert_close(found["loss"], (kernel * ERRORS).sum() / kernel.sum())
    share = kernel.sum() ** 2 / (4 * kernel.square().sum())
    torch.testing.assert_close(found["effective_share"], share)
    raw = Gibbs(epsilon=2.0, cost=cost, normalised=False)
    found = weigh(ERRORS, raw.log_weights(pairs()), raw.normalised)
    torch.testing.assert_close(found["loss"], (kernel * ERRORS).mean())


def test_gibbs_weights_go_from_all_alike_to_the_nearest_alone():
    wide = Gibbs(epsilon=1e9)
    found = weigh(ERRORS, wide.log_weights(pairs()), True)
    torch.testing.assert_close(found["loss"], ERRORS.mean())
    assert float(found["effective_share"]) == pytest.approx(1.0)
    narrow = Gibbs(epsilon=1e-9)  # the plain kernel would be 0 for all but one, or for all
    found = weigh(ERRORS, narrow.log_weights(pairs()), True)
    assert float(found["loss"]) == 3.0 and float(found["effective_share"]) == 0.25


def test_a_smaller_epsilon_never_has_a_larger_effective_share():
    shares = [
        float(weigh(ERRORS, Gibbs(e).log_weights(pairs()), True)["effective_share"])
        for e in (0.1, 0.5, 1, 5, 10, 100)
    ]
    assert shares == sorted(shares)


def test_ones_weigh_nothing():
    found = weigh(ERRORS, Ones().log_weights(pairs()), Ones().normalised)
    assert torch.equal(found["loss"], ERRORS.mean()) and float(found["effective_share"]) == 1.0


@pytest.mark.parametrize("told", ["epsilon", "v_prediction"])
def test_min_snr_is_the_formula_of_its_authors(told):
    """As their code has it: min(SNR, gamma) / SNR, or / (SNR + 1) for velocities."""
    pytest.importorskip("diffusers")
    schedule = NoiseSchedule("scaled_linear", told=told)
    levels = torch.tensor([0.0005, 0.2, 0.5, 0.9995])
    kept = schedule.kept[(levels * 1000).long()]
    snr = kept / (1 - kept)
    clipped = torch.stack([snr, torch.full_like(snr, 5.0)]).min(0).values
    expected = clipped / (snr + 1 if told == "v_prediction" else snr)
    found = MinSnr(5.0).log_weights(pairs(DiffusionPath(schedule), levels)).exp()
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=0)


def test_min_snr_of_a_flow_is_the_error_of_the_target_where_noise_is_much():
    levels = torch.tensor([0.0, 0.1, 0.5, 1.0])
    found = MinSnr(5.0).log_weights(pairs(FlowPath(), levels)).exp()
    # SNR is 81 at 0.1 and 1 at 0.5, where an error of the target is s^2 of one of the velocity.
    torch.testing.assert_close(found, torch.tensor([0.0, 5 * 0.01, 0.25, 0.0]))


def test_weights_pass_no_gradient_to_the_pairs():
    given = pairs()
    given.source.requires_grad_()
    assert not Gibbs().log_weights(given).requires_grad


@pytest.mark.parametrize(
    ("make", "told"),
    [
        (lambda: Gibbs(0.0), "epsilon is 0.0"),
        (lambda: Gibbs(math.nan), "epsilon is nan"),
        (lambda: Gibbs(cost="norms"), "known: norm, squared"),
        (lambda: MinSnr(0.0), "gamma is 0.0"),
    ],
)
def test_what_cannot_be_is_told(make, told):
    with pytest.raises(ValueError, match=told):
        make()
