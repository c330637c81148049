"""What a client asks for, read from the fields of its form."""

from collections.abc import Sequence
from dataclasses import dataclass

from tasks.serving.refusals import Refusal, refuse_file, refuse_model, refuse_value
from tasks.serving.request_form import FILE, Form
from tasks.serving.served_models import ServedModel, find_served

JSON, TEXT, SRT, VERBOSE, VTT = FORMATS = ("json", "text", "srt", "verbose_json", "vtt")
STREAMED = (JSON, TEXT)
WORD, SEGMENT = GRANULARITIES = ("word", "segment")
MARK = "timestamp_granularities"
KNOWN = ("model", "language", "response_format", "temperature", "stream", MARK)
# What OpenAI's API knows and we do not; an empty value asks for nothing.
NOT_HERE = {
    "prompt": "a prompt is not supported; leave it out",
    "include": "no log-probabilities are given; leave it out",
    "keywords": "keywords are not supported; leave them out",
    "languages": "name one language, by 'language', or none",
    "known_speaker_names": "speakers are not told apart; leave it out",
    "known_speaker_references": "speakers are not told apart; leave it out",
}
BOOLEANS = {"true": True, "1": True, "false": False, "0": False, "": False}


@dataclass(frozen=True)
class Asked:
    """A transcription as a client wants it.

    Attributes:
        model: By what to transcribe.
        format: One of `FORMATS`.
        granularities: What a "verbose_json" lists, one or both of `GRANULARITIES`.
        language: As the client called it; None asks the model.
        stream: Whether segments are sent as soon as they are known.
        faces: Whether pictures are looked at for their own sake, and how far the work is is told.
    """

    model: ServedModel
    format: str = JSON
    granularities: tuple[str, ...] = (SEGMENT,)
    language: str | None = None
    stream: bool = False
    faces: bool = False

    @property
    def words(self) -> bool:
        """Whether the answer tells times of words, or cuts subtitles by them."""
        return self.format in (SRT, VTT) or (self.format == VERBOSE and WORD in self.granularities)


def read_asked(form: Form, served: dict[str, ServedModel]) -> Asked:
    """Read what is wanted.

    Args:
        form: As it came.
        served: Models by name.

    Raises:
        Refusal: The file is missing or empty, a field has no such value, or is not known.
    """
    values = _collect(form.fields)
    _check_file(form, values)
    name = _one(values, "model")
    if not name:
        raise Refusal(400, "You must provide a model parameter.", "model", "missing_parameter")
    model = find_served(served, name)
    if model is None:
        raise refuse_model(name)
    stream = _read_boolean(values)
    return Asked(
        model,
        _read_format(values, stream),
        _read_granularities(values),
        _one(values, "language").strip() or None,
        stream,
    )


def _collect(fields: Sequence[tuple[str, str]]) -> dict[str, list[str]]:
    """Return values by name, `NAME[]` as NAME, after a look at what is not supported."""
    values: dict[str, list[str]] = {}
    for name, value in fields:
        values.setdefault(name.removesuffix("[]"), []).append(value)
    for name, given in values.items():
        if name in NOT_HERE and any(given):
            raise Refusal(400, f"{name!r}: {NOT_HERE[name]}.", name, "unsupported_parameter")
        if name.startswith("chunking_strategy"):
            if any(value not in ("", "auto") for value in given):
                raise refuse_value("chunking_strategy", given[0], "'auto'")
        elif name not in (*KNOWN, *NOT_HERE, FILE):
            shown = name[:80]
            message = f"Unrecognized request argument supplied: {shown!r}."
            raise Refusal(400, message, shown, "unknown_parameter")
    _check_temperature(_one(values, "temperature"))
    return values


def _check_file(form: Form, values: dict[str, list[str]]) -> None:
    if not form.has_file:
        came = " as a file, with a file name" if FILE in values else ""
        raise refuse_file(f"You must provide a file parameter{came}.", "missing_parameter")
    if not form.size:
        raise refuse_file("The file is empty (0 bytes). Send a sound or video file.")


def _one(values: dict[str, list[str]], name: str) -> str:
    given = values.get(name, [""])
    if len(given) > 1:
        raise refuse_value(name, ", ".join(given), "one value")
    return given[0]


def _check_temperature(text: str) -> None:
    """At 0 temperatures rise by themselves where a result looks bad; nothing else is offered."""
    try:
        zero = float(text or "0") == 0
    except ValueError:
        zero = False
    if not zero:
        raise refuse_value("temperature", text, "0, at which it rises by itself where needed")


def _read_boolean(values: dict[str, list[str]]) -> bool:
    text = _one(values, "stream")
    if text.lower() not in BOOLEANS:
        raise refuse_value("stream", text, "true or false")
    return BOOLEANS[text.lower()]


def _read_format(values: dict[str, list[str]], stream: bool) -> str:
    text = _one(values, "response_format") or JSON
    if text not in FORMATS:
        raise refuse_value("response_format", text, f"one of {', '.join(FORMATS)}")
    if stream and text not in STREAMED:
        raise refuse_value("response_format", text, f"{' or '.join(STREAMED)} of a stream")
    if text != VERBOSE and MARK in values:
        message = f"{MARK!r} needs response_format 'verbose_json'."
        raise Refusal(400, message, MARK, "invalid_value")
    return text


def _read_granularities(values: dict[str, list[str]]) -> tuple[str, ...]:
    given = values.get(MARK, [SEGMENT])
    for one in given:
        if one not in GRANULARITIES:
            raise refuse_value(MARK, one, " or ".join(GRANULARITIES))
    return tuple(dict.fromkeys(given))
