"""One thread that works on requests, one after the other, and the queue before it."""

import logging
import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from time import monotonic
from typing import Any

from tasks.serving.asked import Asked
from tasks.serving.refusals import refuse_crowd

log = logging.getLogger("mcgurk.serve")


class Stopped(Exception):
    """The work is not wanted any more."""


@dataclass(eq=False)
class Job:
    """A request on its way.

    Attributes:
        asked: What is wanted.
        path: The file.
        deliver: Takes what comes of it, from any thread: segments of a stream, then one last
            thing, the result or the error.
        stopped: Whether the client is gone, or was told something else.
        queued_s: Time of the clock `monotonic` at which it came.
        started_s: When work began, on that clock; None before.
        done_s: When it ended; None before.
    """

    asked: Asked
    path: Path
    deliver: Callable[[Any], None]
    stopped: threading.Event = field(default_factory=threading.Event)
    queued_s: float = field(default_factory=monotonic)
    started_s: float | None = None
    done_s: float | None = None


@dataclass(frozen=True)
class Failed:
    """The last thing of a request that came to nothing.

    Attributes:
        error: Why.
    """

    error: Exception


class Worker:
    """Works on jobs in the order in which they came.

    Args:
        run: Does the work of a job and returns its result. It may deliver what comes before; it
            raises `Stopped` where it sees that the job is not wanted.
        queue: How many may wait.
    """

    def __init__(self, run: Callable[[Job], Any], queue: int):
        self.run, self.queue = run, queue
        self.waiting: deque[Job] = deque()
        self.current: Job | None = None
        self.closed = False
        self.changed = threading.Condition()
        self.thread = threading.Thread(target=self._work, name="mcgurk-worker", daemon=True)

    def start(self) -> None:
        """Begin to work."""
        self.thread.start()

    @property
    def is_full(self) -> bool:
        """Whether no job may come now."""
        return len(self.waiting) >= self.queue

    def submit(self, job: Job) -> None:
        """Put a job at the end of the queue.

        Raises:
            Refusal: As many wait as may.
        """
        with self.changed:
            if self.is_full:
                raise refuse_crowd()
            self.waiting.append(job)
            self.changed.notify()

    def drop(self, job: Job) -> None:
        """Have a job end: it leaves the queue now, or work on it stops at the next second."""
        job.stopped.set()
        with self.changed:
            if job in self.waiting:
                self.waiting.remove(job)

    def close(self, within_s: float) -> bool:
        """End the thread.

        Args:
            within_s: Seconds to wait for what it works on.

        Returns:
            Whether it has ended.
        """
        with self.changed:
            self.closed = True
            left = [*self.waiting, *([self.current] if self.current else [])]
            self.changed.notify()
        for job in left:
            self.drop(job)
        if self.thread.is_alive():
            self.thread.join(within_s)
        return not self.thread.is_alive()

    def _next(self) -> Job | None:
        with self.changed:
            self.current = None
            self.changed.wait_for(lambda: self.waiting or self.closed)
            if self.closed:
                return None
            self.current = self.waiting.popleft()
            self.current.started_s = monotonic()
            return self.current

    def _work(self) -> None:
        while (job := self._next()) is not None:
            try:
                last = self.run(job)
            except Stopped:
                continue
            except Exception as error:  # one bad request must not end the work on others
                last = Failed(error)
            job.done_s = monotonic()
            job.deliver(last)
