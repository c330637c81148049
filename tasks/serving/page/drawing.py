"""Videos with boxes and subtitles, drawn one after the other while visitors watch how far it is."""

import asyncio
import threading
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from pathlib import Path
from time import monotonic

from tasks.avsr.outputs.transcript import Transcript
from tasks.serving.page.markup import describe_pace, write_progress
from tasks.serving.page.shelf import Shelf
from tasks.serving.refusals import refuse_crowd, refuse_end, refuse_file, refuse_late
from tasks.serving.service import Service
from tasks.serving.worker import Stopped

TICK_S = 0.5


class Drawer:
    """Draws videos, one at a time, as decoding and encoding is work, too.

    Args:
        service: Its limits hold here.
        shelf: Where files lie.

    Attributes:
        to_draw: How many are drawn or wait for it.
    """

    def __init__(self, service: Service, shelf: Shelf):
        self.service, self.shelf, self.to_draw = service, shelf, 0
        self.turn = asyncio.Semaphore(1)

    async def draw(
        self, source: Path, transcript: Transcript, target: Path, late_s: float
    ) -> AsyncGenerator[str, None]:
        """Draw a video when it is its turn; yield how far it is, in HTML.

        Args:
            source: The file that was transcribed.
            transcript: Its result, with tracks.
            target: The .mp4 to write.
            late_s: When it has to be done, on the clock `monotonic`.

        Raises:
            Refusal: Too many wait, or it takes too long, or becomes too large.
            ValueError: It cannot be drawn.
            OSError: It cannot be written.
        """
        told = "Drawing the video with boxes and subtitles"
        if self.to_draw >= self.service.limits.queue:
            raise refuse_crowd()
        self.to_draw += 1
        try:
            yield write_progress(told)
            while self.turn.locked():
                yield write_progress("Waiting until another video is drawn")
                await asyncio.sleep(TICK_S)
                self._check(target, late_s)
            async with self.turn:
                drawing = _Drawing(lambda: self._check(target, late_s))
                work = asyncio.to_thread(drawing.run, source, transcript, target)
                async with aclosing(self._watch(asyncio.create_task(work), drawing)) as steps:
                    async for taken_s in steps:
                        self.shelf.use(source)
                        self.shelf.use(target)
                        pace = describe_pace(drawing.done_s, transcript.duration_s, taken_s)
                        yield write_progress(told, *pace)
        finally:
            self.to_draw -= 1

    async def _watch(
        self, task: "asyncio.Task[None]", drawing: "_Drawing"
    ) -> AsyncGenerator[float, None]:
        """Yield the seconds that a drawing takes so far; closing it ends the drawing."""
        start_s = monotonic()
        try:
            while not task.done():
                await asyncio.wait({task}, timeout=TICK_S)
                yield monotonic() - start_s
            await task
        finally:
            drawing.stopped.set()

    def _check(self, target: Path, late_s: float) -> None:
        if self.service.over:
            raise refuse_end()
        if monotonic() > late_s:
            raise refuse_late(started=True)
        if self.shelf.size(target.parent) > self.service.limits.upload_bytes:
            raise refuse_file("The drawn video would be larger than a file may be.")
        if self.shelf.size(self.shelf.folder) > self.shelf.most_bytes:
            raise refuse_file("The server holds as many files as it may.")


class _Drawing:
    """A video that is being drawn in a thread.

    Args:
        check: Called a few times a second; what it raises ends the drawing.
    """

    def __init__(self, check: Callable[[], None]):
        self.check, self.stopped = check, threading.Event()
        self.done_s, self.next_s = 0.0, 0.0

    def run(self, source: Path, transcript: Transcript, target: Path) -> None:
        from tasks.avsr.outputs.preview import write_preview

        write_preview(source, transcript, target, self._watch)

    def _watch(self, done_s: float, _: float | None) -> None:
        self.done_s = done_s
        if self.stopped.is_set():
            raise Stopped
        if monotonic() > self.next_s:
            self.next_s = monotonic() + TICK_S
            self.check()
