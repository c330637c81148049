"""A multipart body, taken apart as it arrives: the file to the disk, fields to memory."""

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from io import BufferedWriter
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING, Any

from tasks.serving.limits import MEGABYTE, Limits
from tasks.serving.refusals import ClientGone, Refusal, refuse_file, refuse_size, refuse_slow

if TYPE_CHECKING:
    from starlette.requests import Request

FILE, BROKEN = "file", "invalid_form"
FIELDS, FIELD_BYTES, HEADER_BYTES = 64, 64 * 1024, 8 * 1024
DISPOSITION = b"content-disposition"


@dataclass
class Form:
    """What a client sent.

    Attributes:
        path: Where the file was written; its name is ours, the client's is not looked at.
        fields: Names and values of the other parts, in order.
        has_file: Whether a file came.
        size: Bytes of the file.
    """

    path: Path
    fields: list[tuple[str, str]] = field(default_factory=list)
    has_file: bool = False
    size: int = 0


async def read_form(request: "Request", path: Path, limits: Limits, part: str = FILE) -> Form:
    """Read the body of a request.

    Args:
        request: Its headers are read, nothing of its body.
        path: Where the file is written.
        limits: Bounds on size, time and pace.
        part: Name of the part that holds the file.

    Raises:
        Refusal: No form, not whole, too large or too slow.
        ClientGone: The client hung up.
    """
    boundary = _read_boundary(request.headers.get("content-type", ""))
    most = limits.upload_bytes + MEGABYTE  # with the fields and all that is around
    stated = request.headers.get("content-length", "0")
    if stated.isdigit() and int(stated) > most:
        raise refuse_size(limits.upload_bytes)
    with path.open("xb") as file:
        parts = _Parts(boundary, file, Form(path), limits.upload_bytes, part)
        async for chunk in _receive(request, limits, most):
            parts.push(chunk)
            if len(parts.waiting) >= MEGABYTE:
                await asyncio.to_thread(parts.write)
        parts.finish()
    return parts.form


def _read_boundary(content_type: str) -> bytes:
    from python_multipart.multipart import parse_options_header

    kind, options = parse_options_header(content_type)
    if kind != b"multipart/form-data":
        raise Refusal(
            415,
            "Unsupported content type. This API method only accepts 'multipart/form-data' "
            "requests.",
            code="unsupported_content_type",
        )
    boundary = options.get(b"boundary", b"")
    if not 0 < len(boundary) <= 256:
        raise Refusal(400, "The content type names no boundary.", code=BROKEN)
    return boundary


async def _receive(request: "Request", limits: Limits, most: int) -> AsyncIterator[bytes]:
    """Yield the body as it comes, as long as it comes fast enough."""
    start_s, received = monotonic(), 0
    while True:
        left_s = start_s + limits.upload_s - monotonic()
        try:
            async with asyncio.timeout(min(limits.patience_s, left_s)):
                message = await request.receive()
        except TimeoutError:
            raise refuse_slow() from None
        if message["type"] == "http.disconnect":
            raise ClientGone
        chunk = message.get("body", b"")
        received += len(chunk)
        if received > most:
            raise refuse_size(limits.upload_bytes)
        yield chunk
        if not message.get("more_body", False):
            return
        passed_s = monotonic() - start_s
        if passed_s > limits.patience_s and received < limits.least_pace * passed_s:
            raise refuse_slow()


class _Parts:
    """Hears of the parts of a form from the parser."""

    def __init__(self, boundary: bytes, file: BufferedWriter, form: Form, most: int, part: str):
        from python_multipart.multipart import MultipartParser

        self.file, self.form, self.most, self.part = file, form, most, part
        self.waiting = bytearray()  # bytes of the file
        self.name, self.value, self.is_file = "", bytearray(), False
        self.header, self.content, self.disposition = bytearray(), bytearray(), b""
        self.headers_read, self.ended = 0, False
        calls: dict[str, Callable[..., None]] = {
            "on_part_begin": self._begin,
            "on_header_field": lambda data, a, b: self._read_header(self.header, data[a:b]),
            "on_header_value": lambda data, a, b: self._read_header(self.content, data[a:b]),
            "on_header_end": self._end_header,
            "on_headers_finished": self._name_part,
            "on_part_data": self._read_part,
            "on_part_end": self._end_part,
            "on_end": self._end,
        }
        options: Any = calls
        self.parser = MultipartParser(boundary, options)

    def push(self, chunk: bytes) -> None:
        from python_multipart.exceptions import FormParserError

        try:
            self.parser.write(chunk)
        except FormParserError:
            raise _refuse_broken() from None

    def finish(self) -> None:
        if not self.ended:
            raise _refuse_broken()
        self.write()

    def write(self) -> None:
        self.file.write(self.waiting)
        self.waiting.clear()

    def _begin(self) -> None:
        self.name, self.is_file, self.disposition, self.headers_read = "", False, b"", 0
        self.value.clear()

    def _read_header(self, part: bytearray, data: bytes) -> None:
        part += data
        self.headers_read += len(data)
        if self.headers_read > HEADER_BYTES:
            raise _refuse_broken()

    def _end_header(self) -> None:
        if bytes(self.header).lower() == DISPOSITION:
            self.disposition = bytes(self.content)
        self.header.clear()
        self.content.clear()

    def _name_part(self) -> None:
        from python_multipart.multipart import parse_options_header

        _, options = parse_options_header(self.disposition)
        self.name = options.get(b"name", b"").decode(errors="replace")
        self.is_file = b"filename" in options
        if self.is_file and self.name == self.part and not self.form.has_file:
            self.form.has_file = True
        elif self.is_file:
            raise refuse_file(f"Expected one file, in the part called {self.part!r}.")

    def _read_part(self, data: bytes, start: int, end: int) -> None:
        length = end - start
        if self.is_file:
            self.form.size += length
            if self.form.size > self.most:
                raise refuse_size(self.most)
            self.waiting += memoryview(data)[start:end]
            return
        if len(self.value) + length > FIELD_BYTES:
            raise Refusal(400, f"A field is longer than {FIELD_BYTES} bytes.", code=BROKEN)
        self.value += memoryview(data)[start:end]

    def _end_part(self) -> None:
        if self.is_file:
            return
        if len(self.form.fields) == FIELDS:
            raise Refusal(400, f"The form has more than {FIELDS} fields.", code=BROKEN)
        self.form.fields.append((self.name, self.value.decode(errors="replace")))

    def _end(self) -> None:
        self.ended = True


def _refuse_broken() -> Refusal:
    return Refusal(400, "The form is damaged, or not whole.", code=BROKEN)
