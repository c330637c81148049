"""POST /v1/audio/transcriptions: from the upload to the answer."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path
from time import monotonic
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response, StreamingResponse

from tasks.avsr.outputs.transcript import Segment
from tasks.serving.answers import EVENTS, write_answer, write_delta, write_done
from tasks.serving.asked import Asked, read_asked
from tasks.serving.gate import RECORD, Record
from tasks.serving.media_check import check_media
from tasks.serving.refusals import ClientGone, refuse_late
from tasks.serving.request_form import read_form
from tasks.serving.service import Service
from tasks.serving.worker import Failed, Job


async def transcribe(service: Service, request: Request) -> Response:
    """Answer a request.

    Args:
        service: What all requests share.
        request: Nothing of its body is read yet.

    Raises:
        Refusal: It cannot be answered.
        ClientGone: The client hung up.
    """
    service.check_room()
    async with AsyncExitStack() as stack:
        path = stack.enter_context(service.new_path())
        with service.upload():
            asked, late_s = await _receive(service, request, path)
            job, events = service.submit(asked, path)
        record: Record = request.scope[RECORD]
        record.job = job
        stack.callback(service.worker.drop, job)
        first = await _next(job, events, request, late_s)
        if isinstance(first, Failed):
            raise first.error
        if asked.stream:
            return _Events(_tell(first, job, events, late_s), stack.pop_all())
        record.media_s = first.transcript.duration_s
        body = write_answer(first, asked)
        return PlainTextResponse(body) if isinstance(body, str) else JSONResponse(body)
    raise AssertionError("the stack lets every error out")


async def _receive(service: Service, request: Request, path: Path) -> tuple[Asked, float]:
    """Read and check what a client sends; return what is asked, and when it must be answered."""
    limits, record = service.limits, request.scope[RECORD]
    form = await read_form(request, path, limits)
    late_s = monotonic() + limits.request_s
    asked = read_asked(form, service.served)
    record.model, record.format = asked.model.name, asked.format
    try:
        async with asyncio.timeout_at(_on_loop(late_s)):
            record.media_s = await asyncio.to_thread(check_media, path, limits.duration_s)
    except TimeoutError:
        raise refuse_late(started=True) from None
    return asked, late_s


async def _next(job: Job, events: "asyncio.Queue[Any]", request: Request, late_s: float) -> Any:
    """Return the next event of a job, unless the client goes or the time is over before."""
    event, gone = asyncio.create_task(events.get()), asyncio.create_task(_hang_up(request))
    try:
        await asyncio.wait(
            {event, gone}, timeout=late_s - monotonic(), return_when=asyncio.FIRST_COMPLETED
        )
        if event.done():
            return event.result()
        raise ClientGone if gone.done() else refuse_late(job.started_s is not None)
    finally:
        event.cancel()
        gone.cancel()


async def _hang_up(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass


async def _tell(
    event: Any, job: Job, events: "asyncio.Queue[Any]", late_s: float
) -> AsyncIterator[str]:
    """Yield a stream of events, from the first thing that came of a job to the last."""
    said = 0
    while isinstance(event, Segment):
        yield write_delta(event, first=not said)
        said += 1
        try:
            async with asyncio.timeout_at(_on_loop(late_s)):
                event = await events.get()
        except TimeoutError:
            event = Failed(refuse_late(started=True))
    if isinstance(event, Failed):
        raise event.error
    yield write_done(event)


def _on_loop(late_s: float) -> float:
    """Return a time of the clock `monotonic` on the event loop's clock."""
    return asyncio.get_running_loop().time() + late_s - monotonic()


class _Events(StreamingResponse):
    """A stream of events; what it holds is let go of, even where the client hangs up at once."""

    def __init__(self, events: AsyncIterator[str], stack: AsyncExitStack):
        headers = {"cache-control": "no-cache", "x-accel-buffering": "no"}
        super().__init__(events, media_type=EVENTS, headers=headers)
        self.stack = stack

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        async with self.stack:
            await super().__call__(scope, receive, send)
