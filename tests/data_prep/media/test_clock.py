from fractions import Fraction

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from data_prep.media.audio import place_blocks
from data_prep.media.clock import Timed, is_plausible, pick_nearest
from data_prep.media.placement import SoundBlock
from data_prep.media.video import Timing, time_pictures

RATE_HZ = 16_000
rates_hz = st.sampled_from([Fraction(25), Fraction(30_000, 1001), Fraction(12), Fraction(100)])


class Stamped:
    """A decoded picture, as far as the clock looks at it."""

    dts = None

    def __init__(self, pts: int | None, duration: int = 40):
        self.pts = pts
        self.duration = duration


def timed(starts_ms: list[int], last_ms: int) -> list[Timed[int]]:
    ends = [*starts_ms[1:], starts_ms[-1] + last_ms]
    return [
        Timed(Fraction(start, 1000), Fraction(end, 1000), number)
        for number, (start, end) in enumerate(zip(starts_ms, ends, strict=True))
    ]


@settings(max_examples=200, deadline=None)
@given(st.lists(st.integers(1, 400), max_size=40), st.integers(1, 400), rates_hz)
def test_each_tick_shows_the_nearest_picture(steps, last_ms, rate_hz):
    sources = timed([0, *np.cumsum(steps, dtype=int).tolist()], last_ms)
    picked = list(pick_nearest(sources, rate_hz))
    for tick, number in enumerate(picked):
        distances = [abs(source.start_s - tick / rate_hz) for source in sources]
        assert number == distances.index(min(distances))
    end = float(sources[-1].end_s * rate_hz)
    assert max(1, end - 0.2) <= len(picked) + 1e-9 and len(picked) <= max(1, end + 1)


def test_the_earlier_picture_wins_a_tie():
    assert list(pick_nearest(timed([0, 80], 40), Fraction(25))) == [0, 0, 1]


def test_no_picture_gives_no_tick():
    assert list(pick_nearest([], Fraction(25))) == []


@settings(max_examples=200, deadline=None)
@given(
    st.lists(st.none() | st.integers(-(2**62), 2**62) | st.integers(0, 9_000), max_size=40),
    st.integers(-(2**62), 2**62),
)
def test_no_timestamp_makes_pictures_unordered_or_endless(stamps, duration):
    pictures = [Stamped(stamp, duration) for stamp in stamps]
    limit_s = 10.0
    timing = Timing(Fraction(1, 1000), limit_s=limit_s)
    sources = list(time_pictures(pictures, timing))  # pyright: ignore
    starts = [source.start_s for source in sources]
    assert starts == sorted(set(starts)) and all(start >= 0 for start in starts)
    # Beyond the limit only steps of a few seconds are believed.
    assert not starts or starts[-1] <= limit_s + 5 * len(stamps)
    assert all(source.end_s > source.start_s for source in sources)


def test_pictures_after_a_leap_of_years_follow_at_once():
    pictures = [Stamped(pts) for pts in (0, 40, 80, 10**12, 160, 200)]
    sources = time_pictures(pictures, Timing(Fraction(1, 1000), limit_s=10.0))  # pyright: ignore
    assert [round(source.start_s * 1000) for source in sources] == [0, 40, 80, 120, 160, 200]


def test_what_is_plausible():
    assert is_plausible(9.0, 0.0, 10.0)
    assert is_plausible(12.0, 9.9, 10.0)
    assert is_plausible(9.5, 10.0, 10.0)
    assert not is_plausible(1e9, 9.0, 10.0)
    assert not is_plausible(2.0, 9.0, 10.0)


def ramp(count: int, first: int = 1) -> np.ndarray:
    return np.arange(first, first + count, dtype=np.float32)


@settings(max_examples=200, deadline=None)
@given(
    st.lists(st.tuples(st.integers(1, 3_000), st.integers(-9, 9)), min_size=1, max_size=30),
    st.integers(0, 40_000),
)
def test_chunking_and_jitter_move_no_sample(chunks, start):
    """Blocks that follow each other stay whole, whatever milliseconds their stamps are off."""
    total = sum(count for count, _ in chunks)
    waveform, blocks, position = ramp(total), [], 0
    for count, jitter_ms in chunks:
        jitter_s = jitter_ms / 1000 if position else 0.0
        piece = waveform[position : position + count]
        blocks.append(SoundBlock((start + position) / RATE_HZ + jitter_s, RATE_HZ, piece))
        position += count
    placed = np.concatenate(list(place_blocks(blocks, 100.0)))
    assert np.array_equal(placed, np.concatenate([np.zeros(start), waveform]))


@settings(max_examples=200, deadline=None)
@given(
    st.lists(st.tuples(st.integers(1, 3_000), st.integers(330, 9_000)), min_size=1, max_size=20),
    st.integers(-90_000, 20_000),
)
def test_gaps_are_zeros_and_sound_stays_in_place(pieces, start):
    """Whatever lies between blocks, each sample comes out at its own time."""
    expected = np.zeros(max(0, start) + sum(map(sum, pieces)), np.float32)
    blocks, position = [], start
    for count, gap in pieces:
        waveform = ramp(count)
        blocks.append(SoundBlock(position / RATE_HZ, RATE_HZ, waveform))
        kept = waveform[max(0, -position) :]
        expected[max(0, position) : max(0, position) + len(kept)] = kept
        position += count
        end = max(0, position)
        position += gap
    placed = np.concatenate([np.zeros(0), *place_blocks(blocks, 100.0)])
    assert np.array_equal(placed, expected[:end])


def test_overlap_is_trimmed():
    blocks = [SoundBlock(0.0, RATE_HZ, ramp(8_000)), SoundBlock(0.25, RATE_HZ, ramp(8_000))]
    placed = np.concatenate(list(place_blocks(blocks, 10.0)))
    assert np.array_equal(placed, np.concatenate([ramp(8_000), ramp(8_000)[4_000:]]))


def test_a_new_rate_in_the_middle_keeps_the_time():
    blocks = [
        SoundBlock(0.0, RATE_HZ, np.full(16_000, 0.5, np.float32)),
        SoundBlock(1.0, 44_100, np.full(44_100, 0.5, np.float32)),
        SoundBlock(None, 8_000, np.full(8_000, 0.5, np.float32)),
    ]
    placed = np.concatenate(list(place_blocks(blocks, 10.0)))
    assert len(placed) == 48_000 and np.abs(placed - 0.5).max() < 0.05


@settings(max_examples=100, deadline=None)
@given(st.lists(st.none() | st.floats(-1e12, 1e12) | st.floats(-2, 12), max_size=30))
def test_no_timestamp_makes_sound_endless(starts_s):
    blocks = [SoundBlock(start_s, RATE_HZ, ramp(800)) for start_s in starts_s]
    placed = sum(map(len, place_blocks(blocks, 10.0)))
    assert placed <= RATE_HZ * (10 + 5.1 * len(starts_s))


def test_joined_files_are_not_lost():
    """Where timestamps start again in the middle, the second part follows the first."""
    blocks = [SoundBlock((n % 50) / 20, RATE_HZ, ramp(800)) for n in range(100)]
    placed = np.concatenate(list(place_blocks(blocks, 5.0)))
    assert len(placed) == 80_000
