"""Answers that say why there is no other, in the form of OpenAI's API."""

from collections.abc import Mapping
from typing import Any

INVALID, LIMITED, FAILED = "invalid_request_error", "rate_limit_error", "server_error"
NO_RETRY = {"x-should-retry": "false"}  # OpenAI's clients heed it
CLOSE = {"connection": "close"}
AGAIN_S = "5"


class Refusal(Exception):
    """What a client is told in place of an answer.

    Args:
        status: HTTP's status code.
        message: One sentence or two for the client; holds no path of the server's.
        param: The field of the request that is wrong.
        code: A word for programs.
        headers: Headers of the answer.
    """

    def __init__(
        self,
        status: int,
        message: str,
        param: str | None = None,
        code: str | None = None,
        headers: Mapping[str, str] | None = None,
    ):
        super().__init__(message)
        self.status, self.message, self.param, self.code = status, message, param, code
        self.headers = dict(headers or {})

    @property
    def body(self) -> dict[str, Any]:
        """The object that OpenAI's clients read."""
        kind = FAILED if self.status >= 500 else LIMITED if self.status == 429 else INVALID
        told = {"message": self.message, "type": kind, "param": self.param, "code": self.code}
        return {"error": told}


class ClientGone(Exception):
    """The client hung up; nobody reads an answer."""


def refuse_value(name: str, value: str, expected: str) -> Refusal:
    """Refuse a field whose value cannot be."""
    shown = value if len(value) <= 80 else value[:80] + "..."
    message = f"Invalid value for {name!r}: {shown!r}. Expected {expected}."
    return Refusal(400, message, name, "invalid_value")


def refuse_model(name: str) -> Refusal:
    """Refuse a model that is not served."""
    shown = name if len(name) <= 80 else name[:80] + "..."
    message = f"The model {shown!r} does not exist here. GET /v1/models lists those that do."
    return Refusal(404, message, "model", "model_not_found")


def refuse_file(message: str, code: str = "invalid_value") -> Refusal:
    """Refuse an upload that cannot be transcribed."""
    return Refusal(400, message, "file", code)


def refuse_size(limit: int) -> Refusal:
    """Refuse an upload that is too large, without reading it."""
    message = f"Maximum content size limit ({limit} bytes) exceeded."
    return Refusal(413, message, "file", "content_too_large")


def refuse_slow() -> Refusal:
    """Refuse an upload that does not come on."""
    message = "The upload came too slowly, or stopped. Send it again on a faster line."
    return Refusal(408, message, code="request_timeout", headers=CLOSE | NO_RETRY)


def refuse_crowd() -> Refusal:
    """Refuse a request for which there is no place."""
    message = "Too many requests are waiting. Send it again in a few seconds."
    return Refusal(429, message, code="rate_limit_exceeded", headers={"retry-after": AGAIN_S})


def refuse_end() -> Refusal:
    """Refuse a request while the server ends."""
    message = "The server is being stopped. Send it again later."
    headers = CLOSE | {"retry-after": AGAIN_S}
    return Refusal(503, message, code="server_stopping", headers=headers)


def refuse_late(started: bool) -> Refusal:
    """Refuse a request that was not done in time.

    Args:
        started: Whether work on it had begun; then it would take too long again.
    """
    if started:
        message = "The work took longer than a request may. Send a shorter file."
        return Refusal(504, message, code="timeout", headers=NO_RETRY)
    message = "The request waited longer than it may. Send it again later."
    return Refusal(503, message, code="overloaded", headers={"retry-after": AGAIN_S})


def tell_failure() -> Refusal:
    """Say that the mistake is the server's."""
    message = "The server had an error while processing your request."
    return Refusal(500, message, headers=NO_RETRY)
