"""The media clock: which timestamps to believe, and which picture belongs to which tick.

Its time 0 is where a player starts, `data_prep.media.container.clock_start_s`: sound and pictures
lie where the container puts them, whichever begins first.
"""

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import Generic, TypeVar

Time = TypeVar("Time", float, Fraction)
Item = TypeVar("Item")

LEAP_S = 5
STEP_BACK_S = 1
# Part of a tick. Containers round to milliseconds: a last picture that ends so little after a tick
# is not due, and a first one that begins so little before a tick does not begin before it.
END_SLACK = Fraction(1, 10)


def is_plausible(time_s: Time, reached_s: Time, limit_s: float) -> bool:
    """Whether a timestamp may be believed, or comes from damage or from joined files.

    Args:
        time_s: The timestamp, on the media clock.
        reached_s: How far the stream has come.
        limit_s: The end of the file as far as one can tell.

    Returns:
        False for a leap that ends behind the end of the file and for a step far back.
    """
    if time_s > limit_s and time_s - reached_s > LEAP_S:
        return False
    return time_s >= reached_s - STEP_BACK_S


@dataclass(frozen=True)
class Timed(Generic[Item]):
    """Something shown from `start_s` to `end_s` on the media clock, or longer if nothing follows.

    Times are exact fractions, so that a tie between two pictures is a tie.
    """

    start_s: Fraction
    end_s: Fraction
    item: Item


def count_missing(start_s: Fraction, rate_hz: Fraction) -> int:
    """Ticks that pass before a first picture; one that is due within a tick is shown at once.

    Args:
        start_s: Time of the first picture on the media clock.
        rate_hz: Ticks per second.
    """
    return max(0, math.floor(start_s * rate_hz + END_SLACK))


def pick_nearest(sources: Iterable[Timed[Item]], rate_hz: Fraction) -> Iterator[Item | None]:
    """Resample pictures to a constant rate by nearest timestamp.

    Args:
        sources: Pictures with strictly rising start times from 0 on.
        rate_hz: Ticks per second; tick n is at n / rate_hz.

    Yields:
        For each tick the picture whose start is nearest, the earlier one in a tie, as long as
        the last picture has not ended; at least one if there is a picture at all. None for the
        ticks before the first picture, see `count_missing`.
    """
    tick = first = 0
    shown: Timed[Item] | None = None
    for source in sources:
        if shown is None:
            tick = first = count_missing(source.start_s, rate_hz)
            yield from (None for _ in range(first))
        else:
            due = math.floor((shown.start_s + source.start_s) / 2 * rate_hz) + 1
            yield from (shown.item for _ in range(tick, due))
            tick = max(tick, due)
        shown = source
    if shown is not None:
        due = max(math.ceil(shown.end_s * rate_hz - END_SLACK), first + 1)
        yield from (shown.item for _ in range(tick, due))
