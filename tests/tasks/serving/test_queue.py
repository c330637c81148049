"""Many clients at once, slow ones, and ones that go: on a real port."""

import http.client
import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import urlsplit

import pytest

pytest.importorskip("fastapi")
pytest.importorskip("uvicorn")

URL = "/v1/audio/transcriptions"
KIND = {"content-type": "multipart/form-data; boundary=x"}


def form(sound: bytes, **fields: str) -> bytes:
    parts = [
        f'--x\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'
        for name, value in {"model": "a", **fields}.items()
    ]
    head = '--x\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n\r\n'
    return "".join([*parts, head]).encode() + sound + b"\r\n--x--\r\n"


def post(url: str, body: bytes) -> tuple[int, bytes]:
    place = urlsplit(url).netloc
    connection = http.client.HTTPConnection(place, timeout=30)
    connection.request("POST", URL, body, KIND)
    answer = connection.getresponse()
    return answer.status, answer.read()


def begin(url: str, body: bytes, length: int | None = None) -> socket.socket:
    """Send a request by hand, or its beginning."""
    place = urlsplit(url)
    line = socket.create_connection((place.hostname, place.port), timeout=30)
    head = f"POST {URL} HTTP/1.1\r\nHost: localhost\r\nContent-Type: {KIND['content-type']}\r\n"
    line.sendall(f"{head}Content-Length: {length or len(body)}\r\n\r\n".encode() + body)
    return line


def until(claim, within_s=10.0):
    end = time.monotonic() + within_s
    while not claim():
        assert time.monotonic() < end
        time.sleep(0.01)


def test_of_a_hundred_requests_at_once_some_wait_and_the_others_are_sent_away(
    make_service, serve, pipeline, make_sound
):
    service = make_service(queue=4, uploads=200)
    pipeline.go.clear()
    with serve(service) as (_, url), ThreadPoolExecutor(100) as pool:
        first = pool.submit(post, url, form(make_sound(2)))
        assert pipeline.begun.wait(10)
        others = [pool.submit(post, url, form(make_sound(2))) for _ in range(99)]
        until(lambda: sum(other.done() for other in others) == 95)
        pipeline.go.set()
        answers = [first.result(), *(other.result() for other in others)]
    said = [body for status, body in answers if status == 200]
    assert len(said) == 5 and all(b"one two" in body for body in said)
    assert sorted({status for status, _ in answers}) == [200, 429]
    assert all(b"rate_limit_exceeded" in body for status, body in answers if status == 429)


def test_a_client_that_hangs_up_frees_its_place(make_service, serve, pipeline, make_sound):
    service = make_service(queue=1)
    pipeline.go.clear()
    with serve(service) as (_, url), ThreadPoolExecutor(1) as pool:
        working = begin(url, form(make_sound(2)))
        assert pipeline.begun.wait(10)
        waiting = begin(url, form(make_sound(2)))
        until(lambda: service.worker.is_full)
        assert post(url, form(make_sound(2)))[0] == 429
        waiting.close()
        until(lambda: not service.worker.is_full)
        after = pool.submit(post, url, form(make_sound(3)))
        until(lambda: service.worker.is_full)
        working.close()  # and with it goes the work
        until(lambda: not service.worker.waiting)
        pipeline.go.set()
        assert after.result()[0] == 200
        until(lambda: service.metrics.requests[URL, 499] == 2)
        until(lambda: not list(service.folder.iterdir()))


def test_a_client_that_hangs_up_in_its_upload_leaves_nothing(make_service, serve, make_sound):
    service = make_service()
    with serve(service) as (_, url):
        line = begin(url, form(make_sound(2))[:1000], 5000)
        until(lambda: service.uploading == 1 and list(service.folder.iterdir()))
        line.close()
        until(lambda: service.uploading == 0 and not list(service.folder.iterdir()))


@pytest.mark.parametrize("pause_s", [0.1, None], ids=["a byte now and then", "nothing more"])
def test_an_upload_that_does_not_come_on_is_ended(make_service, serve, make_sound, pause_s):
    service = make_service(patience_s=0.5)
    with serve(service) as (_, url):
        line = begin(url, form(make_sound(2))[:100], 5000)
        answer = threading.Event()

        def trickle():
            while pause_s and not answer.wait(pause_s):
                line.sendall(b"x")

        sender = threading.Thread(target=trickle)
        sender.start()
        begun_s = time.monotonic()
        told = line.recv(1000)
        answer.set()
        sender.join()
        assert told.startswith(b"HTTP/1.1 408 ") and time.monotonic() - begun_s < 5
        until(lambda: service.uploading == 0)
        line.close()
        assert post(url, form(make_sound(1)))[0] == 200


def test_connections_that_send_no_request_are_closed(make_service, serve, make_sound):
    service = make_service(patience_s=0.3, connections=3)
    with serve(service) as (server, url):
        place = urlsplit(url)
        lines = [socket.create_connection((place.hostname, place.port)) for _ in range(2)]
        lines[0].sendall(b"POST /v1/audio")
        assert post(url, form(make_sound(1)))[0] == 200
        for line in lines:
            line.settimeout(5)
            assert closed(line)
        until(lambda: not server.server_state.connections)
        crowd = [socket.create_connection((place.hostname, place.port)) for _ in range(5)]
        for line in crowd[3:]:
            line.settimeout(0.25)
            assert closed(line)


def closed(line: socket.socket) -> bool:
    try:
        return line.recv(100) == b""
    except ConnectionResetError:
        return True


def test_a_request_that_takes_too_long_is_told_so(make_service, serve, pipeline, make_sound):
    service = make_service(request_s=0.5)
    pipeline.go.clear()
    with serve(service) as (_, url), ThreadPoolExecutor(2) as pool:
        first = pool.submit(post, url, form(make_sound(2)))
        assert pipeline.begun.wait(10)
        second = pool.submit(post, url, form(make_sound(2)))
        assert first.result()[0] == 504
        assert second.result()[0] in (503, 504)  # waited, or had just begun
        pipeline.go.set()
        assert post(url, form(make_sound(1)))[0] == 200


def test_a_file_longer_than_it_says_is_refused_on_the_way(
    make_service, serve, make_sound, monkeypatch
):
    service = make_service(duration_s=3)
    monkeypatch.setattr("tasks.serving.transcriptions.check_media", lambda path, longest_s: 1.0)
    with serve(service) as (_, url):
        status, told = post(url, form(make_sound(9)))
        assert status == 400 and b"longer than 3 seconds" in told


def test_bad_uploads_do_not_disturb_good_ones(make_service, serve, make_sound):
    service = make_service(queue=50, uploads=50)
    bad = [b"", b"no form", form(b""), form(b"noise" * 500), form(make_sound(1), model="b")]
    with serve(service) as (_, url), ThreadPoolExecutor(20) as pool:
        good = [pool.submit(post, url, form(make_sound(3))) for _ in range(10)]
        wrong = [pool.submit(post, url, body) for body in bad * 3]
        assert [one.result()[0] for one in good] == [200] * 10
        assert {one.result()[0] for one in wrong} == {400, 404}


def test_what_is_at_work_is_finished_before_the_end(make_service, serve, pipeline, make_sound):
    service = make_service()
    pipeline.go.clear()
    with serve(service) as (server, url), ThreadPoolExecutor(2) as pool:
        asked = [pool.submit(post, url, form(make_sound(2))) for _ in range(2)]
        until(lambda: service.worker.working and service.worker.waiting)
        server.loop.call_soon_threadsafe(server._stop, 15)
        until(lambda: service.closing)
        time.sleep(0.3)
        with pytest.raises(OSError):
            post(url, form(make_sound(1)))
        pipeline.go.set()
        assert [one.result()[0] for one in asked] == [200, 200]


def test_what_is_not_finished_in_time_is_told_so(make_service, serve, pipeline, make_sound):
    service = make_service(grace_s=0.5)
    pipeline.go.clear()
    with serve(service) as (server, url), ThreadPoolExecutor(2) as pool:
        asked = [pool.submit(post, url, form(make_sound(2))) for _ in range(2)]
        until(lambda: service.worker.working and service.worker.waiting)
        half = begin(url, form(make_sound(2))[:1000], 5000)
        until(lambda: service.uploading == 1)
        server.loop.call_soon_threadsafe(server._stop, 15)
        assert [one.result()[0] for one in asked] == [503, 503]
        assert half.recv(1000).startswith(b"HTTP/1.1 503 ")
