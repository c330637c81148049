"""Results in the forms that OpenAI's clients read."""

import json
import math
import zlib
from typing import Any

from tasks.avsr.outputs.transcript import Segment, to_srt, to_vtt
from tasks.serving.asked import JSON, SEGMENT, SRT, TEXT, VTT, WORD, Asked
from tasks.serving.recognition import Result

FRAMES_PER_S = 100  # Whisper's, in which it counts where it seeks
EVENTS = "text/event-stream"


def write_answer(result: Result, asked: Asked) -> str | dict[str, Any]:
    """Return the body of an answer: an object for JSON, else text.

    Args:
        result: What was transcribed.
        asked: In which form.
    """
    transcript = result.transcript
    if asked.format == SRT:
        return to_srt(transcript)
    if asked.format == VTT:
        return to_vtt(transcript)
    if asked.format == TEXT:
        return transcript.text + "\n"
    usage = {"type": "duration", "seconds": math.ceil(transcript.duration_s)}
    if asked.format == JSON:
        return {"text": transcript.text, "usage": usage}
    return {
        "task": "transcribe",
        "language": result.language,
        "duration": transcript.duration_s,
        "text": transcript.text,
        **_list_times(result, asked),
        "usage": usage,
    }


def write_delta(segment: Segment, first: bool) -> str:
    """Return the event that hands on a segment.

    Args:
        segment: What was said.
        first: Whether nothing was before it.
    """
    return _event(
        {"type": "transcript.text.delta", "delta": segment.text if first else f" {segment.text}"}
    )


def write_done(result: Result) -> str:
    """Return the event that ends a stream, with all of the text."""
    return _event({"type": "transcript.text.done", "text": result.transcript.text})


def write_error(body: dict[str, Any]) -> str:
    """Return the event that ends a stream that came to nothing, of a refusal's body."""
    return _event(body)


def _event(told: dict[str, Any]) -> str:
    return f"data: {json.dumps(told, ensure_ascii=False, allow_nan=False)}\n\n"


def _list_times(result: Result, asked: Asked) -> dict[str, Any]:
    told: dict[str, Any] = {}
    segments = result.transcript.segments
    if WORD in asked.granularities:
        told["words"] = [
            {"word": word.text, "start": word.start_s, "end": word.end_s}
            for segment in segments
            for word in segment.words
        ]
    if SEGMENT in asked.granularities:
        told["segments"] = [_describe(number, segment) for number, segment in enumerate(segments)]
    return told


def _describe(number: int, segment: Segment) -> dict[str, Any]:
    """List what is known of a segment; null is what the engine, or an adapter set, does not say."""
    text = segment.text.encode()
    return {
        "id": number,
        "seek": round(segment.start_s * FRAMES_PER_S),
        "start": segment.start_s,
        "end": segment.end_s,
        "text": segment.text,
        "tokens": [],
        "temperature": 0.0,
        "avg_logprob": _round(segment.log_probability),
        "compression_ratio": round(len(text) / len(zlib.compress(text)), 3),
        "no_speech_prob": _round(segment.no_speech),
    }


def _round(number: float | None) -> float | None:
    return None if number is None or not math.isfinite(number) else round(number, 6)
