"""What every request passes: who may come in, one line of the log, and no error that escapes."""

import asyncio
import hmac
import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from time import monotonic
from typing import Any
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.responses import JSONResponse

from tasks.serving.answers import EVENTS, write_error
from tasks.serving.refusals import ClientGone, Refusal, refuse_end, tell_failure
from tasks.serving.service import Service
from tasks.serving.worker import Job

log = logging.getLogger("mcgurk.serve")
RECORD = "mcgurk.record"
TRANSCRIPTIONS, MODELS, HEALTH, METRICS = ROUTES = (
    *("/v1/audio/transcriptions", "/v1/models"),
    *("/healthz", "/metrics"),
)
PAGE = "/page"  # for people, and all that is below it; see `tasks.serving.page`
METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH"})
HUNG_UP = 499  # of the log alone; nobody is there to read it


@dataclass
class Record:
    """What the log tells of a request; nothing that the client wrote.

    Attributes:
        method: HTTP's, or "-" for an unknown one.
        route: One of `ROUTES`, `PAGE` or an address below it, or "other".
        client: Address that it came from.
        status: HTTP's status code, 0 before the answer.
        code: Why it was refused, or "".
        model: Name of a served model, or "".
        format: Form of the answer, or "".
        media_s: Seconds of media.
        job: Its work, None where there was none.
        started_s: When it came, on the clock `monotonic`.
        events: Whether the answer that has begun is a stream of events.
    """

    method: str
    route: str
    client: str
    status: int = 0
    code: str = ""
    model: str = ""
    format: str = ""
    media_s: float = 0.0
    job: Job | None = None
    started_s: float = field(default_factory=monotonic)
    events: bool = False

    @property
    def wait_s(self) -> float:
        """Seconds in the queue."""
        if self.job is None:
            return 0.0
        return (self.job.started_s or monotonic()) - self.job.queued_s

    @property
    def work_s(self) -> float:
        """Seconds that the model took."""
        if self.job is None or self.job.started_s is None:
            return 0.0
        return (self.job.done_s or monotonic()) - self.job.started_s

    def __str__(self) -> str:
        """Return the line of the log."""
        told = f"{self.client} {self.method} {self.route} {self.status}"
        told += f" {monotonic() - self.started_s:.2f}s"
        told += f" {self.code}" if self.code else ""
        if self.model:
            told += f" model={self.model} format={self.format} media={self.media_s:.1f}s"
        if self.job is not None:
            told += f" wait={self.wait_s:.2f}s work={self.work_s:.2f}s"
        return told


class Gate:
    """An ASGI application around another.

    A web page in a browser on this machine can send requests here, too, by its own name or by one
    that it has point here. So a request from another page's origin is refused, and one that names
    another host than `service.hosts`.

    Args:
        app: The application.
        service: Token, hosts, counts, and whether the server ends.
    """

    def __init__(self, app: Callable[..., Any], service: Service):
        self.app, self.service = app, service

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Let a request in, or refuse it."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        record = scope[RECORD] = _begin(scope)

        async def watched(message: Any) -> None:
            if message["type"] == "http.response.start":
                record.status = message["status"]
                kind = Headers(raw=message["headers"]).get("content-type", "")
                record.events = kind.startswith(EVENTS)
            await send(message)

        task = asyncio.current_task()
        assert task is not None
        self.service.tasks.add(task)
        try:
            await self._run(record, scope, receive, watched)
        finally:
            self.service.tasks.discard(task)
            note(self.service, record)

    async def _run(self, record: Record, scope: Any, receive: Any, send: Any) -> None:
        try:
            self._check(record, Headers(scope=scope))
            await self.app(scope, receive, send)
            return
        except Refusal as error:
            refusal = error
        except ClientGone:
            record.status = HUNG_UP
            return
        except asyncio.CancelledError:
            if not self.service.over:
                record.status = HUNG_UP
                raise
            refusal = refuse_end()
        except Exception as error:  # whatever it is, the next request is answered
            log.error("%s", place_of(error))
            refusal = tell_failure()
        record.code = refusal.code or "failure"
        if not record.status:
            answer = JSONResponse(refusal.body, refusal.status, refusal.headers)
            await answer(scope, receive, send)
        elif record.events:
            last = write_error(refusal.body).encode()
            await send({"type": "http.response.body", "body": last, "more_body": False})

    def _check(self, record: Record, headers: Headers) -> None:
        """Check host, origin and token.

        Raises:
            Refusal: One of them is not right.
        """
        host = headers.get("host", "")
        name = (urlsplit(f"//{host}").hostname or "") if _is_plain(host) else ""
        if self.service.hosts is not None and name not in self.service.hosts:
            raise Refusal(421, "This server does not answer for that host.", code="wrong_host")
        origin = headers.get("origin")
        if origin is not None and origin.partition("://")[2] != host:
            raise Refusal(403, "Pages of other origins are not answered.", code="wrong_origin")
        if self.service.token is None or record.route in (HEALTH, PAGE):
            return  # the page asks for the token itself
        kind, _, token = headers.get("authorization", "").partition(" ")
        same = hmac.compare_digest(token.strip().encode(), self.service.token.encode())
        if kind.lower() != "bearer" or not same:
            raise Refusal(
                401,
                "Incorrect API key provided. Send the server's token as a bearer token.",
                code="invalid_api_key",
                headers={"www-authenticate": "Bearer"},
            )


def note(service: Service, record: Record) -> None:
    """Count a request and write its line of the log; what a page is put together from has none."""
    metrics = service.metrics
    metrics.count(record.route, record.status)
    metrics.add("wait_seconds", record.wait_s)
    metrics.add("work_seconds", record.work_s)
    if record.status == 200:
        metrics.add("media_seconds", record.media_s)
    part = record.route == PAGE and record.status < 400
    log.log(logging.DEBUG if part else logging.INFO, "%s", record)


def _begin(scope: Any) -> Record:
    path, method = scope["path"], scope["method"]
    route = path if path in ROUTES else "other"
    if path.startswith(f"{MODELS}/"):
        route = MODELS
    if path in ("/", PAGE) or path.startswith(f"{PAGE}/"):
        route = PAGE
    client = scope.get("client")
    return Record(method if method in METHODS else "-", route, client[0] if client else "-")


def _is_plain(host: str) -> bool:
    """Say whether a Host header can be read as a name and a port."""
    try:
        urlsplit(f"//{host}")
    except ValueError:
        return False
    return bool(host) and not set(host) & set("/?#@\\ ")


def place_of(error: Exception) -> str:
    """Name an error by class and place; its text may hold what the client sent."""
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    if trace is None:
        return type(error).__name__
    module = trace.tb_frame.f_globals.get("__name__", "?")
    return f"{type(error).__name__} in {module}, line {trace.tb_lineno}"
