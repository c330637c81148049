"""What several processes make of a training, and where one computes."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch

from tasks.training import launched
from tasks.training.launched import is_first, told_once
from tasks.training.loop import CHECKPOINT, METRICS
from tasks.training.processes import Processes

ROOT = Path(__file__).parents[3]
SCRIPT = Path(__file__).with_name("in_two_processes.py")
LAUNCH = ["-m", "torch.distributed.run", "--nproc_per_node", "2"]
# A port of 0 is a free one.
LAUNCH += ["--rdzv-backend", "c10d", "--rdzv-endpoint", "localhost:0"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """What two processes have written, and in "one" what one process has."""
    folder = tmp_path_factory.mktemp("processes")
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "CUDA_VISIBLE_DEVICES": ""}
    for launch, place in ((LAUNCH, folder), ([], folder / "one")):
        place.mkdir(exist_ok=True)
        found = subprocess.run(
            [sys.executable, *launch, str(SCRIPT), str(place)],
            env=environment,
            capture_output=True,
            text=True,
            timeout=140,
        )
        assert found.returncode == 0, found.stderr
    return folder


def told(folder: Path, name: str) -> dict[str, Any]:
    return torch.load(folder / f"{name}.pt", weights_only=True)


def test_two_processes_share_the_examples_of_one(folder):
    first, second = told(folder, "0"), told(folder, "1")
    assert first["count"] == second["count"] == 2
    assert (len(first["loaded"]), len(second["loaded"])) == (12 * 4, 12 * 3)
    assert sorted(first["loaded"] + second["loaded"]) == sorted(told(folder, "one/one")["loaded"])


def test_two_processes_learn_what_one_does(folder):
    one, first = told(folder, "one/one")["state"], told(folder, "0")["state"]
    assert set(one) == set(first)
    for name in one:
        if name != "mean":
            torch.testing.assert_close(first[name], one[name], atol=2e-5, rtol=0)
    start = told(folder, "one/one")["start"]
    assert (one["all.weight"] - start["all.weight"]).abs() > 0.1
    assert (one["some.weight"] - start["some.weight"]).abs() > 0.01
    assert torch.equal(first["none.weight"], start["none.weight"])  # nor does its weight decay


def test_both_processes_have_the_same_weights_and_return_the_same(folder):
    first, second = told(folder, "0"), told(folder, "1")
    assert first["found"] == second["found"]
    assert first["found"]["weight"] == first["state"]["all.weight"].mean()
    for name, value in first["state"].items():
        assert torch.equal(value, second["state"][name])


def test_losses_are_those_of_the_whole_batch(folder):
    rows = [
        [json.loads(line) for line in (folder / name / METRICS).read_text().splitlines()]
        for name in ("one/whole", "whole")
    ]
    assert len(rows[0]) == len(rows[1]) == 4
    for one, two in zip(*rows, strict=True):
        assert set(one) == set(two)
        assert one["loss"] == pytest.approx(two["loss"], rel=1e-4) == two["size"]


def test_the_first_process_alone_exports(folder):
    assert [told(folder, name)["exports"] for name in ("0", "1")] == [1, 0]


def test_two_killed_processes_end_where_two_that_were_not_do(folder):
    for name in ("0", "1"):
        found = told(folder, name)
        assert found["again"] == found["found"]
        for weight, value in found["state"].items():
            assert torch.equal(value, found["resumed"][weight]), weight


@pytest.fixture
def second_of_two(monkeypatch) -> list[float]:
    """This process as the second of two; what it waits is noted instead, in seconds."""
    waits: list[float] = []
    monkeypatch.setattr(launched, "sleep", waits.append)
    monkeypatch.setenv("WORLD_SIZE", "2")
    monkeypatch.setenv("RANK", "1")
    return waits


def fail(error: Exception) -> None:
    with pytest.raises(type(error)), told_once():
        raise error


def test_the_second_process_lets_the_first_tell(second_of_two, monkeypatch):
    assert not is_first()
    fail(ValueError("a mistake"))
    fail(RuntimeError("the first is gone"))
    assert second_of_two == [launched.LAUNCHER_S] * 2
    monkeypatch.setenv("RANK", "0")
    assert is_first()
    fail(ValueError("a mistake"))
    assert len(second_of_two) == 2
    fail(RuntimeError("the second is gone"))
    assert len(second_of_two) == 3


def test_a_single_process_waits_for_nobody(second_of_two, monkeypatch):
    monkeypatch.delenv("WORLD_SIZE")
    assert is_first()
    fail(RuntimeError("an error"))
    assert not second_of_two


def test_two_processes_stop_at_the_same_step_with_the_weights_of_the_same_measurement(folder):
    first, second = told(folder, "0")["chosen"], told(folder, "1")["chosen"]
    rows = [json.loads(line) for line in (folder / "chosen" / METRICS).read_text().splitlines()]
    scores = [row["score"] for row in rows]
    best = max(range(len(rows)), key=scores.__getitem__)
    assert 0 < best == len(rows) - 3 < 9  # two measurements without a better one
    for found in (first, second):
        assert found["found"] == found["again"]
        assert found["found"]["step"] == rows[best]["step"]
        for name, value in first["state"].items():
            assert torch.equal(value, found["state"][name]), name
            assert torch.equal(value, found["resumed"][name]), name
    assert first["score"] == scores[best]  # measured once more, on what was exported
    kept = torch.load(folder / "chosen" / CHECKPOINT, weights_only=True)
    assert kept["step"] == len(rows) == rows[best]["step"] + 2


def test_one_process_computes_where_it_is_told():
    assert Processes("cpu").device.type == "cpu"
    assert Processes("cpu").count == 1


def test_a_device_that_is_not_here_is_told():
    with pytest.raises(ValueError, match="No device 'tpuu' on this machine; here there are: .*cpu"):
        Processes("tpuu")
