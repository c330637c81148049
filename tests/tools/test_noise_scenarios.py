import numpy as np
import pytest

from data_prep.noise.levels import active_power
from tools.noise_scenarios import SCENARIOS, TASKS, UNSEEN, render_scenario

RANDOM = np.random.default_rng(0)
VOICES = [RANDOM.standard_normal(n).astype(np.float32) for n in (2_000, 5_000, 9_000)]
SPEECH = np.pad(0.1 * RANDOM.standard_normal(6_000), (2_000, 4_800)).astype(np.float32)


@pytest.mark.parametrize("name", SCENARIOS)
def test_a_scenario_is_the_same_for_the_same_seed_alone(name):
    one, again, other = (render_scenario(name, SPEECH, VOICES, (seed, 3)) for seed in (1, 1, 2))
    assert one.dtype == np.float32 and one.shape == SPEECH.shape
    assert np.isfinite(one).all() and 0 < np.abs(one).max() <= 1
    assert np.array_equal(one, again)
    assert np.array_equal(one, other) == (name == "clean")
    assert np.array_equal(one, SPEECH) == (name == "clean")


def test_noise_is_as_loud_as_the_scenario_says():
    heard = render_scenario("white", SPEECH, VOICES, (0,))
    scale = heard[2_000:8_000] @ SPEECH[2_000:8_000] / (SPEECH @ SPEECH)
    noise = heard - scale * SPEECH
    ratio = 10 * np.log10(active_power(scale * SPEECH) / active_power(noise))
    assert abs(ratio) < 2.5  # 0 dB, give or take 2


def test_ten_tasks_are_apart_from_what_is_never_seen():
    assert len(TASKS) == 10 and set(TASKS) < set(SCENARIOS)
    assert set(UNSEEN) == set(SCENARIOS) - set(TASKS) - {"clean"}


def test_a_wrong_name_lists_those_there_are():
    with pytest.raises(ValueError, match=r"No scenario 'pink'; known: clean, white"):
        render_scenario("pink", SPEECH, VOICES, (0,))
