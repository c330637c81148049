"""What a browser passes before the page: the token, addresses that are none, and plain values."""

import hashlib
import hmac
import json
import re
import secrets
from http.cookies import CookieError, SimpleCookie
from typing import Any

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from tasks.serving.gate import PAGE
from tasks.serving.page.markup import ICON, write_login
from tasks.serving.refusals import Refusal
from tasks.serving.service import Service

COOKIE = "mcgurk_page"
LOGIN, JOIN, UPLOAD, FILES = "/login", "/gradio_api/queue/join", "/gradio_api/upload", "/files/"
PROGRESS = "/gradio_api/upload_progress"
SHOWN = "/gradio_api/file="  # where gradio's parts look for what was just uploaded
# gradio has more: addresses that fetch, run or record what a client names. None of them is needed.
READ = re.compile(
    r"/?|/(?:assets|static|svelte|files)/.*|/theme\.css|/config/?|/favicon\.ico|/gradio_api/"
    r"(?:info/?|app_id/?|startup-events|theme\.css|queue/data|upload_progress|file=.*)"
)
WRITE = re.compile(rf"{LOGIN}|{UPLOAD}|{JOIN}|/gradio_api/(?:cancel|reset/?)")
BODY_BYTES = 64 * 1024
LIMITS = (
    "default-src 'self'; script-src 'self' 'unsafe-inline' 'unsafe-eval'; style-src 'self' "
    "'unsafe-inline'; img-src 'self' data: blob:; media-src 'self' blob:; font-src 'self' data:; "
    "connect-src 'self'; worker-src 'self' blob:; object-src 'none'; base-uri 'self'; "
    "form-action 'self'; frame-ancestors 'none'"
)
# Cards for other sites, and files of gradio's own as examples.
FOREIGN = re.compile(
    r'\s*<meta\s+(?:property|name)="(?:og|twitter):[^>]*>|https://github\.com/gradio-app/[^"]*'
)
MANIFEST = re.compile(r'<link rel="manifest"[^>]*>')  # there is none


class Door:
    """An ASGI application around all that is below the page's address.

    Args:
        app: The application.
        service: Where the token is from.
    """

    def __init__(self, app: Any, service: Service):
        self.app, self.service = app, service
        self.key = secrets.token_bytes(32)

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Let a request in, or refuse it."""
        path = scope.get("path", "")
        if scope["type"] != "http" or not (path == PAGE or path.startswith(f"{PAGE}/")):
            await self.app(scope, receive, send)
            return
        rest, method = path.removeprefix(PAGE), scope["method"]
        allowed = WRITE if method == "POST" else READ
        if method not in ("GET", "HEAD", "POST") or not allowed.fullmatch(rest):
            raise Refusal(404, "The page has no such address.", code="unknown_url")
        if rest == LOGIN:
            await self._log_in(scope, receive, _guarded(send))
            return
        if not self._knows(scope):
            if rest not in ("", "/"):
                raise Refusal(401, "Open the page anew, and log in.", code="invalid_api_key")
            await HTMLResponse(write_login(), 401)(scope, receive, _guarded(send))
            return
        if rest == JOIN:
            receive = await _read_plain(receive)
        if rest == "/":
            scope, send = _as_text(scope), _rewritten(send)
        await self.app(scope, receive, _guarded(send))

    @property
    def pass_word(self) -> str:
        """What a browser keeps that has sent the token; of no use after the server's end."""
        return hmac.new(self.key, (self.service.token or "").encode(), hashlib.sha256).hexdigest()

    def _knows(self, scope: Any) -> bool:
        if self.service.token is None:
            return True
        try:
            kept = SimpleCookie(Headers(scope=scope).get("cookie", "")).get(COOKIE)
        except CookieError:
            return False
        return kept is not None and hmac.compare_digest(
            kept.value.encode(), self.pass_word.encode()
        )

    async def _log_in(self, scope: Any, receive: Any, send: Any) -> None:
        body = await _read(receive)
        form = await Request(scope, _replay(body)).form(max_files=0, max_fields=4)
        token, expected = str(form.get("token", "")).strip(), self.service.token
        answer: Response = RedirectResponse("./", 303)
        if expected is not None and not hmac.compare_digest(token.encode(), expected.encode()):
            answer = HTMLResponse(write_login(wrong=True), 401)
        elif expected is not None:
            answer.set_cookie(COOKIE, self.pass_word, path=PAGE, httponly=True, samesite="strict")
        await answer(scope, receive, send)


async def _read(receive: Any) -> bytes:
    """Read a short body.

    Raises:
        Refusal: It is long.
    """
    body = b""
    while True:
        message = await receive()
        body += message.get("body", b"")
        if len(body) > BODY_BYTES:
            raise Refusal(413, "That is more than the page sends.", code="content_too_large")
        if not message.get("more_body", False):
            return body


async def _read_plain(receive: Any) -> Any:
    """Check that an event brings plain values: gradio would open or fetch a file that is described.

    Raises:
        Refusal: It brings others.
    """
    body = await _read(receive)
    try:
        told = json.loads(body)
        plain = isinstance(told["data"], list) and told.get("event_data") is None
        plain = plain and all(isinstance(one, str | bool | None) for one in told["data"])
    except (ValueError, TypeError, KeyError, AttributeError):
        plain = False
    if not plain:
        raise Refusal(400, "The page sends nothing like that.", code="invalid_value")
    return _replay(body, receive)


def _replay(body: bytes, receive: Any = None) -> Any:
    sent = False

    async def again() -> Any:
        nonlocal sent
        if sent and receive is not None:
            return await receive()
        sent = True
        return {"type": "http.request", "body": body, "more_body": False}

    return again


def _guarded(send: Any) -> Any:
    """Have the browser load nothing from elsewhere, and take files for what they are said to be."""

    async def guarded(message: Any) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(raw=message["headers"])
            headers["content-security-policy"] = LIMITS
            headers["x-content-type-options"] = "nosniff"
            headers["referrer-policy"] = "same-origin"  # with none, forms would name no origin
            if headers.get("content-type", "").startswith("text/html"):
                headers["cache-control"] = "no-store"
            message = {**message, "headers": headers.raw}
        await send(message)

    return guarded


def _as_text(scope: Any) -> Any:
    """Have a page answered uncompressed, so that it can be changed."""
    headers = [pair for pair in scope["headers"] if pair[0] != b"accept-encoding"]
    return {**scope, "headers": headers}


def _rewritten(send: Any) -> Any:
    """Take what names other sites out of gradio's page."""
    begun: list[Any] = []
    body = b""

    async def rewritten(message: Any) -> None:
        nonlocal body
        if message["type"] == "http.response.start":
            begun.append(message)
            return
        if message["type"] != "http.response.body":
            await send(message)
            return
        body += message.get("body", b"")
        if message.get("more_body", False):
            return
        changed = MANIFEST.sub(ICON, FOREIGN.sub("", body.decode())).encode()
        headers = MutableHeaders(raw=list(begun[0]["headers"]))
        if "content-length" in headers:
            headers["content-length"] = str(len(changed))
        await send({**begun[0], "headers": headers.raw})
        await send({"type": "http.response.body", "body": changed})

    return rewritten
