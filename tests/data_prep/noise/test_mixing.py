"""Ratios are exact, whatever the recordings, and a scene gives the same sound again."""

import json
import wave

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data_prep.noise import (
    RECIPES,
    Recordings,
    Scene,
    draw_scene,
    find_recordings,
    measure_power,
    mix,
    mix_sources,
    render_scene,
    reverberate,
)


def sound(samples: int, seed: int, pause: float = 0.0) -> np.ndarray:
    random = np.random.default_rng(seed)
    waveform = random.normal(0, 0.05, samples).astype(np.float32)
    waveform[: int(pause * samples)] = 0
    return waveform


def write(path, waveform: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with wave.open(str(path), "wb") as file:
        file.setparams((1, 2, 16_000, 0, "NONE", ""))
        file.writeframes((waveform * 32767).astype("<i2").tobytes())


@settings(max_examples=60, deadline=None)
@given(
    snr_db=st.floats(-30, 40),
    samples=st.integers(1, 20_000),
    noise_samples=st.integers(1, 30_000),
    pause=st.floats(0, 0.9),
    recipe=st.sampled_from(sorted(RECIPES)),
    seed=st.integers(0, 1000),
)
def test_the_ratio_is_exact(snr_db, samples, noise_samples, pause, recipe, seed):
    speech, noise = sound(samples, seed, pause), sound(noise_samples, seed + 1)
    made = mix(speech, noise, snr_db, recipe)
    powers = measure_power(made.speech, recipe), measure_power(made.noise, recipe)
    assert 10 * np.log10(powers[0] / powers[1]) == pytest.approx(snr_db, abs=0.01)
    assert np.abs(made.waveform).max() <= 1
    np.testing.assert_allclose(made.waveform, made.speech + made.noise, atol=1e-6)


def test_zero_is_zero_decibels_and_not_nothing():
    speech, noise = sound(8000, 0), 7 * sound(8000, 1)
    made = mix(speech, noise, 0.0)
    assert measure_power(made.noise, "rms") == pytest.approx(measure_power(made.speech, "rms"))
    np.testing.assert_array_equal(made.speech, speech)


def test_pauses_count_in_one_recipe_alone():
    speech = sound(32_000, 0, pause=0.5)
    assert measure_power(speech[16_000:], "rms") == pytest.approx(
        2 * measure_power(speech, "rms"), rel=1e-6
    )
    assert measure_power(speech[16_000:], "active") == pytest.approx(
        measure_power(speech, "active"), rel=0.02
    )


@pytest.mark.parametrize(
    ("speech", "noise", "snr_db", "recipe", "message"),
    [
        (np.zeros(100), sound(100, 0), 0.0, "rms", "Speech is silent"),
        (sound(100, 0), np.zeros(100), 0.0, "rms", "Noise is silent"),
        (sound(100, 0), np.zeros(0), 0.0, "rms", "no samples"),
        (sound(100, 0), sound(100, 1), float("nan"), "rms", "snr_db is nan"),
        (sound(100, 0), sound(100, 1), 0.0, "loud", "No recipe 'loud'; known: rms, active"),
    ],
)
def test_what_has_no_ratio_is_told(speech, noise, snr_db, recipe, message):
    with pytest.raises(ValueError, match=message):
        mix(speech, noise, snr_db, recipe)


def test_a_room_keeps_time_and_power():
    click = np.zeros(1000, np.float32)
    click[300] = 0.5
    response = np.zeros(200, np.float32)
    response[[40, 90]] = 1.0, 0.5  # the direct sound after 40 samples, an echo 50 later
    wet = reverberate(click, response)
    assert len(wet) == len(click) and np.abs(wet).argmax() == 300
    assert wet[350] == pytest.approx(wet[300] / 2, rel=1e-4)
    assert np.square(wet).sum() == pytest.approx(0.25, rel=1e-4)
    with pytest.raises(ValueError, match="silent"):
        reverberate(click, np.zeros(10))


@pytest.fixture
def folder(tmp_path):
    for name in ("music/a.wav", "noise/free/b.wav", "noise/c.wav"):
        write(tmp_path / name, sound(40_000, len(name)))
    for number in range(8):
        write(tmp_path / f"speech/voice{number}.wav", sound(30_000, 100 + number))
    (tmp_path / "music/notes.txt").write_text("not a recording")
    return tmp_path


def test_folders_lead_to_categories(folder):
    found = find_recordings(folder)
    assert found.categories == ("babble", "sidespeaker", "music", "natural")
    assert [path.name for path in found.files("natural")] == ["c.wav", "b.wav"]
    assert len(found.files("babble")) == 8
    assert len(found.without(["voice1", "a"]).voices) == 7
    assert found.without(["a"]).categories == ("babble", "sidespeaker", "natural")
    with pytest.raises(ValueError, match="No noise category 'hum'; known: babble"):
        found.files("hum")
    with pytest.raises(FileNotFoundError, match="is no folder"):
        find_recordings(folder / "nowhere")
    with pytest.raises(ValueError, match="holds no recordings in folders named music"):
        find_recordings(folder / "music")


@pytest.mark.parametrize("category", ["babble", "sidespeaker", "music", "natural"])
@pytest.mark.parametrize("recipe", sorted(RECIPES))
def test_a_scene_from_its_json_gives_the_same_sound(folder, category, recipe):
    recordings, speech = find_recordings(folder), sound(16_000, 5)
    write(folder / "room.wav", np.exp(-np.arange(4000) / 800) * sound(4000, 9))
    scene = draw_scene(
        *(recordings, category, -5.0, len(speech), (1, 2), recipe),
        rooms=[folder / "room.wav"],
    )
    made = render_scene(scene, speech)
    again = render_scene(Scene.from_json(json.loads(json.dumps(scene.to_json()))), speech)
    np.testing.assert_array_equal(made.waveform, again.waveform)
    assert scene == draw_scene(
        *(recordings, category, -5.0, len(speech), (1, 2), recipe),
        rooms=[folder / "room.wav"],
    )
    others = {
        draw_scene(recordings, category, -5.0, len(speech), (1, seed), recipe).offsets
        for seed in range(5)
    }
    assert len(others) > 1
    powers = measure_power(made.speech, recipe), measure_power(made.noise, recipe)
    assert 10 * np.log10(powers[0] / powers[1]) == pytest.approx(-5, abs=0.01)
    assert len(set(scene.files)) == (6 if category == "babble" else 1)


def test_a_voice_is_not_mixed_with_itself_and_babble_needs_several(folder):
    recordings = find_recordings(folder)
    for seed in range(20):
        scene = draw_scene(recordings, "sidespeaker", 0, 16_000, (seed,), avoid="voice3")
        assert "voice3" not in scene.files[0]
    few = Recordings({}, recordings.voices[:4])
    with pytest.raises(ValueError, match="'babble' needs 6 recordings.*there are 4"):
        draw_scene(few, "babble", 0, 16_000, (0,))


def test_silent_parts_are_cut_elsewhere(tmp_path):
    waveform = sound(64_000, 0)
    waveform[:40_000] = 0
    write(tmp_path / "music/a.wav", waveform)
    write(tmp_path / "music2.wav", np.zeros(64_000))
    recordings = find_recordings(tmp_path)
    for seed in range(10):
        scene = draw_scene(recordings, "music", 0, 8000, (seed,))
        assert scene.offsets[0] > 32_000
    silent = Recordings({"music": (tmp_path / "music2.wav",)})
    with pytest.raises(ValueError, match="silent in most places"):
        draw_scene(silent, "music", 0, 8000, (0,))


def test_sources_have_the_levels_asked_for_and_sum_to_the_mixture():
    random = np.random.default_rng(2)
    sources = [(random.standard_normal(4000) * scale).astype(np.float32) for scale in (0.4, 1, 0.1)]
    total, parts = mix_sources(sources, (0.0, -3.0, -12.0))
    powers = [np.mean(np.square(part, dtype=np.float64)) for part in parts]
    assert np.allclose(10 * np.log10(np.divide(powers, powers[0])), [0, -3, -12], atol=1e-3)
    assert np.allclose(sum(parts), total, atol=1e-6) and np.abs(total).max() <= 1


def test_two_sources_are_mixed_as_speech_and_noise_are():
    random = np.random.default_rng(3)
    speech, noise = (random.standard_normal(4000).astype(np.float32) for _ in range(2))
    mixed = mix(speech, noise, 5.0)
    total, parts = mix_sources([speech, noise], (0.0, -5.0))
    assert np.array_equal(total, mixed.waveform) and np.array_equal(parts[1], mixed.noise)


@pytest.mark.parametrize(
    ("sources", "levels_db", "told"),
    [
        ([], [], "no samples"),
        ([np.ones(3), np.ones(4)], [0, 0], r"\[3, 4\] samples"),
        ([np.ones(3), np.zeros(3)], [0, -3], "Source 2 is silent"),
        ([np.ones(3), np.ones(3)], [0], "for 2 sources; expected decibels for each"),
        ([np.ones(3), np.ones(3)], [-3, 0], "and 0 for the first"),
        ([np.ones(3), np.ones(3)], [0, np.inf], "expected decibels"),
    ],
)
def test_sources_that_cannot_be_mixed_are_told(sources, levels_db, told):
    with pytest.raises(ValueError, match=told):
        mix_sources(sources, levels_db)
