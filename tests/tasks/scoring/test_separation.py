"""SI-SDR against its definition, and what silence, levels and order do to it."""

import numpy as np
import pytest

from tasks.scoring.separation import measure_si_sdr, rank_agreement, score_separation

RANDOM = np.random.default_rng(0)


def plain(estimate: np.ndarray, reference: np.ndarray) -> float:
    target = (estimate @ reference) / (reference @ reference) * reference
    return 10 * np.log10(np.square(target).sum() / np.square(target - estimate).sum())


def test_si_sdr_is_its_definition_at_any_level():
    references = RANDOM.normal(size=(2, 900))
    estimates = references[::-1] + RANDOM.normal(size=(2, 900)) * [[0.1], [1.0]]
    expected = np.array([[plain(e, r) for r in references] for e in estimates])
    for level, other in ((1, 1), (1e-5, 1), (1, 1e-4), (1e3, 1e3)):
        found = measure_si_sdr(level * estimates, other * references)
        np.testing.assert_allclose(found, expected, atol=1e-6)


def test_silence_is_counted_apart():
    reference = RANDOM.normal(size=500)
    nothing = np.zeros(500)
    found = measure_si_sdr(np.stack([nothing, reference]), np.stack([reference, nothing]))
    np.testing.assert_array_equal(found[:, 0], [-100, 100])
    assert np.isnan(found[:, 1]).all()
    score = score_separation(np.stack([nothing, reference]), np.stack([reference, nothing]))
    assert score.silent == 1 and score.matches[0] == 1
    assert np.isnan(score.improvement).all()  # the mixture was that source already


def test_sources_are_found_in_any_order_and_put_together_from_pieces():
    references = RANDOM.normal(size=(2, 3000))
    first = references[0].copy()
    first[2000:] = 0
    estimates = np.stack([references[1], references[0] - first, first])
    score = score_separation(estimates + 1e-3 * RANDOM.normal(size=(3, 3000)), references)
    assert score.matches == (2, 0)
    assert score.si_sdr[0] == pytest.approx(3, abs=0.5)  # two thirds of it
    assert score.improvement[1] > 50
    assert (score.grouped > 50).all()


def test_the_mixture_itself_is_no_improvement():
    references = RANDOM.normal(size=(3, 2000)) * [[1.0], [0.5], [2.0]]
    score = score_separation(np.stack([references.sum(0)] * 3), references)
    np.testing.assert_allclose(score.improvement, 0, atol=1e-9)


def test_shapes_that_do_not_fit_are_refused():
    with pytest.raises(ValueError, match="as many estimates or more"):
        score_separation(np.zeros((1, 10)), np.zeros((2, 10)))


def test_rank_agreement_is_spearmans():
    stats = pytest.importorskip("scipy.stats")
    for _ in range(5):
        found, wanted = RANDOM.integers(0, 4, size=(2, 6)) + 0.0
        expected = stats.spearmanr(found, wanted).statistic
        assert rank_agreement(found, wanted) == pytest.approx(expected)
    assert np.isnan(rank_agreement(np.array([1.0]), np.array([2.0])))
