"""A server on a pipeline that says a word for each second of a file, when it is let."""

import asyncio
import io
import threading
import wave
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from modalities.speech.timed_text import Word
from tasks.avsr.outputs.transcript import Segment, Transcript
from tasks.avsr.pipeline import AVSROptions
from tasks.serving.limits import Limits
from tasks.serving.loaded_models import Progress
from tasks.serving.served_models import ServedModel

NUMBERS = ("one", "two", "three", "four", "five")
SERVED = {name: ServedModel(name, "tiny", sets) for name, sets in (("a", None), ("a+s", "s"))}


class FakePipeline:
    """Says "one", "two" ... second by second; waits at each second until `go` is set."""

    def __init__(self):
        self.go, self.begun = threading.Event(), threading.Event()
        self.go.set()
        self.options = AVSROptions()
        self.language: str | None = "en"
        self.error: Exception | None = None
        self.heard: list[AVSROptions] = []

    def with_options(self, options: AVSROptions) -> "FakePipeline":
        if options.language == "xx":
            raise ValueError("No language is called 'xx'.")
        self.options = options
        self.heard.append(options)
        return self

    def stream(self, source: Path, /, *, progress: Progress) -> Iterator[Segment]:
        with wave.open(str(source)) as file:
            seconds = file.getnframes() // file.getframerate()
        for second in range(seconds):
            self.begun.set()
            progress(second, seconds)
            while not self.go.wait(0.01):
                progress(second, seconds)
            if self.error is not None:
                raise self.error
            words = (Word(second, second + 0.5, NUMBERS[second % 5]),)
            said = words if self.options.words else ()
            yield Segment(second, second + 1, NUMBERS[second % 5], said)
        progress(seconds, seconds)

    def transcribe(self, source: Path, /, *, progress: Progress) -> Transcript:
        found = tuple(self.stream(source, progress=progress))
        text = " ".join(segment.text for segment in found)
        return Transcript(text, float(len(found)), "tiny", False, "no video", found, ())


@pytest.fixture
def pipeline() -> FakePipeline:
    return FakePipeline()


@pytest.fixture(scope="session")
def make_sound() -> Callable[[float], bytes]:
    """Write so many seconds of silence as a .wav of 1 kHz."""

    def make(seconds: float) -> bytes:
        memory = io.BytesIO()
        with wave.open(memory, "wb") as file:
            file.setparams((1, 2, 1000, 0, "NONE", ""))
            file.writeframes(bytes(round(2000 * seconds)))
        return memory.getvalue()

    return make


@pytest.fixture
def make_service(tmp_path, pipeline) -> Iterator[Callable[..., Any]]:
    """Build a service on the pipeline, with limits by name, and start its worker."""
    from tasks.serving.service import Service

    services = []

    def make(token: str | None = None, hosts: frozenset[str] | None = None, **limits: Any) -> Any:
        folder = tmp_path / "uploads"
        folder.mkdir()
        chosen = replace(Limits(patience_s=1.0, grace_s=5.0), **limits)
        service = Service(SERVED, lambda served: pipeline, folder, chosen, token, hosts)
        service.start()
        services.append(service)
        return service

    yield make
    pipeline.go.set()
    for service in services:
        assert service.worker.close(10)
        assert not list(service.folder.iterdir())


@contextmanager
def serving(service: Any) -> Iterator[tuple[Any, str]]:
    """Run a server on a free port in a thread of its own; yield it and its address."""
    from tasks.serving.server import Server, bind, url_of

    class Quiet(Server):
        @contextmanager
        def capture_signals(self) -> Iterator[None]:
            yield

    with bind("127.0.0.1", 0) as listener:
        server = Quiet(service)
        loop = asyncio.new_event_loop()
        server.loop = loop  # type: ignore[attr-defined]
        thread = threading.Thread(
            target=loop.run_until_complete, args=(server.serve(sockets=[listener]),)
        )
        thread.start()
        try:
            yield server, url_of(listener)
        finally:
            if thread.is_alive():
                loop.call_soon_threadsafe(server._stop, 15)
            thread.join(20)
            assert not thread.is_alive()
            loop.close()


@pytest.fixture
def serve() -> Callable[[Any], Any]:
    return serving
