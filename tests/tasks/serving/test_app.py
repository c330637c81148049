"""What a client is told, status by status, and in which form a transcript comes."""

import io
import json
import logging

import pytest

pytest.importorskip("fastapi")
import srt
import webvtt
from starlette.testclient import TestClient

from tasks.avsr.outputs.transcript import Segment
from tasks.serving.app import build_app

URL = "/v1/audio/transcriptions"


@pytest.fixture
def client(make_service):
    """Open a client of a new service; arguments are the service's."""

    def build(**options):
        service = make_service(**options)
        return TestClient(build_app(service), base_url="http://localhost"), service

    return build


def ask(client, content, name="a.wav", **fields):
    fields = {"model": "a", **fields}
    return client.post(URL, data=fields, files={"file": (name, content)})


def refused(answer, status, param=None, code=None):
    """Check an answer's status and the form of its error; return its message."""
    assert answer.status_code == status, answer.text
    error = answer.json()["error"]
    assert set(error) == {"message", "type", "param", "code"}
    assert error["param"] == param and (code is None or error["code"] == code)
    return error["message"]


def test_a_file_is_transcribed_as_json_by_default(client, make_sound):
    answer = ask(client()[0], make_sound(3))
    told = {"text": "one two three", "usage": {"type": "duration", "seconds": 3}}
    assert answer.status_code == 200 and answer.json() == told


def test_plain_text_and_subtitles_are_what_their_readers_expect(client, make_sound):
    here, _ = client()
    text = ask(here, make_sound(2), response_format="text")
    assert text.text == "one two\n" and text.headers["content-type"].startswith("text/plain")
    cues = list(srt.parse(ask(here, make_sound(2), response_format="srt").text))
    assert " ".join(cue.content for cue in cues).split() == ["one", "two"]
    captions = webvtt.from_buffer(io.StringIO(ask(here, make_sound(2), response_format="vtt").text))
    assert " ".join(caption.text for caption in captions).split() == ["one", "two"]


def test_the_long_form_lists_segments_or_words_or_both(client, make_sound):
    here, _ = client()
    marks = "timestamp_granularities[]"
    told = ask(here, make_sound(2), response_format="verbose_json").json()
    assert told["language"] == "english" and told["duration"] == 2.0 and "words" not in told
    assert [(s["id"], s["start"], s["end"], s["text"]) for s in told["segments"]] == [
        (0, 0, 1, "one"),
        (1, 1, 2, "two"),
    ]
    words = {"response_format": "verbose_json", marks: "word"}
    told = ask(here, make_sound(2), **words).json()
    assert told["words"][1] == {"word": "two", "start": 1, "end": 1.5} and "segments" not in told
    told = ask(here, make_sound(2), **{**words, marks: ["word", "segment"]}).json()
    assert len(told["words"]) == len(told["segments"]) == 2


def test_words_are_aligned_where_the_answer_needs_them(client, make_sound, pipeline):
    here, _ = client()
    for form in ("json", "text", "srt", "vtt", "verbose_json"):
        ask(here, make_sound(1), response_format=form)
    assert [options.words for options in pipeline.heard] == [False, False, True, True, False]
    assert not any(options.video for options in pipeline.heard)
    ask(here, make_sound(1), model="a+s", language="de")
    assert pipeline.heard[-1].video and pipeline.heard[-1].language == "de"


def test_a_stream_sends_segments_and_then_all(client, make_sound):
    answer = ask(client()[0], make_sound(3), stream="true")
    assert answer.headers["content-type"].startswith("text/event-stream")
    events = [json.loads(line.removeprefix("data: ")) for line in answer.text.split("\n\n") if line]
    assert [event["type"] for event in events] == ["transcript.text.delta"] * 3 + [
        "transcript.text.done"
    ]
    assert "".join(event["delta"] for event in events[:-1]) == events[-1]["text"] == "one two three"


@pytest.mark.parametrize(
    ("fields", "status", "param", "said"),
    [
        ({"model": "b"}, 404, "model", "'b' does not exist"),
        ({"model": "/etc/passwd"}, 404, "model", "does not exist"),
        ({"model": "a+t"}, 404, "model", "does not exist"),
        ({"model": ""}, 400, "model", "must provide a model"),
        ({"response_format": "docx"}, 400, "response_format", "json, text, srt"),
        ({"response_format": "srt", "stream": "true"}, 400, "response_format", "json or text"),
        ({"stream": "maybe"}, 400, "stream", "true or false"),
        ({"temperature": "0.4"}, 400, "temperature", "'0.4'"),
        ({"temperature": "hot"}, 400, "temperature", "'hot'"),
        ({"prompt": "mcgurk"}, 400, "prompt", "not supported"),
        ({"include[]": "logprobs"}, 400, "include", "log-prob"),
        ({"timestamp_granularities[]": "word"}, 400, "timestamp_granularities", "verbose_json"),
        (
            {"response_format": "verbose_json", "timestamp_granularities[]": "letter"},
            *(400, "timestamp_granularities", "'letter'"),
        ),
        ({"chunking_strategy": "server_vad"}, 400, "chunking_strategy", "'auto'"),
        ({"langauge": "de"}, 400, "langauge", "Unrecognized"),
        ({"language": "xx"}, 400, "language", "No language is called 'xx'"),
        ({"language": ["de", "en"]}, 400, "language", "one value"),
    ],
)
def test_a_field_that_cannot_be_is_refused_by_its_name(
    client, make_sound, fields, status, param, said
):
    assert said in refused(ask(client()[0], make_sound(1), **fields), status, param)


@pytest.mark.parametrize(
    "fields",
    [
        {"model": "whisper-1"},
        {"temperature": "0.0", "prompt": "", "language": "", "stream": "False"},
        {"chunking_strategy": "auto", "response_format": ""},
    ],
)
def test_what_asks_for_nothing_special_is_accepted(client, make_sound, fields):
    assert ask(client()[0], make_sound(1), **fields).json()["text"] == "one"


def test_files_that_are_none_are_refused(client, make_sound, demo_clip):
    here, _ = client(upload_bytes=50_000, duration_s=20)
    missing = here.post(URL, files={"model": (None, "a")})
    assert "must provide a file" in refused(missing, 400, "file")
    assert "as a file" in refused(here.post(URL, files={"file": (None, "x")}), 400, "file")
    assert "empty" in refused(ask(here, b""), 400, "file")
    assert "unsupported" in refused(ask(here, b"no sound at all" * 99), 400, "file")
    assert "limit (50000 bytes)" in refused(ask(here, bytes(50_001)), 413, "file")
    assert "20 seconds" in refused(ask(here, make_sound(22)), 400, "file")
    two = [("file", ("a", b"x")), ("file", ("b", b"y"))]
    assert "one file" in refused(here.post(URL, data={"model": "a"}, files=two), 400, "file")
    other = [("sound", ("a", b"x"))]
    refused(here.post(URL, data={"model": "a"}, files=other), 400, "file")


def test_a_body_far_over_the_limit_is_refused_by_its_head(client):
    here, service = client(upload_bytes=10)
    headers = {"content-length": str(10**9), "content-type": "multipart/form-data; boundary=x"}
    refused(here.post(URL, content=b"x", headers=headers), 413, "file")
    assert service.uploading == 0


@pytest.mark.parametrize(
    "name", ["../../etc/passwd", "/etc/passwd", "a\x00b.wav", "%2e%2e/x", "", "ä" * 300]
)
def test_the_client_s_name_of_a_file_is_not_looked_at(client, make_sound, name):
    here, service = client()
    if name:
        assert ask(here, make_sound(1), name).json()["text"] == "one"
    body = b'--x\r\nContent-Disposition: form-data; name="file"; filename="' + name.encode()
    body += (
        b'"\r\n\r\n' + make_sound(1) + b'\r\n--x\r\nContent-Disposition: form-data; name="model"'
    )
    body += b"\r\n\r\na\r\n--x--\r\n"
    headers = {"content-type": "multipart/form-data; boundary=x"}
    assert here.post(URL, content=body, headers=headers).json()["text"] == "one"
    assert not list(service.folder.iterdir())


@pytest.mark.parametrize(
    ("kind", "body", "status"),
    [
        ("application/json", b"{}", 415),
        ("multipart/form-data", b"", 400),
        ("multipart/form-data; boundary=x", b"", 400),
        ("multipart/form-data; boundary=x", b"--y\r\n", 400),
        ("multipart/form-data; boundary=x", b"--x\r\nContent-Disposition: form-data; na", 400),
        ("multipart/form-data; boundary=x", b"--x\r\n" + b"A" * 9000 + b": b\r\n\r\n", 400),
        (
            "multipart/form-data; boundary=x",
            b'--x\r\nContent-Disposition: form-data; name="prompt"\r\n\r\n' + bytes(70_000),
            400,
        ),
        (
            "multipart/form-data; boundary=x",
            b'--x\r\nContent-Disposition: form-data; name="a"\r\n\r\nb\r\n' * 65 + b"--x--\r\n",
            400,
        ),
    ],
)
def test_a_body_that_is_no_form_is_refused(client, kind, body, status):
    here, _ = client()
    assert here.post(URL, content=body, headers={"content-type": kind}).status_code == status


def test_a_mistake_of_ours_tells_nothing_of_itself(client, make_sound, pipeline, caplog):
    caplog.set_level(logging.INFO, "mcgurk.serve")
    here, _ = client()
    pipeline.error = RuntimeError("the secret text")
    answer = ask(here, make_sound(1), "secret.wav", language="de")
    assert "secret" not in refused(answer, 500) + caplog.text
    assert "RuntimeError in" in caplog.text and "500" in caplog.text
    pipeline.error = None
    assert ask(here, make_sound(1)).status_code == 200


def test_an_error_about_the_file_is_told_without_its_path(client, make_sound, pipeline):
    here, service = client()
    path = service.folder / "upload-0"
    pipeline.error = ValueError(f"{path} ends in the middle. Copy it again.")
    said = refused(ask(here, make_sound(1)), 400, "file")
    assert said == "The file ends in the middle. Copy it again."
    pipeline.error = ValueError("a matrix of another shape")
    refused(ask(here, make_sound(1)), 500)


def test_a_stream_that_breaks_ends_with_an_error(client, make_sound, pipeline):
    def say_one_and_break(path, progress):
        yield Segment(0, 1, "one")
        raise RuntimeError("the secret text")

    here, _ = client()
    pipeline.stream = say_one_and_break
    answer = ask(here, make_sound(1), stream="true")
    *_, last = [line for line in answer.text.split("\n\n") if line]
    assert answer.status_code == 200 and '"one"' in answer.text
    assert json.loads(last.removeprefix("data: "))["error"]["type"] == "server_error"
    assert "secret" not in answer.text


def test_one_line_of_the_log_tells_of_a_request_and_not_what_was_in_it(client, make_sound, caplog):
    caplog.set_level(logging.INFO, "mcgurk.serve")
    here, _ = client()
    ask(here, make_sound(2), "my secret.wav")
    ask(here, make_sound(2), model="my secret")
    here.get("/my/secret?my=secret")
    lines = [record.getMessage() for record in caplog.records if record.name == "mcgurk.serve"]
    assert len(lines) == 3 and "secret" not in " ".join(lines)
    assert " POST /v1/audio/transcriptions 200 " in lines[0]
    assert "model=a format=json media=2.0s" in lines[0] and "one" not in lines[0]
    assert "404" in lines[1] and "model_not_found" in lines[1] and " GET other 404" in lines[2]


def test_models_are_listed_with_the_alias(client):
    here, _ = client()
    listed = here.get("/v1/models").json()
    assert [model["id"] for model in listed["data"]] == ["a", "a+s", "whisper-1"]
    assert here.get("/v1/models/a+s").json()["id"] == "a+s"
    assert here.get("/v1/models/a%2Bs").json()["id"] == "a+s"
    refused(here.get("/v1/models/b"), 404, "model", "model_not_found")


def test_addresses_that_are_none_are_refused_in_the_same_form(client):
    here, _ = client()
    refused(here.get("/v1/audio/translations"), 404, code="unknown_url")
    refused(here.get(URL), 405, code="method_not_allowed")
    refused(here.get("/docs"), 404)
    refused(here.get("/openapi.json"), 404)


def test_health_and_counts_are_told(client, make_sound):
    here, service = client()
    ask(here, make_sound(3))
    ask(here, b"")
    assert here.get("/healthz").json() == {"status": "ok"}
    lines = here.get("/metrics").text.splitlines()
    assert 'mcgurk_requests_total{route="/v1/audio/transcriptions",status="200"} 1' in lines
    assert 'mcgurk_requests_total{route="/v1/audio/transcriptions",status="400"} 1' in lines
    assert "mcgurk_media_seconds_total 3.000" in lines and "mcgurk_models_loaded 1" in lines
    service.closing = True
    assert here.get("/healthz").status_code == 503
    refused(ask(here, make_sound(1)), 503, code="server_stopping")


def test_a_token_is_asked_for_where_one_is_set(client, make_sound):
    here, _ = client(token="secret")
    refused(ask(here, make_sound(1)), 401, code="invalid_api_key")
    for wrong in ("Bearer secre", "Basic secret", "secret", "Bearer sécret".encode("latin-1")):
        refused(here.get("/v1/models", headers={"authorization": wrong}), 401)
    refused(here.get("/metrics"), 401)
    assert here.get("/healthz").status_code == 200
    here.headers["authorization"] = "Bearer secret"
    assert ask(here, make_sound(1)).status_code == 200


def test_pages_of_other_origins_and_hosts_are_not_answered(client):
    here, _ = client(hosts=frozenset({"localhost", "127.0.0.1", "::1"}))
    own = {"origin": "http://localhost:8000", "host": "localhost:8000"}
    assert here.get("/v1/models", headers=own).status_code == 200
    assert here.get("/v1/models", headers={"host": "[::1]:8000"}).status_code == 200
    for origin in ("http://evil.example", "null", "http://localhost:9000"):
        refused(here.get("/v1/models", headers={**own, "origin": origin}), 403)
    for host in ("evil.example:8000", "", "[::1", "localhost@evil.example"):
        refused(here.get("/v1/models", headers={"host": host}), 421)
