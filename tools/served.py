"""A server as a process on loopback, and requests to it."""

import http.client
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

ROUTE, BOUNDARY, LOOPBACK = "/v1/audio/transcriptions", "mcgurk", "127.0.0.1"
PATIENCE_S = 600.0


@dataclass(frozen=True)
class Served:
    """A server that runs.

    Attributes:
        port: On loopback.
        process: What it runs in.
    """

    port: int
    process: subprocess.Popen[str]

    @property
    def memory_mb(self) -> float:
        """What the process holds now, megabytes (Linux)."""
        for line in Path(f"/proc/{self.process.pid}/status").read_text().splitlines():
            if line.startswith("VmRSS:"):
                return int(line.split()[1]) / 1024
        raise OSError("No VmRSS; expected Linux.")

    def metric(self, name: str) -> float:
        """Return a number of `/metrics` that has no labels."""
        line = self.connect()
        line.request("GET", "/metrics")
        for told in line.getresponse().read().decode().splitlines():
            if told.startswith(f"mcgurk_{name} "):
                return float(told.split()[1])
        raise ValueError(f"No number {name!r} in /metrics.")

    def connect(self) -> http.client.HTTPConnection:
        """Return a new connection."""
        return http.client.HTTPConnection(LOOPBACK, self.port, timeout=PATIENCE_S)

    def post(self, body: bytes) -> tuple[int, str]:
        """Send a form; return status and answer."""
        line = self.connect()
        try:
            kind = {"content-type": f"multipart/form-data; boundary={BOUNDARY}"}
            line.request("POST", ROUTE, body, kind)
            answer = line.getresponse()
            return answer.status, answer.read().decode()
        finally:
            line.close()

    def transcribe(self, body: bytes) -> str:
        """Send a form that asks for JSON; return the text.

        Raises:
            RuntimeError: Another answer came.
        """
        status, told = self.post(body)
        if status != 200:
            raise RuntimeError(f"The server said {status}: {told}")
        return json.loads(told)["text"]


def form(file: bytes | None, fields: Mapping[str, str]) -> bytes:
    """Return the body of a request: a file, unless None, and fields."""
    start = f"--{BOUNDARY}\r\nContent-Disposition: form-data; name="
    parts = [f'{start}"{name}"\r\n\r\n{value}\r\n'.encode() for name, value in fields.items()]
    if file is not None:
        parts += [f'{start}"file"; filename="clip"\r\n\r\n'.encode(), file, b"\r\n"]
    return b"".join([*parts, f"--{BOUNDARY}--\r\n".encode()])


@contextmanager
def serving(*options: str, threads: int | None = None) -> Iterator[Served]:
    """Run `mcgurk serve` with options on a free port, and end it with SIGTERM.

    Args:
        options: What the command is given besides its port.
        threads: That a computation takes; None for as many as it likes.

    Raises:
        RuntimeError: It did not come up, or did not end with 0.
    """
    command = [sys.executable, "-m", "tasks", "serve", "--port", "0", *options]
    few = {} if threads is None else {"OMP_NUM_THREADS": str(threads)}
    process = subprocess.Popen(
        command,
        env=os.environ | few,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    try:
        assert process.stdout is not None
        told = process.stdout.readline()
        if not told.startswith("Serving "):
            raise RuntimeError(f"{' '.join(command)} did not come up; run it to see why.")
        url = told.rpartition(" on ")[2].strip()
        yield Served(urlsplit(url).port or 0, process)
        process.send_signal(signal.SIGTERM)
        if code := process.wait(PATIENCE_S):
            raise RuntimeError(f"The server ended with {code}; expected 0.")
    finally:
        process.kill()
        process.communicate()
