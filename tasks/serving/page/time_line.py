"""Along the clip: which set was chosen, for which noise, at which level."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from html import escape

from tasks.avsr.outputs.transcript import Segment, Transcript
from tasks.serving.page.markup import short_clock
from tasks.serving.page.transcript_table import PLAIN, write_level

STEPS_S = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600)
MOST_TICKS = 6
NEAR_S = 1.0  # what is alike and no farther apart is drawn as one
LEAST_DB, MOST_DB = -10.0, 20.0
COLOURS = 6  # in the style sheet


@dataclass(frozen=True)
class Run:
    """A stretch of the clip in which the same was chosen, or heard.

    Attributes:
        start_s: Where it begins, in seconds.
        end_s: Where it ends, in seconds.
        name: What was chosen, or heard.
    """

    start_s: float
    end_s: float
    name: str


def find_runs(segments: Sequence[Segment], name: Callable[[Segment], str | None]) -> list[Run]:
    """Put neighbouring segments together that are called the same.

    Args:
        segments: In order of time.
        name: Calls a segment; None leaves it out.
    """
    runs: list[Run] = []
    for segment in segments:
        called = name(segment)
        if called is None:
            continue
        last = runs[-1] if runs else None
        if last and last.name == called and segment.start_s - last.end_s <= NEAR_S:
            runs[-1] = Run(last.start_s, max(last.end_s, segment.end_s), called)
        else:
            runs.append(Run(segment.start_s, segment.end_s, called))
    return runs


def find_ticks(duration_s: float) -> list[float]:
    """Return round times from the clip's start to its end, at most `MOST_TICKS` after the first."""
    fitting = (step for step in STEPS_S if duration_s / step <= MOST_TICKS)
    step = next(fitting, max(STEPS_S) * -(-duration_s // (max(STEPS_S) * MOST_TICKS)))
    return [index * step for index in range(int(duration_s // step) + 1)]


def write_time_line(transcript: Transcript) -> str:
    """Draw the clip from left to right; a row for the sets, one for noises, one for their level."""
    segments, length_s = transcript.segments, transcript.duration_s
    if not segments or not length_s > 0:
        return ""
    chosen = find_runs(segments, lambda segment: segment.adapter_set or PLAIN)
    heard = find_runs(segments, lambda segment: segment.scenario)
    rows = [_write_row("Set", chosen, length_s, plain=PLAIN)]
    if heard:
        rows.append(_write_row("Noise", heard, length_s))
    levels = [one for one in segments if one.snr_db is not None]
    if levels:
        rows.append(_write_levels(levels, length_s))
    ticks = "".join(_write_tick(tick, length_s) for tick in find_ticks(length_s))
    axis = f'<div class="mcgurk-lane mcgurk-axis"><b></b><div>{ticks}</div></div>'
    told = escape(describe_time_line(chosen, heard), quote=True)
    return (
        "<h3>What was chosen when</h3>"
        f'<div class="mcgurk-line" role="img" aria-label="{told}">{"".join(rows)}{axis}</div>'
    )


def describe_time_line(chosen: Sequence[Run], heard: Sequence[Run]) -> str:
    """Say in words what the time line shows, at most ten stretches of each row."""
    parts = [f"{_span(run)} {run.name}" for run in chosen[:10]]
    noises = [f"{_span(run)} {run.name}" for run in heard[:10]]
    told = "Recognised by: " + "; ".join(parts) + "."
    return told + (" Noise heard: " + "; ".join(noises) + "." if noises else "")


def _span(run: Run) -> str:
    return f"{short_clock(run.start_s)} to {short_clock(run.end_s)}"


def _write_tick(time_s: float, length_s: float) -> str:
    """Write a time beside its mark: after it, near the end of the clip before it."""
    side = ' class="mcgurk-before"' if time_s > 0.9 * length_s else ""
    return f'<span{side} style="left:{_percent(time_s, length_s)}">{short_clock(time_s)}</span>'


def _write_row(title: str, runs: Sequence[Run], length_s: float, plain: str | None = None) -> str:
    names = list(dict.fromkeys(run.name for run in runs if run.name != plain))
    blocks = "".join(
        f'<span class="mcgurk-{_colour(run.name, names)}"'
        f' title="{escape(f"{_span(run)}: {run.name}")}"'
        f' {_place(run.start_s, run.end_s, length_s)}">{escape(run.name)}</span>'
        for run in runs
    )
    return f'<div class="mcgurk-lane"><b>{title}</b><div>{blocks}</div></div>'


def _colour(name: str, names: Sequence[str]) -> str:
    return f"colour-{names.index(name) % COLOURS}" if name in names else "plain"


def _write_levels(segments: Sequence[Segment], length_s: float) -> str:
    """Draw estimated signal-to-noise ratios as bars from the bottom up: the higher, the clearer."""
    bars = ""
    for segment in segments:
        assert segment.snr_db is not None
        height = (min(max(segment.snr_db, LEAST_DB), MOST_DB) - LEAST_DB) / (MOST_DB - LEAST_DB)
        level = write_level(segment.snr_db)
        bars += (
            f'<span class="mcgurk-bar" title="{level}" '
            f'{_place(segment.start_s, segment.end_s, length_s)};height:{max(0.04, height):.0%}">'
            f"<i>{level}</i></span>"
        )
    return f'<div class="mcgurk-lane mcgurk-levels"><b>SNR</b><div>{bars}</div></div>'


def _place(start_s: float, end_s: float, length_s: float) -> str:
    """Return attributes that put an element where a stretch of the clip is; style is left open."""
    left, width = _percent(start_s, length_s), _percent(end_s - start_s, length_s)
    return f'data-start="{start_s:.3f}" style="left:{left};width:{width}'


def _percent(seconds: float, length_s: float) -> str:
    return f"{min(100.0, max(0.0, 100 * seconds / length_s)):.2f}%"
