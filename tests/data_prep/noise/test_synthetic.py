import numpy as np
import pytest

from data_prep.noise.synthetic import MAKERS


@pytest.mark.parametrize("name", MAKERS)
@pytest.mark.parametrize("samples", [1600, 51_200])
def test_noise_is_whole_and_of_level_one(name, samples):
    for seed in range(6):
        noise = MAKERS[name](samples, np.random.default_rng(seed))
        assert noise.shape == (samples,) and noise.dtype == np.float32
        assert np.mean(np.square(noise, dtype=np.float64)) == pytest.approx(1, rel=1e-3)


@pytest.mark.parametrize("name", MAKERS)
def test_one_seed_one_noise(name):
    one, same, other = (MAKERS[name](8000, np.random.default_rng(s)) for s in (1, 1, 2))
    assert np.array_equal(one, same)
    assert not np.allclose(one, other)
