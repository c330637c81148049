"""The queue, and models that are kept."""

import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tasks.serving.asked import Asked
from tasks.serving.loaded_models import LoadedModels
from tasks.serving.refusals import Refusal
from tasks.serving.served_models import ServedModel
from tasks.serving.worker import Failed, Job, Stopped, Worker

ASKED = Asked(ServedModel("a", "a"))


@dataclass
class Held:
    """A worker that waits for `go` in each job, and what it delivered."""

    worker: Worker
    go: threading.Event
    begun: threading.Event
    told: list[Any]
    ran: list[Job]

    def job(self) -> Job:
        return Job(ASKED, Path(), self.told.append)


@pytest.fixture
def held():
    go, begun, ran = threading.Event(), threading.Event(), []

    def run(job):
        ran.append(job)
        begun.set()
        while not (job.stopped.wait(0.01) or go.is_set()):
            pass
        if job.stopped.is_set():
            raise Stopped
        if job.asked.language == "bad":
            raise RuntimeError
        return job

    worker = Worker(run, 2)
    worker.start()
    yield Held(worker, go, begun, [], ran)
    go.set()
    assert worker.close(10)


def finish(held: Held) -> None:
    """Wait until all jobs are done."""
    held.go.set()
    last = threading.Event()
    until = Job(ASKED, Path(), lambda _: last.set())
    while True:
        try:
            held.worker.submit(until)
            break
        except Refusal:
            continue
    assert last.wait(10)


def test_jobs_are_done_in_order_and_no_more_wait_than_may(held):
    first, second, third = held.job(), held.job(), held.job()
    held.worker.submit(first)
    assert held.begun.wait(10)
    held.worker.submit(second)
    held.worker.submit(third)
    with pytest.raises(Refusal) as caught:
        held.worker.submit(held.job())
    assert caught.value.status == 429 and caught.value.headers["retry-after"]
    finish(held)
    assert held.told == [first, second, third]
    assert first.queued_s <= first.started_s <= first.done_s <= second.started_s


def test_a_job_that_is_dropped_leaves_the_queue_or_stops(held):
    first, second = held.job(), held.job()
    held.worker.submit(first)
    assert held.begun.wait(10)
    held.worker.submit(second)
    held.worker.drop(second)
    assert not held.worker.waiting
    held.worker.drop(first)
    finish(held)
    assert not held.told and held.ran[0] is first and second not in held.ran


def test_a_job_that_fails_does_not_end_the_others(held):
    held.go.set()
    held.worker.submit(Job(Asked(ASKED.model, language="bad"), Path(), held.told.append))
    finish(held)
    assert isinstance(held.told[0], Failed) and isinstance(held.told[0].error, RuntimeError)


def test_the_model_longest_unused_is_dropped_before_another_is_loaded():
    kept: list[str] = []
    most_at_once = []

    class Kept:
        def __init__(self, name):
            self.name = name
            kept.append(name)
            most_at_once.append(len(kept))

        def __del__(self):
            kept.remove(self.name)

    models = LoadedModels(lambda served: Kept(served.name), 2)  # type: ignore[arg-type]
    a, b, c = (ServedModel(name, name) for name in "abc")
    for one in (a, b, a, c, a, c):
        with models.use(one):
            pass
    assert sorted(kept) == ["a", "c"] and models.loads == 3 and max(most_at_once) == 2
    with models.use(b):
        pass
    assert sorted(kept) == ["b", "c"]


class Weighed:
    """A pipeline of so many bytes, which says when it is closed; all stand on 10 bytes more."""

    def __init__(self, served, closed):
        self.served, self.closed = served, closed

    @property
    def parts(self):
        return {"base": 10} | ({self.served.name: 5} if self.served.sets else {})

    def close(self):
        self.closed.append(self.served.name)


def test_for_memory_adapter_sets_longest_unused_go_before_models_without():
    closed: list[str] = []
    models = LoadedModels(lambda served: Weighed(served, closed), 9, most_bytes=21)  # type: ignore[arg-type]
    plain = ServedModel("plain", "a")
    a, b, c = (ServedModel(name, "a", name) for name in "abc")
    for one in (plain, a, b, a):
        with models.use(one):
            pass
    assert models.bytes == 20 and not closed
    with models.use(a), models.use(b), models.use(c):  # what is at work stays
        assert models.bytes == 25 and not closed
    assert models.bytes == 20 and closed == ["c"]
    with models.use(c):
        assert closed == ["c", "a"] and list(models.kept) == [plain, b, c]


def test_who_wants_another_model_waits_for_a_place():
    models = LoadedModels(lambda served: served.name, 1)  # type: ignore[arg-type]
    a, b = (ServedModel(name, name) for name in "ab")
    told: list[object] = []

    def want(served):
        with models.use(served) as model:
            told.append(model)

    with models.use(a):
        other = threading.Thread(target=want, args=(b,))
        other.start()
        want(a)
        other.join(0.2)
        assert told == ["a"] and list(models.kept) == [a]
    other.join(10)
    assert told == ["a", "b"] and list(models.kept) == [b]


def test_jobs_are_worked_on_at_once_as_many_as_may_be():
    meet = threading.Barrier(3)
    told: list[Any] = []
    over = threading.Event()

    def deliver(last):
        told.append(last)
        if len(told) == 3:
            over.set()

    worker = Worker(lambda job: meet.wait(10), 4, at_once=3)
    worker.start()
    for _ in range(3):
        worker.submit(Job(ASKED, Path(), deliver))
    assert over.wait(10) and sorted(told) == [0, 1, 2] and worker.is_alive
    assert worker.close(10) and not worker.working and not worker.is_alive


def test_a_model_that_cannot_be_loaded_is_tried_anew():
    def load(served):
        raise OSError("no file")

    models = LoadedModels(load, 1)
    for _ in range(2):
        with pytest.raises(OSError):
            with models.use(ASKED.model):
                pass
    assert not models.kept and not models.loads
