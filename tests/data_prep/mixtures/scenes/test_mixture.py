from pathlib import Path

import numpy as np
import pytest

from data_prep.media.wav import decode_wav
from data_prep.mixtures.scenes.mixture import render_mixture


def test_the_sources_sum_to_the_mixture_at_the_levels_told():
    for number in range(12):
        mixture = render_mixture(7, number, duration_s=1.0)
        assert np.allclose(sum(mixture.sources), mixture.waveform, atol=1e-6)
        assert np.abs(mixture.waveform).max() <= 1
        powers = [np.mean(np.square(one, dtype=np.float64)) for one in mixture.sources]
        assert np.allclose(
            10 * np.log10(np.divide(powers, powers[0])), mixture.levels_db, atol=1e-3
        )
        assert np.allclose(np.divide(powers, sum(powers)), mixture.shares, atol=1e-4)


def test_the_loudest_comes_first_and_no_kind_twice():
    counts = set()
    for number in range(40):
        mixture = render_mixture(1, number, duration_s=0.5)
        counts.add(len(mixture.labels))
        assert len(set(mixture.labels)) == len(mixture.labels) == len(mixture.icons)
        assert list(mixture.shares) == sorted(mixture.shares, reverse=True)
        assert all(np.diff(mixture.levels_db) <= -1 + 1e-3)
    assert counts == {1, 2, 3}


def test_a_number_gives_the_same_mixture_and_another_another():
    first, again, other = (render_mixture(0, number, duration_s=0.5) for number in (4, 4, 5))
    assert np.array_equal(first.waveform, again.waveform) and first.labels == again.labels
    assert np.array_equal(first.picture, again.picture)
    assert not np.array_equal(first.waveform, other.waveform)


def test_one_source_is_the_mixture_itself():
    mixture = render_mixture(0, 0, most_sources=1, duration_s=0.5, size=32)
    assert np.array_equal(mixture.sources[0], mixture.waveform) and mixture.shares == (1.0,)
    assert mixture.picture.shape == (32, 32, 3)


def test_more_sources_than_there_are_places_are_refused():
    with pytest.raises(ValueError, match="most_sources is 4; expected 1 to 3"):
        render_mixture(0, 0, most_sources=4)


def test_the_mixture_that_comes_with_the_tests_is_the_one_that_is_told():
    path = Path(__file__).parents[3] / "assets/bell_and_bird.wav"
    made = render_mixture(7, 165, 2, 3.0)
    assert made.labels == ("bell", "bird") and path.stat().st_size < 100_000
    assert np.abs(decode_wav(path.read_bytes()) - made.waveform).max() <= 2 / 2**15
