from pathlib import Path

import numpy as np
import pytest

from data_prep.media.video import stream_video
from data_prep.media.wav import encode_wav
from data_prep.mixtures.known import write_known
from data_prep.mixtures.manifest import MixedSound, read_mixtures, write_mixtures
from data_prep.mixtures.samples import (
    choose_picture,
    load_picture,
    load_sound,
    load_sources,
    stream_seconds,
)
from data_prep.mixtures.scenes.mixture import render_mixture

VIDEO = str(Path(__file__).parents[2] / "assets/white_house_address.mp4")  # 8.7 s


@pytest.fixture(scope="module")
def shown():
    """What the video shows, by hundredths of a second."""
    return {round(100 * frame.time_s): frame.rgb() for frame in stream_video(VIDEO)}


def test_a_picture_is_taken_from_the_video_where_the_row_says(shown):
    row = MixedSound("a", VIDEO, ("speech",), picture_s=2.5)
    picture = load_picture(row)
    assert picture.dtype == np.float32 and picture.shape == (240, 320, 3)
    time = min(shown, key=lambda one: (one < 248, one))  # the first at 2.48 s or later
    assert np.allclose(picture * 255, shown[time], atol=1e-3)


def test_without_a_time_it_is_the_one_in_the_middle(shown):
    picture = load_picture(MixedSound("a", VIDEO, ("speech",), end_s=4.0))
    assert np.allclose(picture * 255, shown[200], atol=1e-3)
    whole = load_picture(MixedSound("a", VIDEO, ("speech",)))
    near = [shown[time] for time in shown if 428 <= time <= 444]
    assert any(np.allclose(whole * 255, one, atol=1e-3) for one in near)


def test_a_time_after_the_end_is_a_mistake_and_not_another_picture():
    with pytest.raises(ValueError, match="no picture at 30.00 s; expected a longer video"):
        load_picture(MixedSound("a", VIDEO, ("speech",), picture_s=30.0))


def test_each_second_has_its_picture_and_its_sound(shown):
    row = MixedSound("a", VIDEO, ("speech",), start_s=2.0, end_s=6.0)
    seconds = list(stream_seconds(row))
    whole = load_sound(MixedSound("a", VIDEO, ("speech",)))
    assert [time for time, _, _ in seconds] == [2.5, 3.5, 4.5, 5.5]
    for time, picture, sound in seconds:
        start = round((time - 0.5) * 16_000)
        assert np.array_equal(sound, whole[start : start + 16_000])
        assert picture.shape == (240, 320, 3) and 0 <= picture.min() <= picture.max() <= 1


def test_a_rendered_mixture_is_read_as_it_was_written(tmp_path):
    mixture = render_mixture(0, 1, duration_s=0.5, size=32)
    write_mixtures(tmp_path / "manifest.jsonl", [write_known(tmp_path, "a", "train", mixture)])
    (row,) = read_mixtures(tmp_path / "manifest.jsonl")
    assert np.allclose(load_sound(row), mixture.waveform, atol=1 / 2**15)
    assert np.allclose(load_picture(row) * 255, mixture.picture, atol=1e-3)
    for read, source in zip(load_sources(row), mixture.sources, strict=True):
        assert np.allclose(read, source, atol=1 / 2**15)


def test_a_recording_that_ends_before_the_row_begins_is_told(tmp_path):
    (tmp_path / "a.wav").write_bytes(encode_wav(np.zeros(16_000)))
    with pytest.raises(ValueError, match="ends before 20.0 s, where a begins"):
        load_sound(MixedSound("a", str(tmp_path / "a.wav"), ("dog",), start_s=20.0))


def test_two_models_choose_when_to_look():
    fits = np.full((4, 1), 0.1)
    fits[2] = 0.5

    def fit(things, labels):
        return fits[: len(things)]

    row = choose_picture(MixedSound("a", VIDEO, ("speech",), start_s=2.0, end_s=6.0), fit, fit)
    assert row.picture_s == 4.5
    with pytest.raises(ValueError, match="no whole second from 8.5 s on"):
        choose_picture(MixedSound("a", VIDEO, ("speech",), start_s=8.5), fit, fit)
