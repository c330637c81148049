"""Connections that do not hold the server up: uvicorn's, with limits of time and number."""

import asyncio
from typing import Any

from uvicorn.protocols.http.h11_impl import H11Protocol

from tasks.serving.limits import Limits

LOOKS = 4  # times in a limit that a connection is looked at


def limited_protocol(limits: Limits) -> type[H11Protocol]:
    """Return uvicorn's protocol with limits.

    A connection is closed that is open beyond their number, that neither finishes a request's
    head nor sends one for `limits.patience_s`, or whose request lasts longer than any can.
    """

    class Limited(H11Protocol):
        def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
            super().connection_made(transport)
            self.since_s, self.was_busy = self.loop.time(), False
            if len(self.connections) > limits.connections:
                transport.abort()
                return
            self._look()

        def _look(self) -> None:
            """Close the connection where it is in one state for too long; else look again."""
            if self.transport.is_closing():
                return
            now_s, busy = self.loop.time(), _is_busy(self.cycle)
            if busy != self.was_busy:
                self.since_s, self.was_busy = now_s, busy
            if now_s - self.since_s > (limits.longest_s if busy else limits.patience_s):
                self.transport.abort()
                return
            self.loop.call_later(limits.patience_s / LOOKS, self._look)

    return Limited


def _is_busy(cycle: Any) -> bool:
    """Say whether a request is being answered."""
    return cycle is not None and not cycle.response_complete
