import itertools

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from data_prep.faces.turns import (
    NOBODY,
    VOICES,
    SpeechTimes,
    Turn,
    choose_talkers,
    cut_turns,
    place_changes,
)
from modalities.speech.silero_torch import load_silero
from modalities.speech.voice_activity import SpeechDetector


@st.composite
def shots(draw):
    """A length, and stretches of speech in it."""
    frames = draw(st.integers(1, 750))
    edges = sorted(draw(st.sets(st.integers(0, frames), max_size=12)))
    return frames, list(zip(edges[::2], edges[1::2], strict=False))


@given(shots(), st.integers(0, 99))
def test_turns_cover_each_frame_once_and_each_holds_its_speech(shot, seed):
    frames, speech = shot
    loudness = np.random.default_rng(seed).normal(size=(frames, 8))
    turns = cut_turns(frames, speech, loudness)
    assert [turn.start for turn in turns] == [0, *(turn.stop for turn in turns[:-1])]
    assert turns[-1].stop == frames
    assert all(t.start <= t.voice[0] < t.voice[1] <= t.stop for t in turns)
    said = {frame for turn in turns for frame in range(*turn.voice)}
    assert said >= {frame for span in speech for frame in range(*span)}


def test_long_silence_is_a_turn_of_its_own_in_which_nothing_is_heard():
    loudness = np.full((400, 8), -8.0)
    loudness[:60] = loudness[330:] = 3.0
    turns = cut_turns(400, [(10, 60), (330, 380)], loudness)
    assert [(turn.voice, turn.heard) for turn in turns] == [
        ((10, 60), True),
        ((110, 280), False),
        ((330, 380), True),
    ]


@given(st.integers(1, 5), st.integers(1, 3), st.integers(0, 10_000), st.floats(0, 10))
def test_chosen_sequence_has_the_highest_gain_of_all(count, faces, seed, cost):
    gains = np.random.default_rng(seed).normal(0, 6, (count, faces))
    turns = [Turn(i, i + 1, (i, i + 1)) for i in range(count)]

    def value(path):
        total = sum(gains[i, face] for i, face in enumerate(path) if face != NOBODY)
        return total - cost * sum(a != b for a, b in itertools.pairwise(path))

    best = max(itertools.product(range(-1, faces), repeat=count), key=value)
    assert value(choose_talkers(turns, gains, change_cost=cost)) >= value(best) - 1e-9


def test_talker_of_the_piece_before_goes_on_where_nothing_tells_against_it():
    turn = [Turn(0, 10, (0, 10))]
    assert choose_talkers(turn, np.array([[3.0, 2.0]])) == [0]
    assert choose_talkers(turn, np.array([[3.0, 2.0]]), last=1) == [1]
    assert choose_talkers(turn, np.array([[30.0, 2.0]]), last=1) == [0]


def test_nobody_talks_where_there_is_no_face():
    assert choose_talkers([Turn(0, 10, (0, 10))], np.zeros((1, 0))) == [NOBODY]


def test_change_without_a_pause_is_where_the_motion_changes_over():
    motion = np.ones((100, 3))
    motion[:63, 0] = motion[63:, 1] = 3.0
    turns = [Turn(0, 50, (0, 50)), Turn(50, 100, (50, 100))]
    placed = place_changes(turns, [0, 1], motion)
    assert [(turn.start, turn.stop) for turn in placed] == [(0, 63), (63, 100)]
    assert place_changes(turns, [0, 0], motion) == turns


def test_speech_is_counted_from_the_asked_frame_and_then_forgotten(demo_clip):
    from data_prep.media import read_audio

    sound = read_audio(demo_clip)
    times = SpeechTimes()
    for block in np.array_split(sound, 9):
        times.push(block)
    first = times.between(0, 100)
    second = times.between(100, 218)
    assert 15 <= first[0][0] <= 25 and second[-1][1] == 118
    assert all(0 <= a < b <= 100 for a, b in first) and all(0 <= a < b <= 118 for a, b in second)
    assert times._spans == [] and times._waiting == []


def test_speech_of_a_shared_detector_is_counted_from_the_first_picture(demo_clip):
    from data_prep.media import read_audio

    sound, late = read_audio(demo_clip), 30
    own, leader = SpeechTimes(), SpeechDetector(load_silero())
    shared = SpeechTimes(leader.follow(VOICES))
    shared.first_frame = late
    own.push(sound)
    leader.push(sound)
    shared.push(sound[late * 640 :])  # passed over: the leader has heard it
    whole, rest = own.between(0, 218), shared.between(0, 218 - late)
    assert rest == [(max(0, a - late), b - late) for a, b in whole if b > late]
    assert len(rest) >= 2
