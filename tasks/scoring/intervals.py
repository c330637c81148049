"""How sure a word error rate is: the paired bootstrap over clips.

All rates of one evaluation are resampled with the same clips, so that their differences are those
of pairs: a clip that is hard for all of them does not hide which one is better.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from tasks.scoring.word_errors import WordErrors

RESAMPLES = 1000
PERCENTILES = (2.5, 97.5)  # 95 % lie between


@dataclass(frozen=True)
class Interval:
    """An estimate and where 95 % of its resamples lie.

    Attributes:
        value: The estimate.
        low: Lower end.
        high: Upper end.
    """

    value: float
    low: float
    high: float


def rate_interval(errors: WordErrors, seed: int = 0, resamples: int = RESAMPLES) -> Interval:
    """Return the word error rate, percent, with its interval.

    Args:
        errors: Word errors of some clips, each with the words of its reference.
        seed: Fixes which clips are drawn: the same ones for the same seed and number of clips.
        resamples: How often clips are drawn, 1 or more; the ends grow steadier with more.

    Raises:
        ValueError: No reference has a word.
    """
    return _interval(errors.rate, _resampled_rates(errors, seed, resamples))


def difference_interval(
    a: WordErrors, b: WordErrors, seed: int = 0, resamples: int = RESAMPLES
) -> Interval:
    """Return by how much the rate of `a` is above that of `b`, percentage points.

    Args:
        a: Word errors of some clips, recognised in one way.
        b: Word errors of these clips in this order, recognised in another way.
        seed: Fixes which clips are drawn: the same ones for the same seed and number of clips.
        resamples: How often clips are drawn, 1 or more; the ends grow steadier with more.

    Raises:
        ValueError: They are not of the same clips, or no reference has a word.
    """
    _check_paired([a, b])
    rates = [_resampled_rates(errors, seed, resamples) for errors in (a, b)]
    return _interval(a.rate - b.rate, rates[0] - rates[1])


def mean_interval(
    cells: Sequence[WordErrors], seed: int = 0, resamples: int = RESAMPLES
) -> Interval:
    """Return the mean of the rates of several conditions, percent.

    Args:
        cells: Word errors by condition, one or more, each of the same clips in the same order.
        seed: Fixes which clips are drawn: the same ones for the same seed and number of clips.
        resamples: How often clips are drawn, 1 or more; the ends grow steadier with more.

    Raises:
        ValueError: There are none, they are not of the same clips, or no reference has a word.
    """
    return _interval(_mean(cells), _resampled_means(cells, seed, resamples))


def ratio_interval(
    a: Sequence[WordErrors],
    b: Sequence[WordErrors],
    seed: int = 0,
    resamples: int = RESAMPLES,
) -> Interval:
    """Return the mean rate of `a` as a multiple of that of `b`; NaN where `b` makes no error.

    Args:
        a: Word errors by condition, each of the same clips in the same order.
        b: Word errors of these clips in this order, recognised in another way.
        seed: Fixes which clips are drawn: the same ones for the same seed and number of clips.
        resamples: How often clips are drawn, 1 or more; the ends grow steadier with more.

    Raises:
        ValueError: There are no conditions, they are not of the same clips, or no reference has a
            word.
    """
    _check_paired([*a, *b])
    above, below = (_resampled_means(cells, seed, resamples) for cells in (a, b))
    value = _mean(a) / _mean(b) if _mean(b) else np.nan
    return _interval(
        value, np.divide(above, below, where=below > 0, out=np.full_like(below, np.nan))
    )


def _mean(cells: Sequence[WordErrors]) -> float:
    if not cells:
        raise ValueError("There is no condition to average over; expected one or more.")
    return float(np.mean([errors.rate for errors in cells]))


def _resampled_means(cells: Sequence[WordErrors], seed: int, resamples: int) -> np.ndarray:
    _check_paired(cells)
    return np.mean([_resampled_rates(errors, seed, resamples) for errors in cells], axis=0)


def _check_paired(several: Sequence[WordErrors]) -> None:
    for errors in several[1:]:
        if not np.array_equal(errors.words, several[0].words):
            raise ValueError(
                "The errors are of different clips: the words of their references differ. Expected "
                "the same clips in the same order."
            )


def _interval(value: float, resampled: np.ndarray) -> Interval:
    known = resampled[np.isfinite(resampled)]
    low, high = np.percentile(known, PERCENTILES) if known.size else (np.nan, np.nan)
    return Interval(float(value), float(low), float(high))


def _resampled_rates(errors: WordErrors, seed: int, resamples: int) -> np.ndarray:
    """Return rates in percent, [resamples]; NaN where no word was drawn."""
    weights = _draw(len(errors.words), seed, resamples)
    edits, words = weights @ errors.edits, weights @ errors.words  # [resamples]
    return 100 * np.divide(edits, words, where=words > 0, out=np.full(resamples, np.nan))


@lru_cache(maxsize=4)
def _draw(clips: int, seed: int, resamples: int) -> np.ndarray:
    """Return how often each clip is drawn, float [resamples, clips]."""
    drawn = np.random.default_rng(seed).integers(clips, size=(resamples, clips))
    drawn += np.arange(resamples)[:, None] * clips
    counts = np.bincount(drawn.ravel(), minlength=resamples * clips)
    return counts.reshape(resamples, clips).astype(np.float64)
