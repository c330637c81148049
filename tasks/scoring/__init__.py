"""Scores of what was recognised: word error rates with their uncertainty, by named normalisers."""

from tasks.scoring.intervals import (
    Interval,
    difference_interval,
    mean_interval,
    rate_interval,
    ratio_interval,
)
from tasks.scoring.normalisers import NORMALISERS, find_normaliser
from tasks.scoring.roc_area import measure_separation
from tasks.scoring.word_errors import WordErrors, count_errors

__all__ = [
    "NORMALISERS",
    "Interval",
    "WordErrors",
    "count_errors",
    "difference_interval",
    "find_normaliser",
    "mean_interval",
    "measure_separation",
    "rate_interval",
    "ratio_interval",
]
