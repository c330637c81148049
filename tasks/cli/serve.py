"""mcgurk serve."""

import math
import os
import signal
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from ipaddress import ip_address
from typing import TYPE_CHECKING, Annotated

import typer

from tasks.cli.options import Device, with_default
from tasks.serving.token import TOKEN, read_token

if TYPE_CHECKING:
    from tasks.serving.server import Server

PURPOSE = "`mcgurk serve`"


def serve(
    model: Annotated[
        list[str] | None,
        typer.Option(
            metavar="[NAME=]MODEL[+SETS]",
            help=with_default(
                "A Whisper, with adapter sets or without; again for more, the first is the "
                "default. Clients name these and no others.",
                "whisper-tiny.en and the sets for it",
            ),
        ),
    ] = None,
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Port to listen on; 0 takes a free one.")] = 8000,
    token: Annotated[
        str | None,
        typer.Option(
            help=with_default(
                "What clients must send as their API key. Better in the environment as "
                f"{TOKEN}, where other users cannot see it.",
                "nothing is asked for",
            )
        ),
    ] = None,
    queue: Annotated[int, typer.Option(help="Requests that may wait; more get 429.")] = 16,
    max_upload: Annotated[int, typer.Option(help="Megabytes of a file; more get 413.")] = 100,
    max_duration: Annotated[float, typer.Option(help="Seconds of media in a file.")] = 7200.0,
    time_limit: Annotated[
        float, typer.Option(help="Seconds for a request, from its upload to its answer.")
    ] = 600.0,
    grace: Annotated[
        float, typer.Option(help="Seconds left to requests when the server is to end.")
    ] = 30.0,
    at_once: Annotated[
        int, typer.Option(help="Requests worked on at once; what they have in common is joined.")
    ] = 8,
    keep: Annotated[
        int, typer.Option(help="Models kept loaded; the one longest unused goes first.")
    ] = 2,
    page: Annotated[
        bool, typer.Option("--page/--no-page", help="A page for people at /page/, by gradio.")
    ] = True,
    memory: Annotated[
        int | None,
        typer.Option(
            help=with_default(
                "Megabytes of weights kept loaded; adapter sets longest unused go first.",
                "no limit",
            )
        ),
    ] = None,
    device: Device = "auto",
) -> None:
    """Answer OpenAI's transcription API over HTTP, and show a page."""
    from modalities.extras import import_extra
    from modalities.speech.whisper_files import find_whisper
    from tasks.serving.limits import LARGEST, MEGABYTE, Limits
    from tasks.serving.served_models import list_default, read_served

    for package in ("fastapi", "uvicorn", "python_multipart"):
        import_extra(package, "serve", PURPOSE)
    secret = read_token(token)
    numbers = {"queue": queue, "max-upload": max_upload, "max-duration": max_duration}
    numbers |= {"time-limit": time_limit, "grace": grace, "keep": keep, "at-once": at_once}
    _check_numbers(numbers | {"memory": LARGEST if memory is None else memory})
    limits = Limits(
        upload_bytes=max_upload * MEGABYTE,
        duration_s=max_duration,
        request_s=time_limit,
        queue=queue,
        uploads=2 * queue,
        at_once=at_once,
        models=keep,
        model_bytes=LARGEST if memory is None else memory * MEGABYTE,
        grace_s=grace,
    )
    served = read_served(model or list_default())
    for one in served.values():
        find_whisper(one.model)  # what is not here is told, or fetched, now
    from tasks.serving.loaded_models import load_pipeline
    from tasks.serving.private_folder import private_folder
    from tasks.serving.server import LOOPBACK, Server, bind, open_log, url_of
    from tasks.serving.service import Service

    with _ending_well(), bind(host, port) as listener, private_folder() as folder:
        if page:
            from tasks.serving.page.gradio_import import import_gradio

            import_gradio(folder)
        local = ip_address(listener.getsockname()[0]).is_loopback
        # Where there is a token, a page that has a name of its own point here does not know it.
        hosts = LOOPBACK | {host} if local and secret is None else None
        service = Service(
            served, lambda one: load_pipeline(one, device), folder, limits, secret, hosts
        )
        service.start()
        open_log()
        if not local and secret is None:
            print(
                f"Whoever reaches {url_of(listener)} can use it; no token is set.", file=sys.stderr
            )
        print(f"Serving {', '.join(served)} on {url_of(listener)}/v1", flush=True)
        if page:
            print(f"Page: {url_of(listener)}/page/", flush=True)
        server = Server(service, page)
        ended = server.run_on(listener)
    _leave(server, ended)


@contextmanager
def _ending_well() -> Iterator[None]:
    """Have SIGTERM end the program with 0, and tidily, while no server hears it."""

    def end(number: int, frame: object) -> None:
        raise SystemExit(0)

    before = signal.signal(signal.SIGTERM, end)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _leave(server: "Server", ended: bool) -> None:
    """End the program: with 0, or as after any Ctrl-C."""
    if not ended:
        # A model that computes cannot be stopped; Python waits for none, but dies of it at the end.
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(130 if server.interrupted else 0)
    if server.interrupted:
        raise KeyboardInterrupt


def _check_numbers(numbers: Mapping[str, float]) -> None:
    """Raise where one of the options is no number above 0."""
    for name, value in numbers.items():
        if not 0 < value < math.inf:
            raise ValueError(f"--{name} is {value}; expected a number above 0.")
