"""The page beside the API: its addresses, and where its files lie."""

import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from fastapi import FastAPI
from starlette.requests import Request
from starlette.responses import (
    FileResponse,
    JSONResponse,
    PlainTextResponse,
    RedirectResponse,
    Response,
)

from tasks.serving.answers import EVENTS
from tasks.serving.gate import PAGE
from tasks.serving.page.door import FILES, PROGRESS, SHOWN, UPLOAD, Door
from tasks.serving.page.gradio_import import FOLDER, import_gradio
from tasks.serving.page.shelf import UPLOAD as UPLOAD_NAME
from tasks.serving.page.shelf import Shelf, media_type
from tasks.serving.page.visit import Visits
from tasks.serving.refusals import Refusal, refuse_file
from tasks.serving.request_form import read_form
from tasks.serving.service import Service

PART = "files"  # in which gradio's parts send a file


def mount_page(app: FastAPI, service: Service) -> None:
    """Put the page on an application.

    Args:
        app: It has no middleware around it yet that refuses.
        service: Queue, models, limits and folder.
    """
    import_gradio(service.folder)
    from tasks.serving.page.layout import build_blocks, mount_blocks

    limits = service.limits
    shelf = Shelf(service.folder / "page", limits.queue * limits.upload_bytes)
    _add_files(app, service, shelf)
    mount_blocks(app, build_blocks(service, Visits(service, shelf)), limits.upload_bytes)
    _clear_at_end(app, service, shelf)
    app.add_middleware(Door, service=service)


def _add_files(app: FastAPI, service: Service, shelf: Shelf) -> None:
    """Take and give files by roads of our own, so that gradio reads and writes none."""

    @app.get("/")
    async def lead() -> Response:
        return RedirectResponse(f".{PAGE}/")

    @app.post(PAGE + UPLOAD)
    async def take(request: Request) -> Response:
        try:
            return JSONResponse([await _take(request, service, shelf)])
        except Refusal as error:  # in words, as the page shows them
            return PlainTextResponse(error.message, error.status, error.headers)

    @app.get(PAGE + PROGRESS)
    async def tell_progress() -> Response:
        return PlainTextResponse('data: {"msg": "done"}\n\n', media_type=EVENTS)

    @app.get(PAGE + FILES + "{place:path}")
    @app.get(PAGE + SHOWN + "{place:path}")
    async def give(place: str) -> Response:
        path = shelf.find(place)
        if path is None:
            raise Refusal(404, "The file is not here any more.", code="no_file")
        return FileResponse(path, media_type=media_type(path), headers={"cache-control": "private"})


async def _take(request: Request, service: Service, shelf: Shelf) -> str:
    """Read an upload; return its place on the shelf."""
    service.check_room()
    with service.upload():
        folder = shelf.add()
        try:
            form = await read_form(request, folder / UPLOAD_NAME, service.limits, PART)
            if not form.has_file:
                raise refuse_file("No file came.")
        except BaseException:
            shelf.remove(folder)
            raise
    return shelf.place(folder / UPLOAD_NAME)


def _clear_at_end(app: FastAPI, service: Service, shelf: Shelf) -> None:
    inner: Any = app.router.lifespan_context

    @asynccontextmanager
    async def lifespan(here: FastAPI) -> AsyncIterator[Any]:
        async with inner(here) as state:
            yield state
        shelf.clear()
        shutil.rmtree(service.folder / FOLDER, ignore_errors=True)

    app.router.lifespan_context = lifespan
