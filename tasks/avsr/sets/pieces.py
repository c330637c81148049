"""Where a window of sound is cut into pieces that adapter sets work on."""

from collections.abc import Sequence

import numpy as np

from modalities.rates import PIECE_SAMPLES

MARGIN = 6_400  # samples of quiet that a piece may keep on either side: 0.4 s
FRAME = 1_600  # samples over which quiet is looked for: 0.1 s


def cut_pieces(waveform: np.ndarray, spans: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
    """Cut a window.

    Args:
        waveform: [samples], 16 kHz.
        spans: Stretches of speech in it, first sample and the one after the last, in order.

    Returns:
        Pieces of at most 3.2 s, in order and apart, first sample and the one after the last:
        speech that is longer is cut where it is quietest, and shorter speech keeps some of the
        quiet around it.
    """
    if len(waveform) <= PIECE_SAMPLES:
        return [(0, len(waveform))] if spans else []
    parts = [part for start, stop in spans for part in _cut(waveform, start, stop)]
    pieces = []
    for number, (start, stop) in enumerate(parts):
        before = parts[number - 1][1] if number else 0
        after = parts[number + 1][0] if number + 1 < len(parts) else len(waveform)
        # What lies between two pieces is shared.
        low = before if not number else -(-(before + start) // 2)
        high = after if number + 1 == len(parts) else (stop + after) // 2
        spare = (PIECE_SAMPLES - (stop - start)) // 2
        room = min(MARGIN, max(0, spare))
        pieces.append((max(low, start - room), min(high, stop + room)))
    return pieces


def _cut(waveform: np.ndarray, start: int, stop: int) -> list[tuple[int, int]]:
    parts = []
    while stop - start > PIECE_SAMPLES:
        low, high = start + PIECE_SAMPLES // 2, start + PIECE_SAMPLES
        frames = waveform[low : low + (high - low) // FRAME * FRAME].reshape(-1, FRAME)
        quietest = int(np.square(frames).sum(1).argmin())
        middle = low + quietest * FRAME + FRAME // 2
        parts.append((start, middle))
        start = middle
    return [*parts, (start, stop)]
