"""Loudness, pitch, centroid and rate of sounds whose answers are known."""

import numpy as np
import pytest

from modalities.audio.attribute_scale import SOUND_ATTRIBUTES, Bounds
from modalities.audio.sound_attributes import measure_attributes
from modalities.rates import RATE_HZ


def tone(hertz: float, seconds: float = 1.0, amplitude: float = 0.1) -> np.ndarray:
    times = np.arange(round(seconds * RATE_HZ)) / RATE_HZ
    return (amplitude * np.sin(2 * np.pi * hertz * times)).astype(np.float32)


def voice(hertz: float, seconds: float = 1.0) -> np.ndarray:
    """A tone with overtones that fall, as a vowel has."""
    return sum((tone(k * hertz, seconds, 0.1 / k) for k in range(1, 12)), np.zeros(1, np.float32))


def noise(seconds: float = 1.0, amplitude: float = 0.1) -> np.ndarray:
    random = np.random.default_rng(0)
    return (amplitude * random.standard_normal(round(seconds * RATE_HZ))).astype(np.float32)


def clicks(per_second: float, seconds: float, start_s: float = 0.1) -> np.ndarray:
    sound = np.zeros(round(seconds * RATE_HZ), np.float32)
    for when in np.arange(start_s, seconds, 1 / per_second):
        first = round(when * RATE_HZ)
        fall = np.exp(-np.arange(800) / 100)[: len(sound) - first]
        sound[first : first + len(fall)] += (fall * noise(0.05)[: len(fall)]).astype(np.float32)
    return sound


@pytest.mark.parametrize("hertz", [60, 110, 220, 441.7, 1000, 1900])
def test_the_pitch_of_a_tone_is_its_frequency(hertz):
    assert measure_attributes(tone(hertz)).pitch == pytest.approx(hertz, rel=0.005)
    if hertz < 700:
        assert measure_attributes(voice(hertz)).pitch == pytest.approx(hertz, rel=0.005)


def test_the_pitch_is_the_median_of_what_is_voiced():
    parts = [voice(200, 1.0), np.zeros(8000, np.float32), noise(0.5), voice(300, 0.4)]
    assert measure_attributes(np.concatenate(parts)).pitch == pytest.approx(200, rel=0.005)


def test_noise_has_no_pitch_and_says_so():
    found = measure_attributes(noise())
    assert found.pitch is None
    with pytest.raises(ValueError, match="has no pitch: nothing in it is voiced"):
        found.take("pitch")


@pytest.mark.parametrize("amplitude", [0.9, 0.1, 1e-4])
def test_a_tone_of_1_khz_is_3_lufs_below_its_peak_at_any_level(amplitude):
    """BS.1770 says -3.01 LUFS of a tone of 1 kHz (997 Hz) at full scale in one channel."""
    found = measure_attributes(tone(997, 2.0, amplitude)).loudness
    assert found == pytest.approx(-3.01 + 20 * np.log10(amplitude), abs=0.15)


def test_20_db_louder_is_20_db_louder_and_nothing_else_changes():
    sound = np.concatenate([voice(150, 0.5), noise(0.5, 0.02)])
    quiet, loud = measure_attributes(sound), measure_attributes(10 * sound)
    assert loud.loudness - quiet.loudness == pytest.approx(20, abs=1e-3)
    assert (loud.pitch, loud.rate) == pytest.approx((quiet.pitch, quiet.rate))
    assert loud.centroid == pytest.approx(quiet.centroid, rel=1e-4)


def test_a_pause_does_not_change_how_loud_or_bright_a_sound_is():
    sound = tone(500, 2.0)
    paused = measure_attributes(np.concatenate([sound, np.zeros(2 * RATE_HZ, np.float32)]))
    whole = measure_attributes(sound)
    assert paused.loudness == pytest.approx(whole.loudness, abs=0.5)
    assert paused.centroid == pytest.approx(whole.centroid, rel=0.1)


@pytest.mark.parametrize("hertz", [300, 1000, 5000])
def test_the_centroid_of_a_tone_is_its_frequency(hertz):
    assert measure_attributes(tone(hertz)).centroid == pytest.approx(hertz, rel=0.05)


def test_the_centroid_of_two_tones_lies_between_them_by_their_amplitudes():
    sound = tone(1000, amplitude=0.1) + tone(3000, amplitude=0.05)
    assert measure_attributes(sound).centroid == pytest.approx(5000 / 3, rel=0.02)


@pytest.mark.parametrize("per_second", [2, 4, 8])
@pytest.mark.parametrize("ground", [0.0, 3e-4])
def test_clicks_are_counted(per_second, ground):
    sound = clicks(per_second, 5.0) + ground * noise(5.0) / 0.1
    assert measure_attributes(sound).rate == pytest.approx(per_second, abs=0.21)


def test_a_steady_tone_begins_once():
    assert measure_attributes(tone(440, 2.0)).rate == pytest.approx(0.5)


def test_words_a_second_are_those_of_the_transcript():
    assert measure_attributes(voice(120, 2.0), "one two three").words == pytest.approx(1.5)
    assert measure_attributes(voice(120, 2.0)).words is None


@pytest.mark.parametrize("samples", [1, 100, 3000])
def test_short_sounds_are_measured(samples):
    found = measure_attributes(noise()[:samples])
    assert np.isfinite([found.loudness, found.centroid, found.rate]).all()


@pytest.mark.parametrize("samples", [0, 1, 16000])
def test_silence_is_refused_in_one_line(samples):
    with pytest.raises(ValueError, match=r"^There is no sound in it; expected .*\.$"):
        measure_attributes(np.zeros(samples, np.float32))


def test_bounds_tell_where_a_value_lies_and_back():
    pitch = Bounds("pitch", "Hz", 100, 400, ratio=True)
    assert [pitch.share(value) for value in (100, 200, 400, 800)] == pytest.approx([0, 0.5, 1, 1.5])
    level = Bounds("loudness", "LUFS", -40, -20)
    assert [level.share(value) for value in (-40, -25, -20)] == pytest.approx([0, 0.75, 1])
    for bounds in (pitch, level):
        assert bounds.share(bounds.value(0.3)) == pytest.approx(0.3)
    assert str(level) == "-40 to -20 LUFS"


@pytest.mark.parametrize(
    ("least", "most", "ratio"), [(2, 1, False), (0, 1, True), (0, 1e999, False)]
)
def test_bounds_that_are_none_are_refused(least, most, ratio):
    with pytest.raises(ValueError, match="Bounds of a are"):
        Bounds("a", "", least, most, ratio)


def test_an_attribute_that_is_not_known_is_refused():
    with pytest.raises(ValueError, match=f"known: {', '.join(SOUND_ATTRIBUTES)}"):
        measure_attributes(tone(300)).take("colour")
