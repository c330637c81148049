"""The server: its socket, its signals, and how it ends."""

import asyncio
import logging
import signal
import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

import uvicorn

from tasks.serving.app import build_app
from tasks.serving.connections import limited_protocol
from tasks.serving.service import Service

BACKLOG = 128
SPARE_S = 5.0  # after the last request was ended, for its answer to go out
SIGNALS = signal.SIGINT, signal.SIGTERM
LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})


def bind(host: str, port: int) -> socket.socket:
    """Take a port before anything else is done.

    Args:
        host: A name or an address of this machine.
        port: 0 takes a free one.

    Raises:
        ValueError: No such host, or it is not this machine's, or the port is taken or not ours.
    """
    if not 0 <= port <= 65535:
        raise ValueError(f"--port is {port}; expected 0 to 65535.")
    try:
        family, _, _, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        listener = socket.socket(family, socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise ValueError(f"--host is {host!r}; expected a name or address here. {error}.") from None
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        listener.listen(BACKLOG)
    except OSError as error:
        listener.close()
        raise ValueError(
            f"{host} port {port} cannot be listened on ({error.strerror}). Take another --port, "
            "or end the program that has it."
        ) from error
    return listener


def url_of(listener: socket.socket) -> str:
    """Return the address that clients are given, without a path."""
    host, port = listener.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


class Server(uvicorn.Server):
    """uvicorn's server, which ends in good order when it is told to.

    Args:
        service: What requests share.
        page: Whether there is a page for people beside the API.

    Attributes:
        interrupted: Whether it was Ctrl-C that ended it.
    """

    def __init__(self, service: Service, page: bool = False):
        self.service, self.interrupted = service, False
        super().__init__(
            uvicorn.Config(
                build_app(service, page),
                http=limited_protocol(service.limits),
                ws="none",
                lifespan="on",
                log_config=None,
                access_log=False,
                server_header=False,
                proxy_headers=False,
                timeout_keep_alive=int(max(1, service.limits.patience_s)),
                timeout_graceful_shutdown=int(service.limits.grace_s + SPARE_S),
            )
        )

    def run_on(self, listener: socket.socket) -> bool:
        """Serve until a signal comes.

        Args:
            listener: What `bind` returned.

        Returns:
            Whether all work has ended; else a thread is left that cannot be stopped.
        """
        asyncio.run(self.serve(sockets=[listener]))
        return self.service.worker.close(SPARE_S)

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Hear signals while the block runs; uvicorn's own would raise them again at the end."""
        loop = asyncio.get_running_loop()

        def hear(number: int, frame: FrameType | None) -> None:
            loop.call_soon_threadsafe(self._stop, number)

        before = {number: signal.signal(number, hear) for number in SIGNALS}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def _stop(self, number: int) -> None:
        """Take no more requests and finish those at work; a second signal ends them, too."""
        if self.should_exit:
            self.service.end()
        self.interrupted = self.interrupted or number == signal.SIGINT
        self.should_exit = True
        self.service.drain()


class _OneLine(logging.Formatter):
    """Writes the first line of a message, and no traceback: it may hold what a client sent."""

    def format(self, record: logging.LogRecord) -> str:
        told = record.getMessage().partition("\n")[0]
        return f"{self.formatTime(record, '%Y-%m-%dT%H:%M:%S')} {record.levelname} {told}"


def open_log() -> None:
    """Have requests and troubles told on stderr, a line each."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_OneLine())
    levels: dict[str, Any] = {"mcgurk.serve": logging.INFO, "uvicorn": logging.ERROR}
    for name, level in levels.items():
        logger = logging.getLogger(name)
        logger.handlers, logger.propagate = [handler], False
        logger.setLevel(level)
