"""A file of the page on its way through the queue that all requests share."""

import asyncio
import re
from dataclasses import replace

import pytest

pytest.importorskip("fastapi")

from tasks.serving.page.shelf import Shelf
from tasks.serving.page.visit import Visits, Wish


@pytest.fixture
def visits(make_service):
    """Build visits to a service with limits; its shelf is cleared at the end."""
    made = []

    def build(**limits):
        service = make_service(**limits)
        made.append(Visits(service, Shelf(service.folder / "page", 10_000_000)))
        return made[-1]

    yield build
    for one in made:
        one.shelf.clear()


def wish(visits, content, model="a", name="my clip.wav"):
    path = visits.shelf.add() / "upload"
    path.write_bytes(content)
    return Wish(visits.shelf.place(path), name, model, "127.0.0.1")


async def collect(visits, one):
    return [shown async for shown in visits.run(one)]


def text(html):
    return re.sub(r"<[^>]+>", " ", html)


def test_a_sound_becomes_a_player_a_table_and_files(visits, make_sound):
    here = visits()
    one = wish(here, make_sound(3))
    *_, last = asyncio.run(collect(here, one))
    assert last.ended and "Done: 3.0 s of media" in text(last.status)
    assert last.player.startswith('<audio id="mcgurk-player" controls')
    assert f"files/{one.place}" in last.player
    assert re.findall(r'data-start="(\S+?)" data-end', last.result) == ["0.000", "1.000", "2.000"]
    assert "Everything was left to plain Whisper. This model has no adapter sets." in " ".join(
        text(last.result).split()
    )
    links = dict(re.findall(r'href="files/(\S+)" download="my clip(\.\w+)"', last.downloads))
    assert sorted(links.values()) == [".json", ".srt", ".txt", ".vtt"]
    said = {suffix: here.shelf.find(place).read_text() for place, suffix in links.items()}
    assert said[".txt"] == "one\ntwo\nthree\n" and "00:00:02,000 --> " in said[".srt"]
    assert here.service.metrics.requests["/page/transcriptions", 200] == 1


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"place": ""}, "Choose a file first"),
        ({"place": "0" * 32 + "/upload"}, "not here any more"),
        ({"content": b""}, "The file is empty"),
        ({"content": b"no media"}, "might be corrupted"),
        ({"model": "b"}, "does not exist here"),
    ],
)
def test_a_mistake_is_one_sentence_and_the_next_file_is_taken(visits, make_sound, change, told):
    here = visits()
    one = wish(here, change.get("content", make_sound(1)), change.get("model", "a"))
    one = Wish(change.get("place", one.place), one.name, one.model, one.client)
    *_, last = asyncio.run(collect(here, one))
    assert last.ended and 'role="alert"' in last.status and told in text(last.status)
    assert "Traceback" not in last.status and str(here.service.folder) not in last.status
    *_, last = asyncio.run(collect(here, wish(here, make_sound(1))))
    assert "Done" in last.status


def test_a_file_that_is_too_long_and_a_mistake_of_ours_are_told(visits, make_sound, pipeline):
    here = visits(duration_s=2.0)
    *_, last = asyncio.run(collect(here, wish(here, make_sound(9))))
    assert "longer than 2 seconds" in last.status
    pipeline.error = RuntimeError("secret")
    *_, last = asyncio.run(collect(here, wish(here, make_sound(1))))
    assert "The server had an error" in last.status and "secret" not in last.status


def test_progress_is_told_and_whoever_leaves_ends_the_work(visits, make_sound, pipeline):
    here = visits()
    pipeline.go.clear()

    async def leave():
        seen = []
        running = here.run(wish(here, make_sound(5)))
        async for shown in running:
            seen.append(text(shown.status))
            if "0:00 of 0:05" in seen[-1]:
                break
        await running.aclose()
        return seen

    seen = asyncio.run(leave())
    assert seen[0].strip() == "Reading the file"
    pipeline.go.set()
    assert here.service.metrics.requests["/page/transcriptions", 499] == 1
    *_, last = asyncio.run(collect(here, wish(here, make_sound(1))))
    assert "Done: 1.0 s" in last.status


def test_a_full_queue_is_told_and_visitors_at_once_get_their_own(visits, make_sound, pipeline):
    here = visits(queue=2)
    pipeline.go.clear()

    async def come():
        wishes = [wish(here, make_sound(length)) for length in (1, 2, 3)]
        tasks = []
        for number, one in enumerate(wishes):
            tasks.append(asyncio.create_task(collect(here, one)))
            for _ in range(6000):  # a minute
                gauges = here.service.gauges()
                if gauges["requests_working"][1] and gauges["requests_waiting"][1] == number:
                    break
                await asyncio.sleep(0.01)
            else:
                raise AssertionError("a request was not taken up")
        refused = await collect(here, wish(here, make_sound(4)))
        pipeline.go.set()
        return refused, await asyncio.gather(*tasks), wishes

    refused, shown, wishes = asyncio.run(come())
    assert "Too many requests are waiting" in refused[-1].status
    for length, (one, steps) in enumerate(zip(wishes, shown, strict=True), 1):
        assert steps[-1].result.count("<tr data-start") == length
        assert one.place in steps[-1].player
        others = [other.place for other in wishes if other is not one]
        assert not any(place in str(steps) for place in others)


def test_a_server_that_ends_says_so(visits, make_sound, pipeline):
    here = visits()
    pipeline.go.clear()

    async def end():
        task = asyncio.create_task(collect(here, wish(here, make_sound(2))))
        await asyncio.sleep(0.2)
        here.service.end()
        return await task

    assert "being stopped" in asyncio.run(end())[-1].status
    pipeline.go.set()


def test_a_video_is_drawn_or_it_is_said_why_not(visits, demo_clip):
    here = visits()
    told = transcript_of_clip()
    path = here.shelf.find(wish(here, demo_clip.read_bytes()).place)

    async def show(late_s=1e9):
        mine = Wish(here.shelf.place(path), "my clip.mp4", "a", "")
        return [one async for one in here._show(path, told, mine, True, late_s)][-1]

    drawn = asyncio.run(show())
    place = re.findall(r'href="files/(\S+)" download="my clip.preview.mp4"', drawn.downloads)[0]
    assert f"files/{place}" in drawn.player and here.shelf.find(place).stat().st_size > 10_000
    late = asyncio.run(show(late_s=0.0))
    assert "files/" + here.shelf.place(path) in late.player and "preview" not in late.downloads
    assert "without boxes and subtitles. The work took longer" in late.player
    here.drawer.to_draw = here.service.limits.queue
    assert "Too many requests are waiting" in asyncio.run(show()).player


def transcript_of_clip():
    from tasks.avsr.outputs.transcript import Segment, Transcript

    return Transcript("one", 8.7, "tiny", False, "", (Segment(0.5, 8.0, "one"),), ())


def test_cancelling_ends_what_this_visitor_waits_for_alone(visits, make_sound, pipeline):
    here = visits()
    pipeline.go.clear()

    async def cancel():
        wishes = [replace(wish(here, make_sound(2)), session=name) for name in ("one", "two")]
        tasks = [asyncio.create_task(collect(here, one)) for one in wishes]
        await asyncio.sleep(0.3)
        here.cancel("one")
        here.cancel("nobody")
        first = await tasks[0]
        pipeline.go.set()
        return first[-1], (await tasks[1])[-1]

    first, second = asyncio.run(cancel())
    assert first.ended and "Cancelled." in first.status and not first.result
    assert "Done: 2.0 s" in second.status and not here.running
