"""A Ray cluster writes what this machine's processes do, and can be interrupted like them."""

import os
import signal
import subprocess
import sys
import time
from functools import partial

import pytest

from data_prep.clips.prepare import prepare
from data_prep.datasets.speech.folder import find_folder_clips
from data_prep.media.wav import encode_wav
from data_prep.workers.ray_cluster import run_on_ray

ray = pytest.importorskip("ray", reason="Ray is an extra: pip install 'mcgurk[ray]'")


@pytest.fixture
def raw(tmp_path, demo_clip):
    """Seven sounds of which one is damaged, and a clip with a face."""
    import numpy as np

    folder = tmp_path / "raw"
    folder.mkdir()
    for number in range(7):
        waveform = np.random.default_rng(number).normal(0, 0.1, 1600 * (number + 1))
        (folder / f"clip{number}.wav").write_bytes(encode_wav(waveform))
    (folder / "clip3.wav").write_bytes(b"no sound")
    (folder / "address.mp4").write_bytes(demo_clip.read_bytes())
    return folder


@pytest.fixture(scope="module")
def cluster():
    """One core, kept for the tests of this module."""
    before = signal.getsignal(signal.SIGTERM)
    ray.init("local", num_cpus=1, include_dashboard=False, log_to_driver=False)
    yield
    ray.shutdown()
    signal.signal(signal.SIGTERM, before)


def read_all(folder):
    names = ["manifest.jsonl", "failed.jsonl", "mouths/address.mp4"]
    return [(folder / name).read_bytes() for name in names]


def test_a_cluster_writes_the_same(cluster, raw, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    clips, seen = find_folder_clips(raw), []
    here = prepare(clips, "here", 1)
    there = prepare(clips, "there", ray="local", progress=lambda *counts: seen.append(counts))
    assert there == here and list(there.failed) == ["clip3"]
    assert seen == [(number, 8) for number in range(1, 9)]
    assert read_all(tmp_path / "there") == read_all(tmp_path / "here")
    assert ray.is_initialized()  # what the caller started is the caller's to stop
    assert prepare(clips[:1], "there", ray="local").new == 0


def fail(kind: type[Exception], item: int) -> int:
    if item == 2:
        raise kind(f"item {item}")
    return item


def test_errors_come_through(cluster):
    assert sorted(run_on_ray(partial(pow, 2), [0, 1, 2, 3], "local")) == [1, 2, 4, 8]
    with pytest.raises(PermissionError, match="item 2"):
        list(run_on_ray(partial(fail, PermissionError), [1, 2, 3], "local"))


def test_a_cluster_that_is_not_there_is_told_at_once(monkeypatch):
    monkeypatch.setattr(ray, "is_initialized", lambda: False)
    start = time.monotonic()
    for address in ("127.0.0.1:1", "ray://127.0.0.1:1", "somewhere"):
        with pytest.raises(ValueError, match=f"No Ray cluster answers at '{address}'"):
            list(run_on_ray(abs, [1], address))
    assert time.monotonic() - start < 20


def test_without_ray_the_extra_is_named(monkeypatch, raw, tmp_path):
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(ValueError, match=r"pip install 'mcgurk\[ray\]'"):
        prepare(find_folder_clips(raw), tmp_path / "out", ray="local")


@pytest.mark.parametrize(
    ("number", "code", "lines"),
    [
        (signal.SIGINT, 130, 0),  # while the cluster starts
        (signal.SIGINT, 130, 1),
        pytest.param(signal.SIGTERM, 143, 1, marks=pytest.mark.slow),
    ],
)
def test_an_interrupted_run_goes_on(raw, tmp_path, number, code, lines):
    """The program starts a cluster of its own, is interrupted, and goes on without one."""
    (raw / "last.mp4").write_bytes((raw / "address.mp4").read_bytes())
    out, whole = tmp_path / "out", tmp_path / "whole"
    manifest = out / "manifest.jsonl"
    command = [sys.executable, "-m", "tasks", "prepare", "folder", str(raw), "-o", str(out)]
    options = ["--ray", "local", "--processes", "1"]
    with subprocess.Popen(
        [*command, *options], stderr=subprocess.PIPE, text=True, start_new_session=True
    ) as process:
        wait_until(lambda: manifest.exists() and manifest.read_bytes().count(b"\n") >= lines)
        time.sleep(0.3)
        # As a terminal does it: Ctrl-C goes to the cluster's processes too.
        os.killpg(process.pid, number) if number == signal.SIGINT else process.terminate()
        _, told = process.communicate(timeout=60)
    assert process.returncode == code, told
    assert "Traceback" not in told
    assert lines <= manifest.read_bytes().count(b"\n") < 8
    prepare(find_folder_clips(raw), whole, 1)
    prepare(find_folder_clips(raw), out, 1)
    assert read_all(out) == read_all(whole)


def wait_until(true, seconds: float = 60) -> None:
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.05)
