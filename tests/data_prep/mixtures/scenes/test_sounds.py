import numpy as np
import pytest

from data_prep.mixtures.scenes.sounds import SOUNDS, render_sound

SAMPLES = 48_000


def make(kind, seed, samples=SAMPLES):
    return render_sound(kind, samples, np.random.default_rng((seed, list(SOUNDS).index(kind))))


def describe(waveform):
    """Return how loud 24 bands are on average, and how much each comes and goes."""
    frames = waveform[: len(waveform) // 400 * 400].reshape(-1, 400) * np.hanning(400)
    powers = np.abs(np.fft.rfft(frames)) ** 2 + 1e-3
    edges = np.unique(np.geomspace(1, 201, 25).astype(int))
    bands = np.log(np.add.reduceat(powers, edges[:-1], axis=1))
    return np.concatenate([bands.mean(0), 2 * bands.std(0)])


@pytest.mark.parametrize("kind", SOUNDS)
def test_a_seed_gives_the_same_sound_and_another_another(kind):
    first = make(kind, 3)
    assert np.array_equal(first, make(kind, 3)) and not np.array_equal(first, make(kind, 4))
    assert first.dtype == np.float32 and first.shape == (SAMPLES,)
    assert np.mean(np.square(first, dtype=np.float64)) == pytest.approx(1, rel=1e-4)


@pytest.mark.parametrize("kind", SOUNDS)
def test_something_is_heard_in_half_a_second_of_any_seed(kind):
    for seed in range(12):
        sound = make(kind, seed, 8_000)
        assert np.isfinite(sound).all() and np.square(sound).mean() == pytest.approx(1, rel=1e-3)


def test_kinds_are_told_apart_by_their_nearest_example():
    examples = {kind: [describe(make(kind, seed)) for seed in range(6)] for kind in SOUNDS}
    right = 0
    for kind in SOUNDS:
        for seed in range(100, 106):
            heard = describe(make(kind, seed))
            away = {
                name: min(np.linalg.norm(heard - one) for one in of)
                for name, of in examples.items()
            }
            right += min(away, key=lambda name: away[name]) == kind
    assert right >= 0.95 * 6 * len(SOUNDS)


def test_what_cannot_be_made_is_told():
    with pytest.raises(ValueError, match="No sound 'sirem'; known: bell, .* Did you mean 'siren'"):
        render_sound("sirem", 16_000, np.random.default_rng(0))
    with pytest.raises(ValueError, match="7999 samples was asked for; expected 8000 or more"):
        make("bell", 0, 7_999)
