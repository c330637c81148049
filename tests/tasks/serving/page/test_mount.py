"""The page beside the API: who may open it, what it loads, and what it takes."""

import json
import re
import subprocess
import sys

import pytest

pytest.importorskip("fastapi")
pytest.importorskip("gradio")
from starlette.testclient import TestClient

from tasks.serving.app import build_app

PAGE = "/page/"
UPLOAD = "/page/gradio_api/upload"
JOIN = "/page/gradio_api/queue/join"
META = {"_type": "gradio.FileData"}  # what has gradio's server open a path, or fetch it


@pytest.fixture
def client(make_service):
    """Open a client of a new service with a page; arguments are the service's."""
    opened = []

    def build(**options):
        service = make_service(**options)
        here = TestClient(build_app(service, page=True), base_url="http://localhost:8000")
        opened.append(here.__enter__())
        return here, service

    yield build
    for here in opened:
        here.__exit__(None, None, None)


def upload(here, content, name="clip.wav", part="files"):
    return here.post(UPLOAD, files={part: (name, content)})


def events(here, data, session="visitor", **more):
    """Press the button as gradio's page does; return what the server sends."""
    body = {"data": data, "fn_index": find_button(here), "session_hash": session} | more
    joined = here.post(JOIN, json=body)
    assert joined.status_code == 200, joined.text
    told = here.get("/page/gradio_api/queue/data", params={"session_hash": session}).text
    return [json.loads(line[6:]) for line in told.splitlines() if line.startswith("data: ")]


def find_button(here):
    config = here.get("/page/config").json()
    button = next(c["id"] for c in config["components"] if c["props"].get("value") == "Transcribe")
    return next(d["id"] for d in config["dependencies"] if [button, "click"] in d["targets"])


def test_the_page_names_no_other_host_and_may_load_from_none(client):
    here, _ = client()
    page = here.get(PAGE)
    told = page.text + here.get("/page/theme.css").text
    hosts = set(re.findall(r"https?://([^/\"'\s]+)", told))
    assert page.status_code == 200 and "@import" not in told
    assert hosts <= {"localhost:8000", "www.w3.org"}  # the latter names what SVG is
    rules = page.headers["content-security-policy"]
    assert "default-src 'self'" in rules and "http" not in rules
    config = here.get("/page/config").json()
    assert not config["analytics_enabled"] and not config["run_history"]
    assert here.get("/", follow_redirects=False).headers["location"] == "./page/"


def test_addresses_that_the_page_does_not_need_are_none(client):
    here, _ = client()
    for path in (
        *("gradio_api/file=/etc/passwd", "gradio_api/file=http://localhost:1/", "files/../app.py"),
        *("gradio_api/proxy=http://localhost:1/", "gradio_api/runs", "gradio_api/deep_link"),
        *("monitoring", "gradio_api/openapi.json", "login", "custom_component/a/b/c/d.js"),
    ):
        assert here.get(PAGE + path).status_code == 404, path
    for path in ("run/predict", "call/work", "component_server", "process_recording"):
        assert here.post(f"/page/gradio_api/{path}", json={"data": []}).status_code == 404, path


def test_a_file_goes_through_the_page_s_own_roads(client, make_sound):
    here, service = client()
    (place,) = upload(here, make_sound(2), name="../../etc/passwd").json()
    assert re.fullmatch(r"[0-9a-f]{32}/upload", place)
    for road in ("files/", "gradio_api/file="):
        given = here.get(PAGE + road + place, headers={"range": "bytes=0-3"})
        assert (given.status_code, given.content) == (206, b"RIFF")
        assert given.headers["content-type"] == "audio/wav"
        assert given.headers["x-content-type-options"] == "nosniff"
    told = events(here, [json.dumps({"place": place, "name": "clip.wav"}), "a"])
    assert told[-1]["msg"] == "close_stream" and "Done: 2.0 s of media" in str(told)
    links = re.findall(r'href=\\?"(files/\S+?)\\?" download', json.dumps(told))
    answers = {link.rpartition(".")[2]: here.get(PAGE + link) for link in links}
    assert set(answers) == {"srt", "vtt", "txt", "json"}
    assert answers["txt"].text == "one\ntwo\n"
    assert answers["srt"].headers["content-type"].startswith("application/x-subrip")
    assert {path.name for path in service.folder.iterdir()} <= {"page", "gradio"}


def test_a_visitor_hears_nothing_of_another(client, make_sound):
    here, _ = client()
    places = [upload(here, make_sound(length)).json()[0] for length in (1, 3)]
    assert places[0] != places[1]
    told = [
        str(events(here, [json.dumps({"place": place}), "a"], session=f"visitor{number}"))
        for number, place in enumerate(places)
    ]
    assert places[0] in told[0] and places[0] not in told[1] and places[1] not in told[0]
    assert "three" in told[1] and "three" not in told[0]


def test_a_file_that_is_only_described_is_refused(client):
    here, _ = client()
    body = {"data": ["", "a"], "fn_index": find_button(here), "session_hash": "visitor"}
    described = [{"path": path, "meta": META} for path in ("/etc/passwd", "http://localhost:1/")]
    for data in (*([one, "a"] for one in described), [["a"], "a"], "no list", None):
        assert here.post(JOIN, json=body | {"data": data}).status_code == 400
    assert here.post(JOIN, json=body | {"event_data": described[0]}).status_code == 400
    assert here.post(JOIN, content=b'{"data": ["' + b"x" * 70_000).status_code == 413


def test_a_choice_that_is_none_is_told(client):
    here, _ = client()
    for number, chosen in enumerate(("", "{", "[]", '{"place": "../upload"}', None)):
        told = str(events(here, [chosen, "a"], session=f"visitor{number}"))
        assert 'role="alert"' in told and ("Choose a file" in told or "not here any more" in told)


def test_uploads_obey_the_limits_of_all_requests(client, make_sound, pipeline):
    here, service = client(upload_bytes=1000, queue=1)
    large = upload(here, bytes(1001))
    assert (large.status_code, large.headers["content-type"][:10]) == (413, "text/plain")
    assert upload(here, b"x", part="other").status_code == 400
    assert not list((service.folder / "page").iterdir())
    assert upload(here, bytes(1000)).status_code == 200
    assert upload(here, bytes(1)).status_code == 429  # as much lies there as may
    service.closing = True
    assert upload(here, bytes(1)).status_code == 503


def test_where_a_token_is_set_the_page_asks_for_it(client, make_sound):
    here, _ = client(token="secret")
    asked = here.get(PAGE)
    assert asked.status_code == 401 and 'type="password"' in asked.text
    assert "gradio" not in asked.text and "content-security-policy" in asked.headers
    assert upload(here, make_sound(1)).status_code == 401
    assert here.get("/page/config").status_code == 401
    assert here.get("/page/files/" + "0" * 32 + "/upload").status_code == 401
    wrong = here.post("/page/login", data={"token": "secre"})
    assert wrong.status_code == 401 and "not the token" in wrong.text and not here.cookies
    for cookie in ("", "secret", "0" * 64):
        assert here.get(PAGE, headers={"cookie": f"mcgurk_page={cookie}"}).status_code == 401
    right = here.post("/page/login", data={"token": "secret"}, follow_redirects=False)
    kept = right.headers["set-cookie"].lower()
    assert right.status_code == 303 and "secret" not in kept
    assert "httponly" in kept and "samesite=strict" in kept and "path=/page" in kept
    assert here.get(PAGE).status_code == 200
    assert upload(here, make_sound(1)).status_code == 200
    assert here.get("/v1/models").status_code == 401  # the page's cookie is not the API's key


def test_pages_of_other_origins_and_hosts_are_not_let_in(client, make_sound):
    here, _ = client(hosts=frozenset({"localhost"}))
    for headers in ({"origin": "http://evil.example"}, {"host": "evil.example"}):
        assert here.get(PAGE, headers=headers).status_code in (403, 421)
        files = {"files": ("a.wav", make_sound(1))}
        assert here.post(UPLOAD, files=files, headers=headers).status_code in (403, 421)


def test_the_api_is_what_it_is_without_a_page(client, make_sound):
    here, service = client()
    fields = {"model": "a", "response_format": "text"}
    answer = here.post("/v1/audio/transcriptions", data=fields, files={"file": make_sound(2)})
    assert answer.text == "one two\n"
    unknown = here.get("/v1/none")
    assert unknown.status_code == 404 and unknown.json()["error"]["code"] == "unknown_url"


def test_files_go_with_the_server(make_service, make_sound):
    service = make_service()
    with TestClient(build_app(service, page=True), base_url="http://localhost") as here:
        upload(here, make_sound(1))
        assert list(service.folder.iterdir())
    assert not list(service.folder.iterdir())


def test_without_a_page_nothing_of_gradio_is_loaded():
    program = (
        "import sys, tasks.serving.server, tasks.cli.serve\n"
        "from tasks.serving.app import build_app\n"
        "from types import SimpleNamespace\n"
        "build_app(SimpleNamespace(token=None))\n"
        "print('gradio' in sys.modules)\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.stdout == "False\n", done.stderr
