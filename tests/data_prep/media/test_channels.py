"""Channels that cancel each other are not averaged away; all others are averaged as ever."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data_prep.media import read_audio, stream_audio
from data_prep.media.channels import ChannelMixer

RATE_HZ = 16_000
SETTLED = 1_200  # samples until it is sure: 75 ms

seeds = st.integers(0, 10_000)


def voice(seed: int, samples: int = 24_000) -> np.ndarray:
    """Noise with pauses, at the level of speech."""
    random = np.random.default_rng(seed)
    syllables = np.repeat(random.uniform(0, 1, samples // 2_000) > 0.3, 2_000)
    return 0.1 * random.normal(size=samples) * np.maximum(syllables, 0.01)


def mix(channels: np.ndarray, sizes: list[int] | None = None) -> np.ndarray:
    mixer, mixed, start = ChannelMixer(len(channels), RATE_HZ), [], 0
    mean = channels.mean(axis=0).astype(np.float32)
    for size in [*(sizes or []), channels.shape[1]]:
        part = slice(start, start + size)
        mixed.append(mixer.push(channels[:, part], mean[part]))
        start += size
    return np.concatenate(mixed)


def power(samples: np.ndarray) -> float:
    return float((samples.astype(np.float64) ** 2).mean())


@settings(max_examples=60, deadline=None)
@given(seeds, st.floats(0.8, 1.25), st.floats(-60, 20), st.floats(-0.3, 0.3))
def test_a_channel_in_antiphase_is_left_out_at_any_level(seed, ratio, gain_db, offset):
    sound = voice(seed) * 10 ** (gain_db / 20)
    channels = np.stack([sound, -ratio * sound]) + offset
    loudest = channels[int(ratio > 1)].astype(np.float32)
    assert np.array_equal(mix(channels)[SETTLED:], loudest[SETTLED:])


@settings(max_examples=60, deadline=None)
@given(seeds, st.integers(2, 8), st.floats(-1, 1), st.floats(0, 1), st.floats(-60, 20))
def test_channels_that_do_not_cancel_are_averaged_to_the_bit(seed, count, pan, shared, gain_db):
    """One sound anywhere between the channels, or sounds of their own, or both."""
    gains = np.linspace(1 + pan, 1 - pan, count)[:, None]
    own = np.stack([voice(seed + number + 1) for number in range(count)])
    channels = (shared * gains * voice(seed) + (1 - shared) * own) * 10 ** (gain_db / 20)
    assert np.array_equal(mix(channels), channels.mean(axis=0).astype(np.float32))


@pytest.mark.parametrize("active", range(6))
def test_one_channel_of_six_alone_is_averaged_as_ever(active):
    channels = np.zeros((6, 24_000))
    channels[active] = voice(1)
    assert np.array_equal(mix(channels), channels.mean(axis=0).astype(np.float32))


@settings(max_examples=60, deadline=None)
@given(seeds, st.lists(st.integers(1, 3_000), max_size=30), st.integers(2, 6))
def test_blocks_do_not_matter(seed, sizes, count):
    """In turn in phase and in antiphase, so that it switches within and between blocks."""
    sound = voice(seed)
    signs = np.where(np.arange(len(sound)) // 6_000 % 2, -1.0, 1.0)
    channels = np.stack([sound, *[signs * sound / (count - 1)] * (count - 1)])
    assert np.array_equal(mix(channels, sizes), mix(channels))


def test_what_comes_later_changes_nothing():
    sound = voice(3)
    first = np.stack([sound, -sound])
    later = np.concatenate([first, np.stack([sound, sound])], axis=1)
    assert np.array_equal(mix(later)[: len(sound)], mix(first))


def test_switches_make_no_click():
    time_s = np.arange(48_000) / RATE_HZ
    tone = 0.5 * np.sin(2 * np.pi * 200 * time_s)
    sign = np.where((time_s > 1) & (time_s < 2), -1.0, 1.0)
    mixed = mix(np.stack([tone, sign * tone]))
    step = np.abs(np.diff(mixed.astype(np.float64)))
    away = np.ones(len(step), bool)
    away[[16_000, 31_999, 32_000]] = False  # where the file's own channel leaps
    assert step[away].max() < 1.3 * np.abs(np.diff(tone)).max()
    assert power(mixed[20_000:31_000]) > 0.9 * power(tone[20_000:31_000])
    assert np.array_equal(mixed[36_000:], tone[36_000:].astype(np.float32))


def test_silence_is_no_reason_to_change():
    sound, gap = voice(4), np.zeros((2, 32_000))
    channels = np.concatenate([np.stack([sound, -sound]), gap, np.stack([sound, -sound])], axis=1)
    mixed = mix(channels)
    assert np.array_equal(mixed[SETTLED:], channels[0, SETTLED:].astype(np.float32))
    assert not mix(np.zeros((2, 4_000))).any()


@pytest.mark.parametrize(
    ("name", "codec"),
    [("a.wav", "pcm_s16le"), ("a.wav", "pcm_f32le"), ("a.flac", "flac"), ("a.mkv", "libopus")],
)
@pytest.mark.parametrize("count", [2, 6, 8])
def test_files_of_any_kind_keep_what_would_cancel(name, codec, count, write_media, sound_of):
    if count == 8 and codec == "flac":
        count = 2
    sound = voice(5, 72_000).astype(np.float32)
    channels = np.zeros((count, len(sound)), np.float32)
    channels[0], channels[1] = sound, -sound
    options = {"b": "510000"} if codec == "libopus" else {}  # less mixes channels itself
    if codec == "libopus" and count > 2:
        options["mapping_family"] = "255"
    path = write_media(name, sound_of(channels, 48_000, codec, options=options))
    heard = read_audio(path)
    alone = read_audio(write_media(f"alone_{name}", sound_of(sound, 48_000, codec)))
    assert power(heard) == pytest.approx(power(alone), rel=0.15)
    blocks = list(stream_audio(path, 0.07))
    assert np.array_equal(np.concatenate(blocks), heard)


def test_a_file_in_phase_is_the_mean_to_the_bit(write_media, sound_of):
    sound = np.random.default_rng(0).normal(0, 0.1, (2, 40_000)).astype(np.float32)
    path = write_media("two.wav", sound_of(sound, codec="pcm_f32le"))
    assert np.array_equal(read_audio(path), sound.mean(axis=0, dtype=np.float64).astype(np.float32))
