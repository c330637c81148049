from pathlib import Path

import numpy as np
import pytest

from data_prep.questions.hearing.recordings import (
    Stretch,
    animal_of,
    crop,
    even_out,
    join,
    part_recordings,
)


@pytest.mark.parametrize(
    ("name", "animal"),
    [
        ("dog", "dog"),
        ("audiomentations_hens", "hen"),
        ("librosa_humpback", "whale"),
        ("chirping_birds", "bird"),
        ("Robin-2", "bird"),
        ("concatenated", ""),
        ("church_bells", ""),
    ],
)
def test_animals_are_whole_words_of_names(name, animal):
    assert animal_of(name) == animal


def test_the_last_recording_tests_and_of_one_alone_the_last_seconds():
    a, b, c = map(Path, ("a.wav", "b.wav", "c.wav"))
    parted = part_recordings([("dog", a), ("hen", c), ("dog", b)])
    assert parted["dog"] == {"train": [Stretch(a)], "test": [Stretch(b)]}
    waveform = np.arange(1000, 2001)
    train, test = (parted["hen"][fold][0].of(waveform) for fold in ("train", "test"))
    assert len(train) > 2 * len(test) > 0
    assert np.array_equal(np.concatenate([train, test]), waveform)


def test_silence_that_fills_a_recording_up_is_of_no_part():
    waveform = np.concatenate([np.zeros(50), np.arange(1000, 2000), np.zeros(3000)])
    whole = Stretch(Path("a.wav")).of(waveform)
    assert np.array_equal(whole, np.arange(1000, 2000))
    assert Stretch(Path("a.wav"), 0.7).of(waveform).min() == 1700
    with pytest.raises(ValueError, match="a.wav is silent"):
        Stretch(Path("a.wav")).of(np.zeros(10))


def test_a_crop_is_of_one_to_two_seconds_and_rarely_silent():
    waveform = np.zeros(64_000, np.float32)
    waveform[:32_000] = 0.1
    crops = [crop(waveform, np.random.default_rng(seed)) for seed in range(60)]
    assert all(16_000 <= len(one) <= 32_000 for one in crops)
    assert sum(one.any() for one in crops) > 55
    assert {float(one.max()) for one in crops if one.any()} == {0.5}
    assert len(crop(waveform[:5_000], np.random.default_rng(0))) == 5_000


def test_recordings_are_joined_in_their_order_with_pauses_at_one_level():
    loud, soft = np.ones(100, np.float32), np.full(200, -0.01, np.float32)
    joined = join([loud, soft], np.random.default_rng(0))
    assert joined.dtype == np.float32
    sounding = np.flatnonzero(joined)
    assert len(sounding) == 300 and sounding[0] >= 1_600 and len(joined) - sounding[-1] > 1_600
    assert np.diff(sounding).max() > 1_600
    np.testing.assert_allclose(joined[sounding], np.repeat([0.5, -0.5], [100, 200]))


def test_silence_stays_silent():
    assert not even_out(np.zeros(5, np.float32)).any() and even_out(np.zeros(0)).size == 0
