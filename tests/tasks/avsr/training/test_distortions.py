import numpy as np
import pytest

from data_prep.media.wav import encode_wav
from tasks.avsr.training.distortions import bend_spectrum, drop_pauses, record_elsewhere
from tasks.avsr.training.noise_maker import NoiseMaker, NoiseOptions

SAMPLES = 16_000


def voices(count: int = 40) -> list[np.ndarray]:
    random = np.random.default_rng(0)
    pause = np.zeros(SAMPLES, np.float32)
    return [
        np.concatenate([pause, random.normal(size=SAMPLES).astype(np.float32)])
        for _ in range(count)
    ]


def test_a_bent_spectrum_is_smooth_in_frequency():
    waveform = np.random.default_rng(0).normal(size=SAMPLES).astype(np.float32)
    bent = bend_spectrum(waveform, np.random.default_rng(1))
    assert bent.shape == waveform.shape and bent.dtype == np.float32
    before, after = (np.abs(np.fft.rfft(w)).reshape(-1)[1:8001] for w in (waveform, bent))
    gain_db = 10 * np.log10(np.square(after / before).reshape(400, 20).mean(1))
    assert np.ptp(gain_db) > 5
    assert np.abs(np.diff(gain_db)).max() < 0.3 * np.ptp(gain_db)


def test_fluent_speech_has_no_pauses():
    voice = voices(1)[0]
    assert len(drop_pauses(voice)) == SAMPLES
    assert drop_pauses(0 * voice).shape == voice.shape


def test_each_change_comes_and_stays_away(tmp_path):
    room = np.zeros(800)
    room[[0, 400]] = 1.0, 0.5
    (tmp_path / "room.wav").write_bytes(encode_wav(0.5 * room))
    noise = np.random.default_rng(0).normal(size=SAMPLES).astype(np.float32)
    changed = [
        record_elsewhere(noise, "music", [tmp_path / "room.wav"], np.random.default_rng(n))
        for n in range(30)
    ]
    same = sum(np.array_equal(noise, one) for one in changed)
    assert 0 < same < 20
    assert all(one.shape == noise.shape and np.isfinite(one).all() for one in changed)


def draw(category: str, strange: float, seed: int) -> np.ndarray:
    maker = NoiseMaker(NoiseOptions(changed=0.0, strange=strange), voices())
    return maker.draw(category, SAMPLES, -1, np.random.default_rng(seed))


@pytest.mark.parametrize("category", ["babble", "sidespeaker", "music", "natural"])
def test_strange_noise_is_the_same_again_and_finite(category):
    drawn = [draw(category, 1.0, seed) for seed in range(6)]
    assert all(one.shape == (SAMPLES,) and np.isfinite(one).all() for one in drawn)
    assert np.array_equal(drawn[3], draw(category, 1.0, 3))


def test_strange_voices_pause_less():
    def silent(strange: float) -> float:
        drawn = [draw("sidespeaker", strange, seed) for seed in range(40)]
        return float(np.mean([np.abs(one.reshape(-1, 800)).max(1) < 1e-3 for one in drawn]))

    assert silent(1.0) < 0.7 * silent(0.0)


def test_a_crowd_is_of_so_many_that_nobody_is_followed():
    options = NoiseOptions(changed=0.0, crowd=1.0)
    for seed in range(6):
        crowd = NoiseMaker(options, voices()).draw(
            "natural", SAMPLES, -1, np.random.default_rng(seed)
        )
        assert crowd.shape == (SAMPLES,) and crowd.dtype == np.float32
        power = np.square(crowd.reshape(-1, 1600)).mean(1)
        assert power.min() > 0.2 * power.mean()
    alone = [voices(1)[0], *np.zeros((39, SAMPLES), np.float32)]
    heard = [
        NoiseMaker(options, alone).draw("natural", SAMPLES, own, np.random.default_rng(3))
        for own in (0, -1)
    ]
    assert not heard[0].any() and heard[1].any()
