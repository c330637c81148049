"""A file of the page on its way: through the queue to a transcript, then to a drawn video."""

import asyncio
import logging
import threading
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePath
from time import monotonic
from typing import Any

from tasks.avsr.outputs.transcript import Transcript
from tasks.serving.asked import SRT, Asked
from tasks.serving.gate import HUNG_UP, PAGE, Record, note, place_of
from tasks.serving.media_check import check_media
from tasks.serving.page.drawing import TICK_S, Drawer
from tasks.serving.page.markup import (
    describe_pace,
    write_downloads,
    write_failure,
    write_note,
    write_player,
    write_progress,
)
from tasks.serving.page.shelf import Shelf
from tasks.serving.page.time_line import write_time_line
from tasks.serving.page.transcript_table import explain, write_explanation, write_table
from tasks.serving.recognition import Progressed, Result
from tasks.serving.refusals import (
    Refusal,
    refuse_end,
    refuse_file,
    refuse_late,
    refuse_model,
    tell_failure,
)
from tasks.serving.served_models import find_served
from tasks.serving.service import Service
from tasks.serving.worker import Failed, Job, Stopped

log = logging.getLogger("mcgurk.serve")
SILENT_S = 2.0  # who has left is only noticed when there is something to tell
WRITTEN = {
    ".srt": "Subtitles (.srt)",
    ".vtt": "Subtitles (.vtt)",
    ".txt": "Text (.txt)",
    ".json": "All of it (.json)",
}
DRAWN, DRAWN_NAME = "preview.mp4", "Video with boxes and subtitles (.mp4)"


@dataclass(frozen=True)
class Wish:
    """What a visitor wants.

    Attributes:
        place: Where the file lies on the shelf, "" where none was chosen.
        name: What the visitor calls it; downloads are named after it.
        model: Name of a served model.
        client: Address that the visitor comes from.
        session: What tells visitors apart.
        cancelled: Whether it is not wanted any more.
    """

    place: str
    name: str
    model: str
    client: str
    session: str = ""
    cancelled: threading.Event = field(default_factory=threading.Event)


@dataclass(frozen=True)
class Shown:
    """What the page shows, in HTML.

    Attributes:
        status: What is being done, or how it ended.
        player: What plays.
        result: By what it was recognised, and what was said.
        downloads: Files to take along.
        ended: Whether nothing more comes.
    """

    status: str = ""
    player: str = ""
    result: str = ""
    downloads: str = ""
    ended: bool = False


class Visits:
    """Works on what visitors want, by the queue that all requests share.

    Args:
        service: Queue, models and limits.
        shelf: Where files lie.
    """

    def __init__(self, service: Service, shelf: Shelf):
        self.service, self.shelf = service, shelf
        self.drawer = Drawer(service, shelf)
        self.running: dict[str, Wish] = {}

    def cancel(self, session: str) -> None:
        """Have what a visitor waits for end at the next tick."""
        if session in self.running:
            self.running[session].cancelled.set()

    async def run(self, wish: Wish) -> AsyncGenerator[Shown, None]:
        """Yield what the page shows, from the first step to the last; closing it ends the work."""
        record = Record("POST", f"{PAGE}/transcriptions", wish.client, format="page")
        shown = Shown()
        self.running[wish.session] = wish
        try:
            async with aclosing(self._work(wish, record)) as steps:
                async for shown in steps:
                    yield shown
            record.status = 200
        except Refusal as error:
            record.status, record.code = error.status, error.code or ""
            yield replace(shown, status=write_failure(error.message), ended=True)
        except Stopped:
            record.status = HUNG_UP
            yield replace(shown, status=write_note("Cancelled."), ended=True)
        except (asyncio.CancelledError, GeneratorExit):
            record.status = HUNG_UP
            raise
        except Exception as error:  # whatever it is, the page says so
            log.error("%s", place_of(error))
            record.status = 500
            yield replace(shown, status=write_failure(tell_failure().message), ended=True)
        finally:
            if self.running.get(wish.session) is wish:
                del self.running[wish.session]
            note(self.service, record)

    async def _work(self, wish: Wish, record: Record) -> AsyncGenerator[Shown, None]:
        path = self._find(wish)
        model = find_served(self.service.served, wish.model)
        if model is None:
            raise refuse_model(wish.model)
        record.model, start_s = model.name, monotonic()
        late_s = start_s + self.service.limits.request_s
        yield Shown(write_progress("Reading the file"))
        job, events = await self._submit(path, Asked(model, SRT, faces=True), record)
        result: Any = None
        try:
            async with aclosing(self._follow(job, events, wish, late_s)) as told:
                async for result in told:
                    if isinstance(result, str):
                        yield Shown(result)
        finally:
            self.service.worker.drop(job)
        assert isinstance(result, Result)  # what `_follow` ends with
        transcript = result.transcript
        record.media_s = transcript.duration_s
        sets, shown = model.sets is not None, Shown()
        async with aclosing(self._show(path, transcript, wish, sets, late_s)) as steps:
            async for shown in steps:
                yield shown
        took = f"{transcript.duration_s:.1f} s of media in {monotonic() - start_s:.1f} s"
        yield replace(shown, status=write_note(f"Done: {took}."), ended=True)

    def _find(self, wish: Wish) -> Path:
        if not wish.place:
            raise refuse_file("Choose a file first, or record something.", "missing_parameter")
        path = self.shelf.find(wish.place)
        if path is None:
            raise refuse_file("The file is not here any more. Choose it again.")
        if not path.stat().st_size:
            raise refuse_file("The file is empty. Choose a sound or video file.")
        return path

    async def _submit(
        self, path: Path, asked: Asked, record: Record
    ) -> "tuple[Job, asyncio.Queue[Any]]":
        self.service.check_room()
        with self.service.upload():
            longest_s = self.service.limits.duration_s
            record.media_s = await asyncio.to_thread(check_media, path, longest_s)
            job, events = self.service.submit(asked, path)
        record.job = job
        return job, events

    async def _follow(
        self, job: Job, events: "asyncio.Queue[Any]", wish: Wish, late_s: float
    ) -> AsyncGenerator[Any, None]:
        """Yield what is to be told while a job is waited for, then its result."""
        told, told_s, progress, since_s = "", 0.0, None, 0.0
        while True:
            event = None
            try:
                event = await asyncio.wait_for(events.get(), TICK_S)
            except TimeoutError:
                pass
            if isinstance(event, Progressed):
                since_s = since_s if progress else monotonic()  # before, the model was loaded
                progress = event
            elif isinstance(event, Failed):
                raise event.error
            elif event is not None:
                yield event
                return
            if wish.cancelled.is_set():
                raise Stopped
            if self.service.over:
                raise refuse_end()
            if monotonic() > late_s:
                raise refuse_late(job.started_s is not None)
            self.shelf.find(wish.place)  # which counts as a use
            now = self._describe(job, progress, monotonic() - since_s)
            if now != told or monotonic() > told_s + SILENT_S:
                told, told_s = now, monotonic()
                yield now

    def _describe(self, job: Job, progress: Progressed | None, taken_s: float) -> str:
        if job.started_s is None:
            waiting = int(self.service.gauges()["requests_waiting"][1])
            others = max(0, waiting - 1)
            return write_progress(
                "Waiting for the model", detail=f"{others} more wait" if others else ""
            )
        if progress is None:
            return write_progress("Loading the model, and reading")
        done = describe_pace(progress.done_s, progress.length_s, taken_s)
        if done[0] == 1:  # the last half minute is decoded when all of it is read
            return write_progress("Transcribing what was read last")
        return write_progress("Reading, looking for faces and transcribing", *done)

    async def _show(
        self, path: Path, transcript: Transcript, wish: Wish, sets: bool, late_s: float
    ) -> AsyncGenerator[Shown, None]:
        """Yield the transcript, then the same with the drawn video."""
        folder = self.shelf.add()
        name = PurePath(wish.name).stem or "transcript"
        files = await asyncio.to_thread(self._write, folder, transcript)
        result = write_explanation(explain(transcript, sets))
        result += write_time_line(transcript) + write_table(transcript)
        has_video = await asyncio.to_thread(_has_video, path)
        kind = "video" if has_video else "audio"
        source = self.shelf.place(path)
        shown = Shown(
            "", write_player(source, kind), result, write_downloads(files, name), ended=False
        )
        if not has_video:
            yield shown
            return
        yield replace(shown, status=write_progress("Drawing the video"))
        note = ""
        try:
            async with aclosing(
                self.drawer.draw(path, transcript, folder / DRAWN, late_s)
            ) as steps:
                async for told in steps:
                    yield replace(shown, status=told)
                    if wish.cancelled.is_set():
                        raise Stopped
            source = files[DRAWN_NAME] = self.shelf.place(folder / DRAWN)
        except Refusal as error:
            note = f"This is the file itself, without boxes and subtitles. {error.message}"
        except (ValueError, OSError) as error:
            log.error("%s", place_of(error))
            note = "This is the file itself: boxes and subtitles could not be drawn."
        shown = replace(
            shown,
            player=write_player(source, kind, note),
            downloads=write_downloads(files, name),
        )
        yield shown

    def _write(self, folder: Path, transcript: Transcript) -> dict[str, str]:
        files = {}
        for suffix, label in WRITTEN.items():
            path = folder / f"transcript{suffix}"
            transcript.save(path)
            files[label] = self.shelf.place(path)
        return files


def _has_video(path: Path) -> bool:
    from data_prep.media import probe

    return probe(path, measure=False).video is not None
