import numpy as np
import pytest

from data_prep.faces.talking import (
    RunningScore,
    TalkConfig,
    describe_mouth,
    fit_mapping,
    hear,
    load_mapping,
    measure_activity,
    measure_match,
    normalize_sound,
    score_talking,
)

FRAMES = 100
CONFIG = TalkConfig()


@pytest.fixture
def face():
    """A mouth that opens and closes, a still upper face, and how far the mouth is open."""
    random = np.random.default_rng(0)
    opening = np.clip(np.convolve(random.normal(0, 2, FRAMES), np.ones(4) / 2, "same"), 0, 4)
    base = random.integers(90, 160, (96, 96)).astype(float)
    mouths = np.stack([base] * FRAMES)
    for frame, size in enumerate(opening):
        half = round(4 * size)
        mouths[frame, 48 - half : 48 + half, 30:66] = 20
    upper = np.stack([random.integers(90, 160, (48, 48))] * FRAMES)
    noise = random.normal(0, 1, (FRAMES, 1, 1))
    return (mouths + noise).astype(np.uint8), (upper + noise).astype(np.uint8), opening


def speak(opening):
    noise = np.random.default_rng(1).normal(0, 0.1, FRAMES * 640)
    return (noise * (0.01 + np.repeat(opening, 640))).astype(np.float32)


def test_loudness_of_a_tone_is_in_its_band():
    tone = np.sin(2 * np.pi * 800 * np.arange(6400) / 16000).astype(np.float32)
    assert hear(tone).shape == (10, 8)
    assert (hear(tone).argmax(axis=1) == 2).all()


def test_silence_has_finite_features():
    sound = normalize_sound(hear(np.zeros(6400, np.float32)))
    assert np.isfinite(sound).all() and abs(sound).max() == 0


def test_still_face_does_not_talk(face):
    mouths, upper, opening = face
    repeated = np.zeros(FRAMES, bool)
    still = np.repeat(mouths[:1], FRAMES, 0)
    assert (
        score_talking(still, upper[:1].repeat(FRAMES, 0), hear(speak(opening)), repeated, CONFIG)
        == 0
    )


def test_head_motion_alone_is_no_activity():
    random = np.random.default_rng(0)
    mouths = random.integers(80, 120, (FRAMES, 96, 96)).astype(np.uint8)
    upper = random.integers(80, 120, (FRAMES, 48, 48)).astype(np.uint8)
    wobble = (20 * random.normal(size=(FRAMES, 1, 1))).clip(-60, 60).astype(int)
    split = np.where(np.arange(96) < 48, wobble, -wobble)
    mouths = (mouths + split).clip(0, 255).astype(np.uint8)
    upper = (upper + split[:, :, ::2]).clip(0, 255).astype(np.uint8)
    assert measure_activity(mouths, upper, np.zeros(FRAMES, bool), CONFIG) < 0.2


def test_own_voice_scores_above_a_foreign_one(face):
    mouths, upper, opening = face
    repeated = np.zeros(FRAMES, bool)
    own = score_talking(mouths, upper, hear(speak(opening)), repeated, CONFIG)
    foreign = score_talking(mouths, upper, hear(speak(np.roll(opening, 37))), repeated, CONFIG)
    assert own > foreign + 0.05
    assert 0 <= foreign <= own <= 1


def test_repeated_pictures_keep_the_motion_of_their_original(face):
    mouths, upper, _ = face
    repeated = np.arange(FRAMES) % 2 == 1
    slow_mouths, slow_upper = (
        mouths[(np.arange(FRAMES) // 2) * 2],
        upper[(np.arange(FRAMES) // 2) * 2],
    )
    full = measure_activity(mouths, upper, np.zeros(FRAMES, bool), CONFIG)
    slow = measure_activity(slow_mouths, slow_upper, repeated, CONFIG)
    assert slow == pytest.approx(full, abs=0.2)


@pytest.mark.parametrize("frames", [1, 2, 3, 5])
def test_very_short_faces_have_a_score(face, frames):
    mouths, upper, opening = face
    loudness = hear(speak(opening))[:frames]
    for repeated in (np.zeros(frames, bool), np.ones(frames, bool)):
        score = score_talking(mouths[:frames], upper[:frames], loudness, repeated, CONFIG)
        assert 0 <= score <= 1


def test_map_is_recovered_from_its_own_output():
    random = np.random.default_rng(0)
    mapping = random.normal(size=(20, 8))
    features = [random.normal(size=(60, 20)) for _ in range(5)]
    fitted = fit_mapping(features, [f @ mapping for f in features], ridge_per_frame=1e-9)
    np.testing.assert_allclose(fitted, mapping, atol=1e-4)


def test_shipped_map_has_the_shape_of_the_features(face):
    features = describe_mouth(face[0], np.zeros(FRAMES, bool))
    assert features.shape == (FRAMES, 660)
    assert load_mapping().shape == (660, 8)


def test_silent_sound_matches_nothing(face):
    loudness = hear(np.zeros(FRAMES * 640, np.float32))
    assert measure_match(face[0], loudness, np.zeros(FRAMES, bool)) == 0


def test_past_pieces_count_half():
    score = RunningScore()
    score.add(0.9, 100)
    assert score.value == pytest.approx(0.9)
    score.add(0.0, 100)
    assert score.value == pytest.approx(0.3)
