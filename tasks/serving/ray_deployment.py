"""The server as a Ray Serve deployment: as many copies of it as a cluster has room for.

Each replica is a whole server but for its socket: it has models, queue, counts and a folder for
uploads of its own, and no upload leaves it. Ray's proxies share requests out. `serve.multiplexed`
tells them which models a replica has loaded, so that a request goes where its model is; they know
the model by a header, `serve_multiplexed_model_id`, as it stands in the form only after the bytes
that they do not look at. Without that header any replica answers, and loads what it has not.
"""

from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from fastapi import FastAPI
from ray import serve
from ray.serve import Application
from ray.serve.config import BackpressureConfig
from starlette.responses import PlainTextResponse, Response

from modalities.extras import import_extra
from modalities.speech.whisper_files import find_whisper
from tasks.config import filled
from tasks.serving.app import build_app
from tasks.serving.gate import METRICS, RECORD
from tasks.serving.limits import Limits
from tasks.serving.loaded_models import Load, load_pipeline
from tasks.serving.metrics import CONTENT_TYPE, join_texts
from tasks.serving.private_folder import private_folder
from tasks.serving.refusals import AGAIN_S
from tasks.serving.served_models import ServedModel, list_default, read_served
from tasks.serving.server import LOOPBACK, SPARE_S, open_log
from tasks.serving.service import Service
from tasks.serving.token import read_token

NAME = "Transcription"  # of the deployment, by which a YAML file sets its replicas
ASIDE = 8  # requests that a full replica gets, too
REPORT_S = 5.0  # for replicas to tell their counts
STARTS = 3  # tries to start a replica, after which the mistake is told


@dataclass(frozen=True)
class RayOptions:
    """What stands under `args` of an application in YAML.

    Attributes:
        models: `[NAME=]MODEL[+SETS]` each, the default first; none: what `mcgurk serve` takes.
        device: "auto", "cpu", "cuda" or "mps".
        hosts: Names in whose Host header a request may come where no token is set, "*" for any.
        limits: Sizes, times and numbers that each replica keeps to.
    """

    models: tuple[str, ...] = ()
    device: str = "auto"
    hosts: tuple[str, ...] = tuple(sorted(LOOPBACK))
    limits: Limits = field(default_factory=Limits)


def build(args: dict[str, Any]) -> Application:
    """Build the application, as `serve run` and `serve deploy` ask for it.

    The token is the environment's `MCGURK_TOKEN` where this runs: Ray logs arguments.

    Args:
        args: By the names of `RayOptions`.

    Raises:
        ValueError: There is no such option, model or set, or it cannot be so.
        FileNotFoundError: A folder is no collection.
    """
    import_extra("python_multipart", "serve", "the server on Ray")
    options = filled(RayOptions, args, "args")
    token = read_token()
    hosts = None if token is not None or "*" in options.hosts else frozenset(options.hosts)
    served = read_served(options.models or list_default())
    load = partial(load_pipeline, device=options.device)
    return bind(served, load, options.limits, token, hosts)


def bind(
    served: dict[str, ServedModel],
    load: Load,
    limits: Limits = Limits(),  # noqa: B008
    token: str | None = None,
    hosts: frozenset[str] | None = None,
) -> Application:
    """Make a deployment of what a `Service` works with.

    A replica gets as many requests as it can work on or queue, and a few, so that a full one tells
    its health and counts, and says 429 itself. More wait in Ray's proxies. Where more than
    `limits.uploads` come to one of those at once it says 429 by itself, even if replicas have room:
    it counts each that it has not handed on yet.

    Args:
        served: Models by name, the default first.
        load: Loads one of them, in a replica.
        limits: Sizes, times and numbers that each replica keeps to.
        token: What a client must send as a bearer token; None: nothing.
        hosts: Names in whose Host header a request may come; None: any.
    """
    deployment: Any = serve.deployment(
        serve.ingress()(Replica),
        name=NAME,
        max_ongoing_requests=limits.queue + limits.at_once + ASIDE,
        max_queued_requests=limits.uploads,
        backpressure_config=BackpressureConfig(status_code=429, retry_after_s=float(AGAIN_S)),
        graceful_shutdown_timeout_s=limits.grace_s + 2 * SPARE_S,
        graceful_shutdown_wait_loop_s=0.5,
        max_constructor_retry_count=STARTS,
        logging_config={"enable_access_log": False},  # it would hold what clients wrote
    )
    return deployment.bind(served, load, limits, token, hosts)


class Replica:
    """One copy of the server; the arguments are those of `bind`."""

    def __init__(
        self,
        served: dict[str, ServedModel],
        load: Load,
        limits: Limits,
        token: str | None,
        hosts: frozenset[str] | None,
    ):
        open_log()
        for one in served.values():
            find_whisper(one.model)  # what is not here is told, or fetched, now
        self.stack = ExitStack()
        folder = self.stack.enter_context(private_folder())
        self.service = Service(served, load, folder, limits, token, hosts)
        self.service.start()

    def __serve_build_asgi_app__(self) -> FastAPI:
        """Return what Ray hands requests to."""
        app = build_app(self.service)
        app.router.routes[:] = [
            route for route in app.router.routes if getattr(route, "path", "") != METRICS
        ]
        app.get(METRICS)(_tell_metrics)
        app.add_middleware(_Marking, most=self.service.limits.models)
        return app

    async def report(self) -> tuple[str, str]:
        """Return this replica's name and counts."""
        counts = self.service.metrics.to_text(self.service.gauges())
        return serve.get_replica_context().replica_tag, counts

    def check_health(self) -> None:
        """Let Ray start another replica where this one's worker died."""
        if not self.service.worker.is_alive:
            raise RuntimeError("The worker died.")

    def __del__(self):
        """End: Ray calls this when all requests are answered, or their time is over."""
        self.service.worker.close(SPARE_S)
        self.stack.close()


class _Marking:
    """An ASGI application around another, which tells Ray which models this replica has loaded.

    Args:
        app: The application.
        most: How many are kept. Ray drops the name longest unused as `LoadedModels` the model.
    """

    def __init__(self, app: Callable[..., Any], most: int):
        self.app = app
        marked: Any = serve.multiplexed(max_num_models_per_replica=most)
        self.mark = marked(_mark)

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Answer a request, then name its model where it was worked on."""
        await self.app(scope, receive, send)
        record = scope.get(RECORD)
        if record is not None and record.work_s:
            await self.mark(record.model)


async def _mark(name: str) -> str:
    return name


async def _tell_metrics() -> Response:
    """Tell the counts of all replicas, whichever is asked."""
    here = serve.get_replica_context()
    handle = serve.get_deployment_handle(here.deployment, here.app_name)
    told = await handle.broadcast("report").results_async(
        timeout_s=REPORT_S, return_exceptions=True
    )
    texts = dict(one for one in told if not isinstance(one, BaseException))
    return PlainTextResponse(join_texts(texts), media_type=CONTENT_TYPE)
