import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from tasks.avsr.sets.pieces import cut_pieces


@given(st.lists(st.tuples(st.integers(1, 90_000), st.integers(1, 120_000)), max_size=6))
def test_pieces_hold_all_speech_once_in_order(gaps_and_lengths):
    spans, end = [], 0
    for gap, length in gaps_and_lengths:
        spans.append((end + gap, end + gap + length))
        end += gap + length
    waveform = np.random.default_rng(0).normal(size=end + 1_000).astype(np.float32)
    pieces = cut_pieces(waveform, spans)
    assert all(0 <= a < b <= len(waveform) and b - a <= 51_200 for a, b in pieces)
    assert all(b <= c for (_, b), (c, _) in zip(pieces[:-1], pieces[1:], strict=True))
    covered = np.zeros(len(waveform), bool)
    for a, b in pieces:
        covered[a:b] = True
    assert all(covered[a:b].all() for a, b in spans)


def test_long_speech_is_cut_where_it_is_quiet():
    waveform = np.ones(80_000, np.float32)
    waveform[40_000:41_600] = 0
    [(_, first), (second, _)] = cut_pieces(waveform, [(0, 80_000)])
    assert 40_000 <= first == second <= 41_600


def test_what_fits_is_one_piece():
    assert cut_pieces(np.zeros(48_000, np.float32), [(9_000, 20_000)]) == [(0, 48_000)]
    assert cut_pieces(np.zeros(48_000, np.float32), []) == []
