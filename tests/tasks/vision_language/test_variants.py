"""The published rows and the ways to tune."""

import pytest

from tasks.vision_language.variants import NORMS, ROWS, SHARINGS, TUNINGS, find_tuning


def test_every_row_is_a_way_to_tune_with_a_sharing_that_it_has():
    for row in ROWS.values():
        assert row.sharing in find_tuning(row.method, row.sharing, "bart").sharings
        assert 1e-5 < row.rate < 1e-2
    assert {row.method for row in ROWS.values()} == set(TUNINGS)
    assert len({row.title for row in ROWS.values()}) == len(ROWS)


def test_ways_to_tune_name_what_there_is():
    for tuning in TUNINGS.values():
        assert set(tuning.sharings) <= set(SHARINGS) and set(tuning.norms.values()) <= set(NORMS)
        assert all(set(piece.options) == {"bart", "t5"} for piece in tuning.pieces)


def test_multiple_and_half_shared_adapters_learn_more_slowly():
    assert ROWS["single_adapter"].rate == 1e-3
    assert ROWS["multiple_adapters"].rate == ROWS["half_shared_adapters"].rate == 3e-4


def test_unknown_ways_are_told():
    with pytest.raises(ValueError, match="Did you mean 'hyperformer'"):
        find_tuning("hyperfomer", "single", "bart")
    with pytest.raises(ValueError, match="Did you mean 'multiple'"):
        find_tuning("adapter", "multipel", "bart")
