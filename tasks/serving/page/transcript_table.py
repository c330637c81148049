"""What was said as a table whose rows move the player, and in words by what it was recognised."""

from collections.abc import Sequence
from html import escape

from tasks.avsr.outputs.transcript import Segment, Transcript
from tasks.serving.page.markup import short_clock

PLAIN = "plain Whisper"


def write_table(transcript: Transcript) -> str:
    """Return a table of segments: when, what, who, by what, in which noise.

    Args:
        transcript: What was recognised; columns of which nothing is known are left out.
    """
    segments = transcript.segments
    if not segments:
        return ""
    talker = any(segment.track is not None for segment in segments)
    noise = any(segment.scenario is not None for segment in segments)
    heads = ["Time", "Text", *["Face"] * talker, "Recognised by", *["Noise heard"] * noise]
    head = "".join(f'<th scope="col">{title}</th>' for title in heads)
    rows = "".join(_write_row(segment, heads) for segment in segments)
    return (
        '<h3 id="mcgurk-said">Transcript</h3>'
        '<div class="mcgurk-scroll" tabindex="0" role="region" aria-labelledby="mcgurk-said">'
        f'<table class="mcgurk-table"><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>'
        "</div>"
    )


def _write_row(segment: Segment, heads: Sequence[str]) -> str:
    """Return a row; what stands in columns of its own stands below the text on narrow screens."""
    start, face = short_clock(segment.start_s), "" if segment.track is None else str(segment.track)
    facts = [f"Face {face}" * bool(face), name_set(segment), name_noise(segment)]
    meta = escape(" · ".join(filter(None, facts)))
    cells = {
        "Time": f'<button type="button" class="mcgurk-seek" aria-label="Play from {start}">'
        f"{start}</button>",
        "Text": f'{escape(segment.text)}<small class="mcgurk-meta">{meta}</small>',
        "Face": face,
        "Recognised by": escape(name_set(segment)),
        "Noise heard": escape(name_noise(segment)),
    }
    told = "".join(f"<td>{cells[title]}</td>" for title in heads)
    return f'<tr data-start="{segment.start_s:.3f}" data-end="{segment.end_s:.3f}">{told}</tr>'


def name_set(segment: Segment) -> str:
    """Return by what a segment was recognised."""
    if segment.adapter_set is None:
        return PLAIN
    return segment.set_and_whose + (", with lips" if segment.video_used else "")


def name_noise(segment: Segment) -> str:
    """Return which noise the selector heard, and how loud: its level over or under speech."""
    if segment.scenario is None:
        return ""
    if segment.snr_db is None:
        return segment.scenario
    return f"{segment.scenario}, {write_level(segment.snr_db)}\N{NO-BREAK SPACE}SNR"


def write_level(snr_db: float) -> str:
    """Write a signal-to-noise ratio in dB, with a minus sign, on one line."""
    return f"{round(snr_db)} dB".replace("-", "−").replace(" ", "\N{NO-BREAK SPACE}")


def explain(transcript: Transcript, sets: bool) -> list[str]:
    """Say in sentences by what the text was recognised, and why.

    Args:
        transcript: What was recognised.
        sets: Whether the model has adapter sets.
    """
    segments = transcript.segments
    if not segments:
        told = ["No speech was found."]
    else:
        used = sorted({one.adapter_set for one in segments if one.adapter_set is not None})
        plain = sum(segment.adapter_set is None for segment in segments)
        told = [_tell_use(used, plain, len(segments))]
        if plain:
            told.append(_tell_why(transcript, sets))
    if transcript.sound_note:
        told.append(f"Sound: {transcript.sound_note}.")
    if transcript.video_note and transcript.video_note != "no video":
        seen = transcript.video_note.partition(";")[0] if segments else transcript.video_note
        told.append(f"Video: {seen}.")
    return told


def _tell_use(used: Sequence[str], plain: int, count: int) -> str:
    if not used:
        return "Everything was left to plain Whisper."
    names = " and ".join([", ".join(used[:-1]), used[-1]] if used[1:] else used)
    sets = f"the adapter set {names}" if len(used) == 1 else f"the adapter sets {names}"
    if not plain:
        return f"Recognised with {sets}."
    return f"{count - plain} of {count} segments were recognised with {sets}, {plain} by {PLAIN}."


def _tell_why(transcript: Transcript, sets: bool) -> str:
    """Say why the selector left segments to plain Whisper, as far as that can be known."""
    if not sets:
        return "This model has no adapter sets."
    if transcript.video_note == "no video":
        return "Adapter sets need the sight of a mouth, and this is sound alone."
    if not transcript.faces:
        return "Adapter sets need the sight of a mouth, and no face was found."
    left = [segment for segment in transcript.segments if segment.adapter_set is None]
    heard = sorted({segment.scenario for segment in left if segment.scenario is not None})
    if heard:
        there = "" if len(left) == len(transcript.segments) else " there"
        return (
            f"The selector heard {' and '.join(heard)}{there}, but sound and face are unlike what "
            "its sets were trained on."
        )
    return "No mouth was seen while that was said."


def write_explanation(told: Sequence[str]) -> str:
    """Return sentences as a paragraph."""
    first, *rest = map(escape, told)
    return f'<p class="mcgurk-why"><strong>{first}</strong> {" ".join(rest)}</p>'
