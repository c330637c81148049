import numpy as np
import pytest

from data_prep.media.wav import encode_wav
from data_prep.mixtures.blending import BlendOptions, blend, blend_chosen
from data_prep.noise.levels import active_power
from data_prep.sounds.labelled import Sound

PITCHES = {"low": 300, "middle": 900, "high": 2700}


def tone(pitch_hz, samples):
    return (0.3 * np.sin(2 * np.pi * pitch_hz * np.arange(samples) / 16_000)).astype(np.float32)


@pytest.fixture
def sounds(tmp_path):
    """A long, a short and a mostly silent recording of each label."""
    made = []
    for label, pitch in PITCHES.items():
        silent = np.concatenate([np.zeros(60_000), tone(pitch, 8_000), np.zeros(20_000)])
        for kind, waveform in [("long", tone(pitch, 64_000)), ("short", tone(pitch, 6_000)),
                               ("rare", silent)]:  # fmt: skip
            path = tmp_path / f"{label}_{kind}.wav"
            path.write_bytes(encode_wav(waveform))
            made.append(Sound(path.stem, str(path), label))
    return made


def pitch_of(waveform):
    return float(np.abs(np.fft.rfft(waveform)).argmax() * 16_000 / len(waveform))


def test_each_source_is_of_its_label_and_at_its_level(sounds):
    options = BlendOptions(levels_db=(-9.0, -2.0), duration_s=1.0)
    for number in range(30):
        mixture = blend(sounds, options, number)
        assert np.allclose(sum(mixture.sources), mixture.waveform, atol=1e-6)
        assert len(set(mixture.labels)) == len(mixture.labels) in (2, 3)
        for label, source in zip(mixture.labels, mixture.sources, strict=True):
            assert abs(pitch_of(source) - PITCHES[label]) < 20 and len(source) == 16_000
        powers = np.array([active_power(source) for source in mixture.sources])
        assert np.allclose(10 * np.log10(powers / powers[0]), mixture.levels_db, atol=0.05)
        assert mixture.levels_db[0] == 0 and all(-9 <= one <= -2 for one in mixture.levels_db[1:])
        assert list(mixture.levels_db) == sorted(mixture.levels_db, reverse=True)


def test_a_number_gives_the_same_mixture_and_another_another(sounds):
    options = BlendOptions(duration_s=0.5)
    first, again, other = (blend(sounds, options, number) for number in (1, 1, 2))
    assert np.array_equal(first.waveform, again.waveform)
    assert not np.array_equal(first.waveform, other.waveform)


def test_a_stretch_of_a_recording_is_that_stretch(sounds):
    waveform = np.concatenate([tone(300, 16_000), tone(900, 16_000)])
    stretches = [Sound(label, "both", label, start_s=start, end_s=start + 1)
                 for label, start in (("low", 0), ("middle", 1))]  # fmt: skip
    mixture = blend(stretches, BlendOptions(most=2, duration_s=1.0), 0, lambda _: waveform)
    for label, source in zip(mixture.labels, mixture.sources, strict=True):
        assert abs(pitch_of(source) - PITCHES[label]) < 5


def test_silence_and_too_few_labels_are_told(sounds):
    with pytest.raises(ValueError, match="long.wav is silent"):
        blend(sounds[::3], BlendOptions(), 0, lambda _: np.zeros(100))
    with pytest.raises(ValueError, match=r"1 labels \(low\); expected 3 or more"):
        blend(sounds[:3], BlendOptions(), 0)


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"fewest": 4}, "fewest is 4 and most 3"),
        ({"levels_db": (-3.0, 1.0)}, "levels_db is -3.0, 1.0"),
        ({"levels_db": (0.0, -3.0)}, "levels_db is 0.0, -3.0"),
        ({"duration_s": 0.0}, "duration_s is 0.0"),
        ({"recipe": "loud"}, "No recipe 'loud'"),
    ],
)
def test_options_that_make_no_sense_are_refused(given, told):
    with pytest.raises(ValueError, match=told):
        BlendOptions(**given)


def test_what_is_chosen_already_keeps_its_order(sounds):
    chosen = [next(s for s in sounds if s.id == f"{label}_short") for label in ("high", "low")]
    options = BlendOptions(levels_db=(-3.0, -3.0), duration_s=0.5)
    mixture = blend_chosen(chosen, options, np.random.default_rng(0))
    assert mixture.labels == ("high", "low") and mixture.levels_db == (0, -3)
    assert [round(pitch_of(one), -2) for one in mixture.sources] == [2700, 300]
