"""Work on many clips at once, on the machines of a Ray cluster.

Each of its machines needs this package, and sees the clips and the output folder at the same paths.
"""

import os
import signal
import socket
import threading
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import contextmanager
from itertools import islice
from typing import Any, TypeVar

from modalities.extras import import_extra

LOCAL = "local"
CONNECT_S = 10
OBJECT_STORE_BYTES = 100 * 2**20  # results are a few lines each; Ray would take a third of memory
Item = TypeVar("Item")
Result = TypeVar("Result")


def run_on_ray(
    work: Callable[[Item], Result],
    items: Sequence[Item],
    address: str,
    workers: int | None = None,
) -> Generator[Result, None, None]:
    """Do the same work on each item, on a cluster, few more at a time than it has cores.

    Args:
        work: A function of a module, or `functools.partial` of one.
        items: What it is called with.
        address: The cluster's HOST:PORT, ray://HOST:PORT or "auto"; "local" starts one on this
            machine, and stops it in the end.
        workers: Cores of a cluster that is started here; all without. Any other has its own.

    Yields:
        Results, in the order in which they are ready.

    Raises:
        ValueError: Ray cannot be imported, or no cluster answers.
        OSError: The cluster was lost.
    """
    ray = import_extra("ray", "ray", "--ray")
    rest = iter(items)
    waiting: list[Any] = []
    with _connected(ray, address, workers):
        # What waits when the caller stops is not cancelled: Ray 2.60 can abort the program over it.
        # A cluster of our own takes it along, and on another it is little.
        task = ray.remote(lambda item: work(item))  # Ray takes functions, and no partial
        try:
            while True:
                cores = int(ray.cluster_resources().get("CPU", 1))  # clusters grow
                more = islice(rest, max(0, 2 * cores - len(waiting)))
                waiting += [task.remote(item) for item in more]
                if not waiting:
                    return
                finished, waiting = ray.wait(waiting)
                yield from ray.get(finished)
        except ray.exceptions.RayTaskError as error:
            raise error.cause from error
        except ray.exceptions.RayError as error:
            raise OSError(
                f"The Ray cluster at {address!r} failed ({error}). Run the same command again: it "
                "goes on where it was."
            ) from error


@contextmanager
def _connected(ray: Any, address: str, workers: int | None) -> Iterator[None]:
    """Connect to a cluster, unless the caller has done so already."""
    if ray.is_initialized():
        yield
        return
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # it would report to its makers
    options: dict[str, Any] = {"log_to_driver": False, "logging_level": "ERROR"}
    if address == LOCAL:
        options |= {
            "num_cpus": workers,
            "include_dashboard": False,
            "object_store_memory": OBJECT_STORE_BYTES,
        }
    try:
        if address not in (LOCAL, "auto"):
            _knock(address)
        with _own_signals():
            ray.init(address, **options)
    except (OSError, RuntimeError, ValueError) as error:
        raise ValueError(
            f"No Ray cluster answers at {address!r} ({error}); expected HOST:PORT of one that "
            "`ray start --head` started, auto, or local."
        ) from error
    try:
        yield
    finally:
        ray.shutdown()


def _knock(address: str) -> None:
    """Connect once: where nobody answers, Ray itself goes on trying for minutes."""
    host, _, port = address.removeprefix("ray://").rpartition(":")
    if not port.isdigit():
        raise ValueError("it names no port")
    socket.create_connection((host, int(port)), CONNECT_S).close()


@contextmanager
def _own_signals() -> Iterator[None]:
    """Keep what the program does on SIGTERM, which Ray sets to its own."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.getsignal(signal.SIGTERM)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
