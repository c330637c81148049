"""Speech that no set was trained on is cut into pieces, shown with a mouth, and mixed as asked."""

from pathlib import Path

import numpy as np
import pytest

from data_prep.media.wav import encode_wav
from data_prep.noise import Recordings
from tasks.avsr.sets.contract import Utterance
from tools.unknown_speech import CHOOSE, GRID, HOP, OTHER, Piece, Speech, add_noise, cut_recording

RATE_HZ = 16_000


@pytest.fixture
def voices(tmp_path) -> tuple[Path, ...]:
    random = np.random.default_rng(0)
    for name in ("ann", "bob", "cid", "dan"):
        sound = encode_wav(0.1 * random.normal(size=5 * RATE_HZ))
        (tmp_path / f"{name}.wav").write_bytes(sound)
    return tuple(sorted(tmp_path.glob("*.wav")))


@pytest.fixture
def mouth() -> Utterance:
    crops = np.arange(125, dtype=np.uint8)[:, None, None] * np.ones((1, 96, 96), np.uint8)
    return Utterance(np.zeros(5 * RATE_HZ, np.float32), crops, np.ones(125, bool))


def test_a_recording_is_cut_at_even_steps_and_has_its_own_pictures_or_a_strangers(voices, mouth):
    own = cut_recording(voices[0], "ann", mouth)
    assert [piece.name for piece in own] == ["ann/0.0", "ann/1.6"]
    assert all(len(piece.utterance.waveform) == 51_200 for piece in own)
    assert own[0].side == OTHER and own[1].text == ""
    whole = np.concatenate([own[0].utterance.waveform[:HOP], own[1].utterance.waveform])
    np.testing.assert_array_equal(whole[HOP:51_200], own[0].utterance.waveform[HOP:])
    assert [piece.utterance.crops[0, 0, 0] for piece in own] == [0, 40]  # 1.6 s are 40 pictures
    strange = cut_recording(voices[0], "white", mouth)
    assert [piece.utterance.crops[0, 0, 0] for piece in strange] == [0, 0]


def test_noise_has_the_level_asked_for_and_is_not_the_piece_itself(voices, mouth):
    speech = Speech((), {CHOOSE: voices}, voices, {CHOOSE: Recordings({})})
    sound = np.sin(np.arange(48_000) / 9).astype(np.float32)
    piece = Piece("ann/0", GRID, CHOOSE, "ann", "", Utterance(sound, mouth.crops, mouth.mask))
    for kind in ("babble, other voices", "sidespeaker, other voices"):
        added = []
        for snr_db in (5.0, -5.0):
            mixed = add_noise(speech, piece, kind, snr_db, seed=0).waveform
            gain = np.dot(mixed, sound) / np.dot(sound, sound)
            noise = mixed - gain * sound
            level = 10 * np.log10(np.mean((gain * sound) ** 2) / np.mean(noise**2))
            assert abs(level - snr_db) < 0.2  # noise and speech have a little in common
            added.append(noise / np.linalg.norm(noise))
        assert np.dot(*added) > 0.999  # the same noise at every level
    assert add_noise(speech, piece, "clean", None, 0) is piece.utterance
