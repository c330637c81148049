import math

import pytest
import torch

from modalities.diffusion.measure.catalog import TIMES
from modalities.diffusion.measure.times import (
    Cubic,
    IndependentPair,
    Late,
    LogitNormal,
    QuantileMatched,
    Uniform,
)

DRAWN = 40_000
SAMPLERS = [Uniform(), Late(6.0), Late(0.5), Cubic(), LogitNormal(), LogitNormal(0.5, 1.5)]
# What papers draw, from an even number, and not by a quantile of ours.
PUBLISHED = {
    Uniform(): lambda even: even,
    Cubic(): lambda even: 1 - even**3,
    Late(3.0): lambda even: torch.stack([even, torch.rand_like(even), torch.rand_like(even)]).amax(
        0
    ),
    LogitNormal(0.5, 1.5): lambda even: 1 / (1 + torch.exp(-0.5 - 1.5 * torch.randn_like(even))),
}


def seeded(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.mark.parametrize("sampler", PUBLISHED, ids=str)
def test_draws_have_the_quantiles_of_what_is_published(sampler):
    torch.manual_seed(1)
    found = sampler.draw(DRAWN, seeded(0)).own
    other = PUBLISHED[sampler](torch.rand(DRAWN))
    places = torch.tensor([0.05, 0.25, 0.5, 0.75, 0.95])
    torch.testing.assert_close(found.quantile(places), other.quantile(places), atol=0.012, rtol=0)


def test_medians_and_means_are_those_of_the_closed_forms():
    half = torch.tensor(0.5)
    assert float(Cubic().quantile(half)) == pytest.approx(1 - 0.5**3)
    assert float(Late(6.0).quantile(half)) == pytest.approx(0.5 ** (1 / 6))
    assert float(LogitNormal(0.5, 1.5).quantile(half)) == pytest.approx(1 / (1 + math.exp(-0.5)))
    for sampler, mean in ((Cubic(), 3 / 4), (Late(6.0), 6 / 7), (LogitNormal(0.0, 2.0), 0.5)):
        assert float(sampler.draw(DRAWN, seeded(2)).own.mean()) == pytest.approx(mean, abs=0.01)


@pytest.mark.parametrize("sampler", SAMPLERS, ids=str)
def test_shares_undo_quantiles_which_rise_within_0_and_1(sampler):
    shares = torch.linspace(0, 1, 101, dtype=torch.float64)
    levels = sampler.quantile(shares)
    assert levels[0] == 0 and levels[-1] == 1 and (levels.diff() > 0).all()
    torch.testing.assert_close(sampler.share(levels), shares, atol=1e-9, rtol=0)


def test_the_logit_normal_is_the_log_normal_deviation_of_noise():
    levels = LogitNormal(-1.2, 1.2).draw(DRAWN, seeded(0)).own.double()
    logs = (levels / (1 - levels)).log()
    assert float(logs.mean()) == pytest.approx(-1.2, abs=0.02)
    assert float(logs.std()) == pytest.approx(1.2, abs=0.02)


def test_both_halves_of_pairs_have_levels_of_their_own():
    first, second = IndependentPair(Uniform(), Cubic()).draw(DRAWN, seeded(3)).own.chunk(2)
    assert abs(float(torch.corrcoef(torch.stack([first, second]))[0, 1])) < 0.02
    assert float(first.mean()) == pytest.approx(0.5, abs=0.01)
    assert float(second.mean()) == pytest.approx(0.75, abs=0.01)
    with pytest.raises(ValueError, match="7 rows; expected two for each pair"):
        IndependentPair().draw(7)


def test_matched_clocks_are_at_one_quantile():
    sampler = QuantileMatched(LogitNormal(0.7, 1.6), Late(2.0))
    levels = sampler.draw(1000, seeded(4))
    assert levels.other is not None
    ranks = [clock.argsort() for clock in (levels.own, levels.other)]
    assert torch.equal(*ranks)
    torch.testing.assert_close(sampler.match(levels.own), levels.other, atol=1e-4, rtol=0)


@pytest.mark.parametrize("name", TIMES)
def test_draws_are_those_of_the_seed(name):
    sampler = TIMES[name]()
    one, same, other = (sampler.draw(8, seeded(n)).own for n in (0, 0, 1))
    assert torch.equal(one, same) and not torch.equal(one, other)


@pytest.mark.parametrize(
    ("make", "told"),
    [
        (lambda: Late(0.0), "late is 0.0"),
        (lambda: Late(math.inf), "late is inf"),
        (lambda: LogitNormal(0.0, 0.0), "deviation 0.0"),
        (lambda: LogitNormal(math.nan), "mean is nan"),
    ],
)
def test_what_cannot_be_is_told(make, told):
    with pytest.raises(ValueError, match=told):
        make()
