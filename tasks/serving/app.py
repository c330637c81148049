"""The application: what stands at which address."""

from typing import Any

from fastapi import FastAPI
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response

from tasks.serving.gate import HEALTH, METRICS, MODELS, RECORD, TRANSCRIPTIONS, Gate
from tasks.serving.metrics import CONTENT_TYPE
from tasks.serving.refusals import Refusal, refuse_model
from tasks.serving.served_models import ALIAS, find_served
from tasks.serving.service import Service
from tasks.serving.transcriptions import transcribe


def build_app(service: Service, page: bool = False) -> FastAPI:
    """Build the application.

    Args:
        service: What its requests share; it is started by who runs the application.
        page: Whether there is a page for people beside the API; the application's lifespan has to
            be run then.
    """
    app = FastAPI(docs_url=None, redoc_url=None, openapi_url=None)
    if page:
        from tasks.serving.page.mount import mount_page

        mount_page(app, service)
    app.add_middleware(Gate, service=service)
    app.add_exception_handler(HTTPException, _refuse)

    @app.post(TRANSCRIPTIONS)
    async def answer(request: Request) -> Response:
        return await transcribe(service, request)

    @app.get(MODELS)
    async def list_models() -> dict[str, Any]:
        names = [*service.served, ALIAS]
        return {"object": "list", "data": [_describe(name, service) for name in names]}

    @app.get(MODELS + "/{name:path}")
    async def show_model(name: str) -> dict[str, Any]:
        if find_served(service.served, name) is None:
            raise refuse_model(name)
        return _describe(name, service)

    @app.get(HEALTH)
    async def tell_health() -> Response:
        alive = service.worker.is_alive
        state = "stopping" if service.closing else "ok" if alive else "failed"
        return JSONResponse({"status": state}, 200 if state == "ok" else 503)

    @app.get(METRICS)
    async def tell_metrics() -> Response:
        text = service.metrics.to_text(service.gauges())
        return PlainTextResponse(text, media_type=CONTENT_TYPE)

    return app


def _describe(name: str, service: Service) -> dict[str, Any]:
    return {"id": name, "object": "model", "created": service.created_s, "owned_by": "mcgurk"}


async def _refuse(request: Request, error: Exception) -> Response:
    """Answer what has no address here, or no such method."""
    assert isinstance(error, HTTPException)  # as it was registered
    if error.status_code == 405:
        message, code = "This address does not answer to that method.", "method_not_allowed"
    else:
        message, code = "Invalid URL. See /v1/models and /v1/audio/transcriptions.", "unknown_url"
    refusal = Refusal(error.status_code, message, code=code, headers=error.headers)
    request.scope[RECORD].code = code
    return JSONResponse(refusal.body, refusal.status, refusal.headers)
