"""A server as a process: signals, exit codes, ports."""

import http.client
import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import pytest

pytest.importorskip("fastapi")
pytest.importorskip("uvicorn")

from tasks.serving.limits import Limits
from tasks.serving.server import bind, url_of

ROOT = Path(__file__).parents[3]
# `mcgurk serve` on a pipeline that waits for a file called "go" in its folder.
PROGRAM = """
import sys, time
from pathlib import Path
from tasks.avsr.outputs.transcript import Transcript
import tasks.serving.loaded_models as loaded
import tasks.serving.server as server

class Waiting:
    language = None
    def with_options(self, options):
        return self
    def transcribe(self, path, progress):
        print("begun", flush=True)
        if Path("stuck").exists():
            time.sleep(60)
        while not Path("go").exists():
            progress(0.0, None)
            time.sleep(0.01)
        return Transcript("done", 1.0, "", False, "", (), ())

server.SPARE_S = 0.5
def load(served, device):
    if Path("slow").exists():
        print("loading", flush=True)
        time.sleep(60)
    return Waiting()

loaded.load_pipeline = load
from tasks.__main__ import main
main()
"""


@pytest.fixture
def start(tmp_path, monkeypatch):
    """Start the command with options; return the process and its port."""
    monkeypatch.setattr(tempfile, "tempdir", None)
    (tmp_path / "tmp").mkdir()
    processes = []

    def begin(*options):
        place = os.pathsep.join([str(ROOT), *sys.path])
        environment = os.environ | {"PYTHONPATH": place, "TMPDIR": str(tmp_path / "tmp")}
        process = subprocess.Popen(
            [sys.executable, "-c", PROGRAM, "serve", "--no-page", *options],
            cwd=tmp_path,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        processes.append(process)
        return process

    def run(*options):
        process = begin("--port", "0", *options)
        line = process.stdout.readline()
        assert line.startswith("Serving whisper-tiny.en, "), process.communicate()
        return process, int(line.rpartition(":")[2].removesuffix("/v1\n"))

    run.begin = begin
    yield run
    for process in processes:
        process.kill()
        process.communicate()


def post(port: int, sound: bytes, told: list[int]) -> None:
    body = b'--x\r\nContent-Disposition: form-data; name="file"; filename="secret"\r\n\r\n' + sound
    body += b'\r\n--x\r\nContent-Disposition: form-data; name="model"\r\n\r\nwhisper-1\r\n--x--\r\n'
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    headers = {"content-type": "multipart/form-data; boundary=x"}
    connection.request("POST", "/v1/audio/transcriptions", body, headers)
    told.append(connection.getresponse().status)


@pytest.mark.parametrize(
    ("signals", "status", "code"),
    [
        ([signal.SIGTERM], 200, 0),
        ([signal.SIGINT], 200, 130),
        ([signal.SIGTERM, signal.SIGTERM], 503, 0),
        ([signal.SIGINT, signal.SIGINT], 503, 130),
    ],
)
def test_a_signal_lets_work_be_done_and_a_second_one_does_not(
    start, tmp_path, make_sound, signals, status, code
):
    process, port = start()
    told: list[int] = []
    client = threading.Thread(target=post, args=(port, make_sound(1), told))
    client.start()
    assert process.stdout.readline() == "begun\n"
    for number in signals:
        process.send_signal(number)
        time.sleep(0.5)  # two of a kind at once would be one
    if len(signals) == 1:
        (tmp_path / "go").touch()
    _, log = process.communicate(timeout=30)
    client.join()
    assert (process.returncode, told) == (code, [status]), log
    assert f"/v1/audio/transcriptions {status} " in log and "secret" not in log
    assert log.count("\n") == 1 + (code == 130) and "Traceback" not in log
    assert not list((tmp_path / "tmp").iterdir())


@pytest.mark.parametrize("stuck", [False, True])
def test_work_that_is_not_done_in_time_is_given_up(start, tmp_path, make_sound, stuck):
    if stuck:  # in what cannot be stopped
        (tmp_path / "stuck").touch()
    process, port = start("--grace", "0.5")
    told: list[int] = []
    client = threading.Thread(target=post, args=(port, make_sound(1), told))
    client.start()
    assert process.stdout.readline() == "begun\n"
    process.send_signal(signal.SIGTERM)
    _, log = process.communicate(timeout=30)
    client.join()
    assert (process.returncode, told) == (0, [503]), log
    assert not list((tmp_path / "tmp").iterdir())


def test_a_signal_while_the_first_model_loads_ends_it_in_good_order(start, tmp_path):
    (tmp_path / "slow").touch()
    process = start.begin("--port", "0")
    assert process.stdout.readline() == "loading\n"
    process.send_signal(signal.SIGTERM)
    told = process.communicate(timeout=30)
    assert (process.returncode, told) == (0, ("", ""))
    assert not list((tmp_path / "tmp").iterdir())


def test_a_port_has_one_server():
    with bind("127.0.0.1", 0) as first:
        port = first.getsockname()[1]
        with pytest.raises(ValueError, match=f"port {port} cannot be listened on"):
            bind("127.0.0.1", port)
    bind("127.0.0.1", port).close()


def test_an_address_is_written_as_browsers_take_it():
    with bind("127.0.0.1", 0) as listener:
        assert url_of(listener) == f"http://127.0.0.1:{listener.getsockname()[1]}"
    try:
        listener = bind("::1", 0)
    except ValueError:
        pytest.skip("this machine has no IPv6")
    with listener:
        assert url_of(listener) == f"http://[::1]:{listener.getsockname()[1]}"


@pytest.mark.parametrize("place", [("no.such.host.invalid", 0), ("127.0.0.1", -1), ("", 70_000)])
def test_places_that_are_none_are_told(place, monkeypatch):
    def unknown(*_, **__):
        raise socket.gaierror(-2, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)  # no name is asked for on the network
    with pytest.raises(ValueError, match="expected"):
        bind(*place)


@pytest.mark.parametrize("name", ["queue", "upload_bytes", "duration_s", "grace_s"])
def test_limits_are_above_nothing(name):
    for value in (0, -1, float("nan"), float("inf")):
        with pytest.raises(ValueError, match=name):
            Limits(**{name: value})
