"""Threads that work on requests, in the order in which they came, and the queue before them."""

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
    """Begins jobs in the order in which they came.

    Args:
        run: Does the work of a job and returns its result. It may deliver what comes before; it
            raises `Stopped` where it sees that the job is not wanted.
        queue: How many may wait.
        at_once: How many are worked on at once, a thread each.

    Attributes:
        waiting: Jobs that wait.
        working: Jobs at work.
    """

    def __init__(self, run: Callable[[Job], Any], queue: int, at_once: int = 1):
        self.run, self.queue = run, queue
        self.waiting: deque[Job] = deque()
        self.working: list[Job] = []
        self.closed = False
        self.changed = threading.Condition()
        self.threads = [
            threading.Thread(target=self._work, name=f"mcgurk-worker-{number}", daemon=True)
            for number in range(at_once)
        ]

    def start(self) -> None:
        """Begin to work."""
        for thread in self.threads:
            thread.start()

    @property
    def is_alive(self) -> bool:
        """Whether all threads are there; one that died would be missed."""
        return all(thread.is_alive() for thread in self.threads)

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
        """End the threads.

        Args:
            within_s: Seconds to wait for what they work on.

        Returns:
            Whether all have ended.
        """
        with self.changed:
            self.closed = True
            left = [*self.waiting, *self.working]
            self.changed.notify_all()
        for job in left:
            self.drop(job)
        late_s = monotonic() + within_s
        for thread in self.threads:
            if thread.is_alive():
                thread.join(max(0.0, late_s - monotonic()))
        return not any(thread.is_alive() for thread in self.threads)

    def _next(self) -> Job | None:
        with self.changed:
            self.changed.wait_for(lambda: self.waiting or self.closed)
            if self.closed:
                return None
            job = self.waiting.popleft()
            self.working.append(job)
            job.started_s = monotonic()
            return job

    def _work(self) -> None:
        while (job := self._next()) is not None:
            last: Any = None
            try:
                last = self.run(job)
            except Stopped:
                pass
            except Exception as error:  # one bad request must not end the work on others
                last = Failed(error)
            with self.changed:
                self.working.remove(job)
            if last is not None:
                job.done_s = monotonic()
                job.deliver(last)
