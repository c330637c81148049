"""Decoded tokens cut at their timestamps."""

from dataclasses import dataclass

FRAMES_PER_TIMESTAMP = 2
FRAME_S = 0.01


@dataclass(frozen=True)
class Span:
    """Tokens between two timestamps, seconds from the window's start."""

    start_s: float
    end_s: float
    tokens: list[int]


def split_at_timestamps(
    tokens: list[int], first_timestamp: int, frames: int
) -> tuple[list[Span], int]:
    """Cut decoded tokens into segments.

    Args:
        tokens: After the prompt, without the end of text.
        first_timestamp: The token of 0.00 s; each further one is 0.02 s later.
        frames: Mel frames of the window that hold sound, 100 per second.

    Returns:
        The segments, and the frame at which decoding should go on. After a closing pair of
        timestamps this is where the pair points: what was said after it is unfinished.
    """
    is_time = [token >= first_timestamp for token in tokens]
    ends_open = is_time[-2:] == [False, True]
    cuts = [i + 1 for i in range(len(tokens) - 1) if is_time[i] and is_time[i + 1]]

    def seconds(token: int) -> float:
        return (token - first_timestamp) * FRAMES_PER_TIMESTAMP * FRAME_S

    if not cuts:
        times = [token for token, timed in zip(tokens, is_time, strict=True) if timed]
        late = bool(times) and times[-1] != first_timestamp
        end_s = seconds(times[-1]) if late else frames * FRAME_S
        return [Span(0.0, end_s, tokens)], frames
    starts = [0, *cuts]
    stops = [*cuts, len(tokens)] if ends_open else cuts
    spans = [
        Span(seconds(tokens[a]), seconds(tokens[b - 1]), tokens[a:b])
        for a, b in zip(starts, stops, strict=False)
    ]
    if ends_open:
        return spans, frames
    return spans, (tokens[cuts[-1] - 1] - first_timestamp) * FRAMES_PER_TIMESTAMP
