"""Noises that follow each other, and which frame of an encoder each is heard in."""

import numpy as np
import pytest

from data_prep.noise.changing import join_noises, label_stretches


def noises(count: int, samples: int = 1000) -> list[np.ndarray]:
    random = np.random.default_rng(0)
    return [random.standard_normal(samples) * 10.0**n for n in range(count)]


def test_each_stretch_comes_from_its_noise_and_all_are_of_one_level():
    first, second = noises(2)
    joined = join_noises([first, second], [300])
    assert joined.dtype == np.float32 and len(joined) == 1000
    for stretch, noise in ((joined[:300], first[:300]), (joined[300:], second[300:])):
        assert np.mean(np.square(stretch)) == pytest.approx(1, rel=1e-5)
        assert np.corrcoef(stretch, noise)[0, 1] == pytest.approx(1, abs=1e-6)


@pytest.mark.parametrize("places", [[], [0], [1000], [600, 300], [300, 600, 700]])
def test_places_that_do_not_part_the_noises_are_refused(places):
    with pytest.raises(ValueError, match="expected 2 places that rise"):
        join_noises(noises(3), places)


def test_noises_of_different_lengths_and_silent_stretches_are_refused():
    first, second = noises(2)
    with pytest.raises(ValueError, match="same length"):
        join_noises([first, second[:-1]], [300])
    second[300:] = 0
    with pytest.raises(ValueError, match="Stretch 2 of the noise is silent"):
        join_noises([first, second], [300])


def test_frames_have_the_label_of_what_begins_in_them():
    assert label_stretches([7, 3], [320 + 5], 1000, 320).tolist() == [7, 3, 3, 3]
    assert label_stretches([7, 3], [640], 960, 320).tolist() == [7, 7, 3]
    assert label_stretches([5], [], 641, 320).tolist() == [5, 5, 5]
