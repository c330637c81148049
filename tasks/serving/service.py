"""All that requests share: models, queue, folder, counts, and whether the server ends."""

import asyncio
import itertools
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from time import time
from typing import Any

from tasks.serving.asked import Asked
from tasks.serving.limits import Limits
from tasks.serving.loaded_models import Load, LoadedModels
from tasks.serving.metrics import Metrics
from tasks.serving.recognition import Recognition
from tasks.serving.refusals import refuse_crowd, refuse_end
from tasks.serving.served_models import ServedModel
from tasks.serving.worker import Job, Worker


class Service:
    """What a server works with.

    Args:
        served: Models by name, the default first.
        load: Loads one of them.
        folder: An empty folder for uploads.
        limits: Bounds on requests.
        token: What a client must send as a bearer token; None: nothing.
        hosts: Names in whose Host header a request may come; None: any. See `Gate`.

    Attributes:
        uploading: How many uploads arrive now, or are looked at.
        closing: Whether no request is taken any more.
        over: Whether those that were taken are ended, too.
        tasks: Requests at work.
    """

    def __init__(
        self,
        served: dict[str, ServedModel],
        load: Load,
        folder: Path,
        limits: Limits = Limits(),  # noqa: B008
        token: str | None = None,
        hosts: frozenset[str] | None = None,
    ):
        self.served, self.folder, self.limits = served, folder, limits
        self.token, self.hosts = token, hosts
        self.models = LoadedModels(load, limits.models, limits.model_bytes)
        self.worker = Worker(Recognition(self.models, limits).run, limits.queue, limits.at_once)
        self.metrics = Metrics()
        self.created_s = int(time())
        self.uploading, self.closing, self.over = 0, False, False
        self.tasks: set[asyncio.Task[Any]] = set()
        self._numbers = itertools.count()

    def start(self) -> None:
        """Load the default model, so that the first request need not wait, and begin to work.

        Raises:
            ValueError: It cannot be loaded.
            OSError: A file of it cannot be read.
        """
        with self.models.use(next(iter(self.served.values()))):
            pass
        self.worker.start()

    def check_room(self) -> None:
        """Check that a request may come.

        Raises:
            Refusal: The server ends, or as many wait or arrive as may.
        """
        if self.closing:
            raise refuse_end()
        if self.worker.is_full or self.uploading >= self.limits.uploads:
            raise refuse_crowd()

    @contextmanager
    def upload(self) -> Iterator[None]:
        """Count an upload while the block runs."""
        self.uploading += 1
        try:
            yield
        finally:
            self.uploading -= 1

    @contextmanager
    def new_path(self) -> Iterator[Path]:
        """Give a path for a file of a request; the file goes with the block."""
        path = self.folder / f"upload-{next(self._numbers)}"
        try:
            yield path
        finally:
            path.unlink(missing_ok=True)

    def submit(self, asked: Asked, path: Path) -> "tuple[Job, asyncio.Queue[Any]]":
        """Queue a request.

        Returns:
            The job, and where what comes of it arrives.

        Raises:
            Refusal: As many wait as may.
        """
        loop, events = asyncio.get_running_loop(), asyncio.Queue[Any]()
        job = Job(asked, path, _hand_to(loop, events))
        self.worker.submit(job)
        return job, events

    def drain(self) -> None:
        """Take no more requests, and end those that are there when their time is over."""
        if not self.closing:
            self.closing = True
            asyncio.get_running_loop().call_later(self.limits.grace_s, self.end)

    def end(self) -> None:
        """End all requests now."""
        self.closing = self.over = True
        for task in self.tasks:
            task.cancel()

    def gauges(self) -> dict[str, tuple[str, float]]:
        """Return what is the case now, for `Metrics.to_text`."""
        worker = self.worker
        return {
            "requests_waiting": ("Requests that wait for the model.", len(worker.waiting)),
            "requests_working": ("Requests that the model works on.", len(worker.working)),
            "uploads": ("Uploads that arrive or are looked at.", self.uploading),
            "models_loaded": ("Models that are kept loaded.", len(self.models.kept)),
            "model_bytes": ("Bytes of the weights of models that are kept.", self.models.bytes),
            "model_loads": ("How often a model was loaded.", self.models.loads),
        }


def _hand_to(
    loop: asyncio.AbstractEventLoop, events: "asyncio.Queue[Any]"
) -> Callable[[Any], None]:
    """Return what puts events of another thread into a queue of the loop's."""

    def deliver(event: Any) -> None:
        try:
            loop.call_soon_threadsafe(events.put_nowait, event)
        except RuntimeError:  # the loop is closed, nobody waits
            pass

    return deliver
