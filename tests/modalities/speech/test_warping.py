"""Words are found where the attention says."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from modalities.speech.warping import trace_times, warp


@settings(max_examples=50, deadline=None)
@given(st.integers(1, 12), st.integers(1, 30), st.integers(0, 2**31))
def test_warping_takes_the_path_of_transformers(rows, columns, seed):
    from transformers.models.whisper.generation_whisper import _dynamic_time_warping

    cost = np.random.default_rng(seed).normal(size=(rows, columns))
    expected = _dynamic_time_warping(cost)
    found = warp(cost)
    path = list(zip(*found, strict=True))
    assert path[0] == (0, 0) and path[-1] == (rows - 1, columns - 1)
    # transformers sums in float32, so near-ties may go another way: the costs have to agree.
    assert np.isclose(cost[found].sum(), cost[expected].sum(), atol=1e-4)


def test_warping_follows_a_clear_diagonal():
    cost = np.ones((4, 12))
    for token in range(4):
        cost[token, 3 * token : 3 * token + 3] = -1
    tokens, states = warp(cost)
    assert all(states[tokens == token][0] == 3 * token for token in range(4))


def test_tokens_are_said_where_their_attention_lies():
    attention = np.full((3, 6, 40), 1e-3, np.float32)
    for token in range(4):  # what reads token i says token i + 1
        attention[:, 1 + token, 10 * token : 10 * token + 10] = 1
    assert trace_times(attention, 2).tolist() == [0.0, 0.2, 0.4, 0.6]


def test_an_even_attention_is_no_error():
    times = trace_times(np.ones((2, 5, 3), np.float32), 2)
    assert len(times) == 3 and (np.diff(times) >= 0).all()
