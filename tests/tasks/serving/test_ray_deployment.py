"""The server on Ray says what the server of one process says, whatever happens to its replicas."""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import wave
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import yaml

pytest.importorskip("fastapi")
pytest.importorskip("python_multipart")
pytest.importorskip(
    "ray.serve", reason="Ray Serve is an extra: pip install 'mcgurk[ray]'", exc_type=ImportError
)
import httpx
import ray
from ray import serve
from starlette.testclient import TestClient

from tasks.avsr.outputs.transcript import Segment, Transcript
from tasks.serving.app import build_app
from tasks.serving.limits import Limits
from tasks.serving.ray_deployment import NAME, bind, build
from tasks.serving.served_models import ServedModel
from tasks.serving.service import Service
from tasks.serving.token import TOKEN

ROOT = Path(__file__).parents[3]
CONFIG = ROOT / "configs/serving/ray.yaml"
URL = "/v1/audio/transcriptions"
KEY, SECRET = "the-token", "secret-name.wav"
SERVED = {
    name: ServedModel(name, "whisper-tiny.en", sets) for name, sets in (("a", None), ("a+s", "s"))
}
LIMITS = Limits(queue=1, uploads=2, models=1, patience_s=5.0, grace_s=10.0)
REPLICAS = 2


class Spoken:
    """Says "one" for the first second of a file and so on; waits after it where "hold" is."""

    language = "en"

    def __init__(self, folder: Path):
        self.hold = folder / "hold"

    def with_options(self, options: Any) -> "Spoken":
        return self

    def stream(self, source: Path, /, *, progress: Callable[[float, float | None], None]) -> Any:
        with wave.open(str(source)) as file:
            seconds = file.getnframes() // file.getframerate()
        for second in range(seconds):
            progress(second, seconds)
            while second and self.hold.exists():
                time.sleep(0.02)
                progress(second, seconds)
            yield Segment(second, second + 1, ("one", "two", "three")[second % 3], ())
        progress(seconds, seconds)

    def transcribe(self, source: Path, /, *, progress: Any) -> Transcript:
        found = tuple(self.stream(source, progress=progress))
        text = " ".join(segment.text for segment in found)
        return Transcript(text, float(len(found)), "tiny", False, "no video", found, ())


def load_spoken(folder: Path, served: ServedModel) -> Spoken:
    (folder / f"replica-{os.getpid()}").touch()
    return Spoken(folder)


# What is the case before it starts.


def test_the_configuration_is_one_of_ray_s_and_of_ours():
    from ray.serve.schema import ServeDeploySchema

    config = ServeDeploySchema.model_validate(yaml.safe_load(CONFIG.read_text()))
    [application] = config.applications
    assert application.import_path == f"{build.__module__}:{build.__name__}"
    assert [deployment.name for deployment in application.deployments] == [NAME]
    build(application.args)
    assert config.http_options.host == "127.0.0.1"
    assert config.logging_config is not None and not config.logging_config.enable_access_log


@pytest.mark.parametrize(
    ("args", "said"),
    [
        ({"modles": []}, "Did you mean: 'models'"),
        ({"models": ["whisper-tiny.en+gird"]}, "No adapter sets 'gird'"),
        ({"limits": {"queue": 0}}, "queue is 0"),
        ({"limits": {"queue": "some"}}, "limits.queue is 'some'; expected a whole number"),
    ],
)
def test_a_mistake_in_the_arguments_is_told(args, said):
    with pytest.raises(ValueError, match=said):
        build(args)


def test_a_bad_token_starts_nothing(monkeypatch):
    monkeypatch.setenv(TOKEN, " ")
    with pytest.raises(ValueError, match=f"{TOKEN} is no token"):
        build({})


@pytest.mark.parametrize(
    ("token", "hosts", "expected"),
    [
        (None, None, {"localhost", "127.0.0.1", "::1"}),
        (None, ["inside"], {"inside"}),
        (None, ["*"], None),
        ("key", None, None),
    ],
)
def test_without_a_token_other_hosts_are_not_answered_for(monkeypatch, token, hosts, expected):
    monkeypatch.delenv(TOKEN, raising=False)
    if token:
        monkeypatch.setenv(TOKEN, token)
    made: Any = build({} if hosts is None else {"hosts": hosts})
    *_, given, found = made._bound_deployment.init_args
    assert (given, found) == (token, expected)


# A local cluster, kept for the tests below.


@pytest.fixture(scope="module")
def folder():
    """A short path: Ray makes sockets in it."""
    path = Path(tempfile.mkdtemp(prefix="mr-"))
    (path / "uploads").mkdir()
    yield path
    shutil.rmtree(path, ignore_errors=True)


@pytest.fixture(scope="module")
def cluster(folder):
    """Two cores without replicas; gives the address of its proxy."""
    before = signal.getsignal(signal.SIGTERM)
    with socket.socket() as free, pytest.MonkeyPatch.context() as patch:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
        patch.setenv("TMPDIR", str(folder / "uploads"))
        patch.setenv("RAY_USAGE_STATS_ENABLED", "0")
        ray.init(
            "local",
            num_cpus=2,
            include_dashboard=False,
            object_store_memory=100 * 2**20,
            log_to_driver=False,
            _temp_dir=str(folder / "ray"),
        )
    ray.cloudpickle.register_pickle_by_value(sys.modules[__name__])
    serve.start(
        http_options={"host": "127.0.0.1", "port": port},
        logging_config={"enable_access_log": False},
    )
    yield f"http://127.0.0.1:{port}"
    serve.shutdown()
    ray.shutdown()
    ray.cloudpickle.unregister_pickle_by_value(sys.modules[__name__])
    signal.signal(signal.SIGTERM, before)


def deploy(folder: Path) -> None:
    made: Any = bind(SERVED, partial(load_spoken, folder), LIMITS, KEY)
    deployment = made._bound_deployment
    options = {"num_replicas": REPLICAS, "health_check_period_s": 0.5}
    cores = {"ray_actor_options": {"num_cpus": 0.5}}
    serve.run(deployment.options(**options, **cores).bind(*deployment.init_args), name="mcgurk")


@pytest.fixture
def client(cluster, folder):
    """Two replicas of the server, anew only where a test before ended them."""
    if "mcgurk" not in serve.status().applications:
        deploy(folder)
    with httpx.Client(base_url=cluster, timeout=60, headers=bearer()) as made:
        yield made
        release(folder)
        wait_until(lambda: not gauge(made, "requests_working"))


def bearer(key: str = KEY) -> dict[str, str]:
    return {"authorization": f"Bearer {key}"}


def ask(client: Any, sound: bytes, headers: dict[str, str] | None = None, **fields: str) -> Any:
    fields = {"model": "a", **fields}
    return client.post(URL, data=fields, files={"file": (SECRET, sound)}, headers=headers)


def hold(folder: Path) -> None:
    (folder / "hold").touch()


def release(folder: Path) -> None:
    (folder / "hold").unlink(missing_ok=True)


def samples(client: Any, name: str) -> dict[str, float]:
    """Return the values of a count, by their labels."""
    lines = [line for line in client.get("/metrics").text.splitlines() if name in line]
    told = [line.rpartition(" ") for line in lines if line[0] != "#"]
    return {labels: float(value) for labels, _, value in told}


def gauge(client: Any, name: str) -> float:
    return sum(samples(client, name).values())


def wait_until(true: Callable[[], Any], seconds: float = 60) -> None:
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.05)


def find_replicas(folder: Path) -> set[int]:
    """Return the process ids of replicas that live."""
    found = {int(path.name.removeprefix("replica-")) for path in folder.glob("replica-*")}
    return {one for one in found if one != os.getpid() and is_alive(one)}


def is_alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    return True


ASKED = {
    "json": {},
    "text": {"response_format": "text"},
    "srt": {"response_format": "srt"},
    "vtt": {"response_format": "vtt"},
    "all": {"response_format": "verbose_json", "timestamp_granularities[]": "segment"},
    "events": {"stream": "true"},
    "sets": {"model": "a+s"},
    "alias": {"model": "whisper-1"},
    "no such model": {"model": "whisper-9"},
    "no such field": {"langauge": "en"},
    "no such form": {"response_format": "docx"},
}
ELSE = {
    "models": ("GET", "/v1/models", {}),
    "model": ("GET", "/v1/models/a+s", {}),
    "no model": ("GET", "/v1/models/b", {}),
    "health": ("GET", "/healthz", {}),
    "nowhere": ("GET", "/v2", {}),
    "method": ("DELETE", "/v1/models", {}),
    "no form": ("POST", URL, {"content": b"{}"}),
    "no token": ("POST", URL, {"headers": {"authorization": ""}}),
    "a wrong token": ("GET", "/v1/models", {"headers": bearer("other")}),
    "other page": ("GET", "/v1/models", {"headers": {"origin": "http://elsewhere"}}),
}


def told(answer: Any) -> tuple[Any, ...]:
    """Return all of an answer that is the same of any server."""
    body = answer.text
    if answer.headers["content-type"] == "application/json":
        body = json.loads(body, object_hook=lambda one: {**one, "created": 0})
    kept = ("content-type", "www-authenticate", "cache-control")
    return answer.status_code, body, [answer.headers.get(name) for name in kept]


@pytest.mark.slow
def test_answers_are_those_of_one_process(client, folder, make_sound, tmp_path):
    service = Service(SERVED, partial(load_spoken, folder), tmp_path, LIMITS, KEY)
    service.start()
    alone = TestClient(build_app(service), headers=bearer())
    for name, fields in ASKED.items():
        assert told(ask(client, make_sound(3), **fields)) == (
            told(ask(alone, make_sound(3), **fields))
        ), name
    for content in (b"", b"no sound"):
        assert told(ask(client, content)) == told(ask(alone, content))
    for name, (method, url, options) in ELSE.items():
        found, expected = (one.request(method, url, **options) for one in (client, alone))
        assert told(found) == told(expected), name
    assert service.worker.close(10)


@pytest.mark.slow
def test_both_replicas_answer_and_either_tells_the_counts_of_both(client, make_sound):
    before = samples(client, "work_seconds")
    assert len(before) == REPLICAS
    for _ in range(40):
        assert ask(client, make_sound(1)).json()["text"] == "one"
    after = samples(client, "work_seconds")
    assert after.keys() == before.keys() and all(after[one] > before[one] for one in after)
    assert samples(client, "work_seconds") == after


@pytest.mark.slow
def test_a_request_that_names_its_model_in_the_header_goes_where_it_is_loaded(client, make_sound):
    def ask_both() -> float:
        for name in SERVED:
            headers = {"serve_multiplexed_model_id": name}
            assert ask(client, make_sound(1), headers, model=name).status_code == 200
            time.sleep(0.3)  # for Ray to hear where it was loaded
        return gauge(client, "model_loads")

    wait_until(lambda: ask_both() == ask_both())  # each replica keeps one of the two models
    loads = gauge(client, "model_loads")
    assert {ask_both() for _ in range(5)} == {loads}


@pytest.mark.slow
def test_a_stream_arrives_piece_by_piece(client, folder, make_sound):
    hold(folder)
    form = {"data": {"model": "a", "stream": "true"}, "files": {"file": (SECRET, make_sound(3))}}
    with client.stream("POST", URL, **form) as answer:
        pieces = answer.iter_text()
        assert json.loads(next(pieces).removeprefix("data: "))["delta"] == "one"
        release(folder)
        last = "".join(pieces).strip().split("\n\n")[-1]
    assert json.loads(last.removeprefix("data: "))["text"] == "one two three"


@pytest.mark.slow
def test_a_bad_upload_disturbs_none(client, folder, make_sound):
    hold(folder)
    with ThreadPoolExecutor() as pool:
        good = [pool.submit(ask, client, make_sound(2)) for _ in range(REPLICAS)]
        wait_until(lambda: gauge(client, "requests_w") == REPLICAS)  # working or waiting
        assert [ask(client, b"no sound").status_code for _ in range(4)] == [400] * 4
        release(folder)
        assert [one.result().json()["text"] for one in good] == ["one two"] * REPLICAS


@pytest.mark.slow
def test_full_replicas_refuse_more_and_answer_all_else(client, folder, make_sound):
    hold(folder)
    room = REPLICAS * (LIMITS.queue + 1)
    with ThreadPoolExecutor(100) as pool:
        sent = []

        def fill() -> bool:
            """Send one more unless all are full: Ray may send it to a full one."""
            full = gauge(client, "requests_w") == room
            if not full:
                sent.append(pool.submit(ask, client, make_sound(2)))
                time.sleep(0.2)
            return full

        wait_until(fill)
        refused = [ask(client, make_sound(2)) for _ in range(4)]
        assert client.get("/healthz").status_code == 200
        release(folder)
        for one in refused:
            assert (one.status_code, one.headers["retry-after"]) == (429, "5")
            assert one.json()["error"]["code"] == "rate_limit_exceeded"
        statuses = Counter(one.result().status_code for one in sent)
        assert statuses[200] == room and set(statuses) <= {200, 429}


@pytest.mark.slow
def test_work_for_a_client_that_hangs_up_is_ended(client, folder, make_sound):
    hold(folder)
    before = sum(value for at, value in samples(client, "requests_total").items() if "499" in at)
    with pytest.raises(httpx.ReadTimeout):
        files = {"file": (SECRET, make_sound(2))}
        client.post(URL, data={"model": "a"}, files=files, timeout=1)
    wait_until(lambda: not gauge(client, "requests_working"), 10)
    after = sum(value for at, value in samples(client, "requests_total").items() if "499" in at)
    assert after == before + 1


@pytest.mark.slow
def test_a_killed_replica_loses_no_later_request(client, folder, make_sound):
    killed, other = find_replicas(folder)
    os.kill(killed, signal.SIGKILL)
    assert {ask(client, make_sound(1)).status_code for _ in range(50)} == {200}
    wait_until(lambda: len(samples(client, "uploads")) == REPLICAS)
    assert other in find_replicas(folder) and killed not in find_replicas(folder)
    left = list((folder / "uploads").glob("mcgurk-serve-*"))
    assert len(left) == REPLICAS and not any(any(one.iterdir()) for one in left)


@pytest.mark.slow
def test_an_application_that_is_deleted_ends_its_work_before(client, folder, make_sound):
    hold(folder)
    with ThreadPoolExecutor() as pool:
        work = pool.submit(ask, client, make_sound(2))
        wait_until(lambda: gauge(client, "requests_working") == 1)
        threading.Timer(2, release, [folder]).start()
        serve.delete("mcgurk")
        assert work.result().json()["text"] == "one two"
    assert not list((folder / "uploads").glob("mcgurk-serve-*"))
    deploy(folder)  # for the clean-up of `client`


@pytest.mark.slow
def test_what_clients_sent_is_in_no_log(client, folder, make_sound):
    assert ask(client, make_sound(2)).json()["text"] == "one two"
    client.get("/v1/models/" + SECRET, headers={"authorization": f"Bearer {SECRET}"})
    time.sleep(1)
    logs = [path for path in (folder / "ray").rglob("*.*") if path.is_file()]
    text = b"".join(path.read_bytes() for path in logs)
    assert b"POST /v1/audio/transcriptions 200 " in text
    assert not any(word.encode() in text for word in (SECRET, "one two", KEY))


@pytest.mark.slow
def test_the_documented_command_serves_and_ends_on_ctrl_c(cluster, demo_clip, tmp_path):
    """In the same cluster, so that it takes no other port than the tests have."""
    if "mcgurk" in serve.status().applications:
        serve.delete("mcgurk")
    config = yaml.safe_load(CONFIG.read_text())
    config["applications"][0]["args"]["models"] = ["whisper-tiny.en"]
    (tmp_path / "ray.yaml").write_text(yaml.safe_dump(config))
    address = ray.get_runtime_context().gcs_address
    command = [sys.executable, "-m", "ray.serve.scripts", "run", "--address", address]
    with subprocess.Popen(
        [*command, str(tmp_path / "ray.yaml")], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    ) as process:
        with httpx.Client(base_url=cluster, timeout=60) as client:
            wait_until(lambda: client.get("/healthz").status_code == 200)
            assert "negotiations" in ask(client, demo_clip.read_bytes(), model="whisper-1").text
        process.send_signal(signal.SIGINT)
        assert process.wait(60) == 0
