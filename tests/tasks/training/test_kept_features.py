import json
import os
import random
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
import safetensors.torch
import torch
from safetensors import SafetensorError
from torch import nn

from modalities.tensor_hash import hash_tensors, hash_weights
from tasks.training import kept_features
from tasks.training.feature_files import LEFT_S
from tasks.training.kept_features import KeptFeatures

ROOT = Path(__file__).parents[3]
IDENTITY = {"encoder": "tiny", "weights": "abc", "size": [352, 352]}


def value(key: str) -> torch.Tensor:
    return torch.full((3, 2), float(key))


class Encoder:
    """Makes features of a number in text, and counts."""

    def __init__(self):
        self.calls: list[str] = []

    def __call__(self, kept: KeptFeatures, key: str) -> torch.Tensor:
        def compute():
            self.calls.append(key)
            return {"states": value(key), "mask": torch.tensor([True, False])}

        found = kept.of(key, compute)
        assert found["mask"].tolist() == [True, False] and set(found) == {"states", "mask"}
        return found["states"]


def files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file())


def test_features_are_computed_once_and_reused_by_the_next_run(tmp_path):
    first, second = Encoder(), Encoder()
    kept = KeptFeatures(tmp_path, IDENTITY)
    for _ in range(2):
        for key in ("1", "2", "3"):
            assert torch.equal(first(kept, key), value(key))
        kept.flush()
    assert first.calls == ["1", "2", "3"]
    again = KeptFeatures(tmp_path, dict(reversed(IDENTITY.items())))  # in any order
    assert "3" in again and "4" not in again
    for key in ("3", "1", "4", "2"):
        assert torch.equal(second(again, key), value(key))
    assert second.calls == ["4"]


def test_without_a_folder_they_are_in_memory(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    encoder, kept = Encoder(), KeptFeatures(None, {})
    for _ in range(3):
        assert torch.equal(encoder(kept, "7"), value("7"))
    kept.flush()
    assert encoder.calls == ["7"] and not files(tmp_path)


TYPES = [
    *(torch.float32, torch.float64, torch.float16, torch.bfloat16, torch.float8_e4m3fn),
    *(torch.bool, torch.uint8, torch.int16, torch.int64),
]


def test_threads_that_ask_at_once_wait_for_the_one_that_computes():
    kept, asked, results = KeptFeatures(None, {"model": "a"}), [], []
    begun = threading.Barrier(4)

    def compute():
        asked.append(1)
        time.sleep(0.2)
        return {"values": torch.ones(3)}

    def ask():
        begun.wait()
        results.append(kept.of("same", compute)["values"])

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(asked) == 1 and len(results) == 4
    assert all(torch.equal(one, torch.ones(3)) for one in results)


def test_an_input_that_could_not_be_computed_can_be_asked_for_again():
    kept = KeptFeatures(None, {"model": "a"})
    with pytest.raises(ValueError, match="Nothing|called"):
        kept.of("one", dict)
    assert torch.equal(kept.of("one", lambda: {"values": torch.ones(1)})["values"], torch.ones(1))


@pytest.mark.parametrize("folder", [True, False])
def test_types_shapes_and_bits_stay_what_they_were(tmp_path, folder):
    torch.manual_seed(0)
    made = {str(kind): (10 * torch.randn(3, 5)).to(kind) for kind in TYPES}
    made |= {"one": torch.tensor(2.5), "none": torch.zeros(0, 4), "turned": torch.randn(4, 3).T}
    made |= {"nan": torch.tensor([float("nan"), float("-inf"), -0.0])}
    made["learnt"] = nn.Parameter(torch.randn(2)) * 2
    place = tmp_path if folder else None
    kept = KeptFeatures(place, IDENTITY)
    kept.of("a: strange/key\n", lambda: made)
    kept.flush()
    kept = KeptFeatures(place, IDENTITY) if folder else kept
    found = kept.of("a: strange/key\n", dict)
    assert set(found) == set(made)
    for name, expected in made.items():
        assert found[name].dtype == expected.dtype and found[name].shape == expected.shape
        assert hash_tensors({"": found[name]}) == hash_tensors({"": expected})
        assert not found[name].requires_grad


def test_features_that_the_caller_changes_later_are_kept_as_they_were():
    made, kept = torch.ones(3), KeptFeatures(None, {})
    kept.add("1", {"states": made})
    made.zero_()
    assert kept.of("1", dict)["states"].sum() == 3


@pytest.mark.parametrize("change", [{"weights": "abd"}, {"size": [352, 480]}, {"more": 1}])
def test_another_identity_is_never_read_as_this_one(tmp_path, change):
    encoder, other = Encoder(), Encoder()
    kept, changed = (
        KeptFeatures(tmp_path, identity) for identity in (IDENTITY, {**IDENTITY, **change})
    )
    encoder(kept, "1")
    kept.flush()
    other(changed, "1")
    other(changed, "2")
    changed.flush()
    assert other.calls == ["1", "2"] and len(files(tmp_path)) == 2
    mine, theirs = sorted(files(tmp_path), key=lambda path: path.stat().st_size)
    theirs.rename(mine.with_name("copied.safetensors"))  # by hand, beside those of this identity
    third = Encoder()
    again = KeptFeatures(tmp_path, IDENTITY)
    third(again, "1")
    third(again, "2")
    assert third.calls == ["2"]


def test_many_inputs_lie_in_few_files(tmp_path, monkeypatch):
    encoder, kept = Encoder(), KeptFeatures(tmp_path, IDENTITY)
    for number in range(1000):
        encoder(kept, str(number))
    kept.flush()
    assert len(files(tmp_path)) == 1
    monkeypatch.setattr(kept_features, "FILE_BYTES", 10 * 26)  # of 24 and 2 bytes an input
    for number in range(1000, 1040):
        encoder(kept, str(number))
    assert len(files(tmp_path)) == 5
    again = KeptFeatures(tmp_path, IDENTITY)
    assert all(str(number) in again for number in range(1040))


def test_what_waits_for_long_is_written(tmp_path, monkeypatch):
    encoder, kept = Encoder(), KeptFeatures(tmp_path, IDENTITY)
    now = time.monotonic()
    monkeypatch.setattr(kept_features.time, "monotonic", lambda: now)
    encoder(kept, "1")
    now += kept_features.FILE_S
    assert not files(tmp_path)
    encoder(kept, "2")
    assert len(files(tmp_path)) == 1


PROGRAM = """
import os, random, signal, sys
import torch
from pathlib import Path
from tasks.training import kept_features

folder, seed, end = sys.argv[1], int(sys.argv[2]), sys.argv[3]
kept_features.FILE_BYTES = 300
kept = kept_features.KeptFeatures(Path(folder), {"encoder": "tiny"})
keys = [str(number) for number in range(200)]
random.Random(seed).shuffle(keys)
calls = []
for number, key in enumerate(keys):
    if end == "killed" and number == 105:
        os.kill(os.getpid(), signal.SIGKILL)
    found = kept.of(key, lambda: calls.append(key) or {"states": torch.full((3, 2), float(key))})
    assert found["states"].eq(float(key)).all(), key
print(len(calls))
"""


def start(folder: Path, seed: int, end: str) -> subprocess.Popen:
    command = [sys.executable, "-c", PROGRAM, str(folder), str(seed), end]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    return subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True)


def test_two_programs_in_one_folder_and_a_killed_one_spoil_nothing(tmp_path):
    killed = start(tmp_path, 0, "killed")
    assert killed.wait(100) == -signal.SIGKILL
    both = [start(tmp_path, seed, "") for seed in (1, 2)]
    told = [int(program.communicate(timeout=100)[0]) for program in both]
    # It had written 8 files of 13 inputs, at 24 bytes each. Of the others each program computes
    # those that the other one has not written before.
    assert all(count <= 200 - 8 * 13 for count in told) and sum(told) >= 200 - 8 * 13
    kept = KeptFeatures(tmp_path, {"encoder": "tiny"})
    for number in range(200):  # what was still waiting as a program ended was written at its end
        assert kept.of(str(number), dict)["states"].eq(number).all()


def test_what_a_program_has_computed_stays_its_own_beside_another_programs(tmp_path):
    mine, other = KeptFeatures(tmp_path, IDENTITY), KeptFeatures(tmp_path, IDENTITY)
    mine.add("1", {"states": value("1")})
    other.add("1", {"states": value("1") + 1e-7})
    other.add("2", {"states": value("2")})
    other.flush()
    assert torch.equal(mine.of("2", dict)["states"], value("2"))
    for _ in range(2):
        assert torch.equal(mine.of("1", dict)["states"], value("1"))
        mine.flush()


def test_threads_that_ask_at_once_get_the_same(tmp_path, monkeypatch):
    monkeypatch.setattr(kept_features, "FILE_BYTES", 300)
    kept, wrong = KeptFeatures(tmp_path, IDENTITY), []

    def ask(seed: int) -> None:
        keys = [str(number) for number in range(100)]
        random.Random(seed).shuffle(keys)
        encoder = Encoder()
        wrong.extend(key for key in keys if not torch.equal(encoder(kept, key), value(key)))

    threads = [threading.Thread(target=ask, args=(seed,)) for seed in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong and not any(path.name.startswith(".") for path in files(tmp_path))


def test_a_full_disk_is_told_and_nothing_half_is_left(tmp_path, monkeypatch):
    encoder, kept = Encoder(), KeptFeatures(tmp_path, IDENTITY)
    encoder(kept, "1")

    def full(tensors, path, metadata):
        path.write_bytes(b"half")
        raise SafetensorError("I/O error: No space left on device (os error 28)")

    with monkeypatch.context() as patched:
        patched.setattr(safetensors.torch, "save_file", full)
        with pytest.raises(OSError, match="cannot be written: No space left on device") as caught:
            kept.flush()
    assert str(tmp_path) in caught.value.filename and not files(tmp_path)
    kept.flush()  # there is room again
    encoder(KeptFeatures(tmp_path, IDENTITY), "1")
    assert encoder.calls == ["1"]


def test_a_damaged_file_is_named_with_what_to_do(tmp_path):
    kept = KeptFeatures(tmp_path, IDENTITY)
    Encoder()(kept, "1")
    kept.flush()
    [path] = files(tmp_path)
    path.write_bytes(path.read_bytes()[:-5])
    with pytest.raises(ValueError, match=f"{path.name} is damaged .* computed again"):
        KeptFeatures(tmp_path, IDENTITY)


def test_a_folder_that_cannot_be_is_told_at_once(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(OSError, match="cannot be written"):
        KeptFeatures(tmp_path / "file", IDENTITY)


def test_what_a_killed_program_left_is_removed_when_it_is_old(tmp_path):
    kept = KeptFeatures(tmp_path, IDENTITY)
    Encoder()(kept, "1")
    kept.flush()
    [path] = files(tmp_path)
    old, new = (path.with_name(f".{name}.1.partial.safetensors") for name in ("old", "new"))
    for left in (old, new):
        left.write_bytes(b"half")
    os.utime(old, times=(time.time() - 2 * LEFT_S,) * 2)
    KeptFeatures(tmp_path, IDENTITY)
    assert files(tmp_path) == sorted([new, path])


def test_features_without_a_usable_name_are_refused():
    kept = KeptFeatures(None, {})
    for made in ({}, {"a:b": torch.zeros(1)}):
        with pytest.raises(ValueError, match="expected one name or more, without a colon"):
            kept.of("1", lambda made=made: made)


def test_a_hash_tells_weights_buffers_types_and_shapes_apart():
    torch.manual_seed(0)
    network = nn.Sequential(nn.Linear(2, 2), nn.BatchNorm1d(2))
    seen = {hash_weights(network)}
    network[0].weight.data[0, 0] += 1e-6
    seen.add(hash_weights(network))
    network[1].running_mean[0] = 0.5
    seen.add(hash_weights(network))
    zeros = [torch.zeros(4), torch.zeros(2, 2), torch.zeros(4).int(), torch.zeros(5)]
    seen |= {hash_tensors({"a": one}) for one in zeros} | {hash_tensors({"b": zeros[0]})}
    assert len(seen) == 8
    assert hash_tensors({"a": zeros[0], "b": zeros[1]}) == hash_tensors(
        {"b": zeros[1], "a": zeros[0]}
    )


def test_a_file_says_whose_features_it_holds(tmp_path):
    kept = KeptFeatures(tmp_path, IDENTITY)
    Encoder()(kept, "1")
    kept.flush()
    with safetensors.safe_open(files(tmp_path)[0], "pt") as file:
        assert json.loads(file.metadata()["identity"]) == IDENTITY


def test_memory_holds_no_more_than_it_may_and_what_was_forgotten_is_computed_again():
    encode, kept = Encoder(), KeptFeatures(None, IDENTITY, most_bytes=80)  # 26 bytes each
    for key in ("1", "2", "3", "4"):
        encode(kept, key)
    assert "1" not in kept and all(key in kept for key in ("2", "3", "4"))
    torch.testing.assert_close(encode(kept, "1"), value("1"))
    assert encode.calls == ["1", "2", "3", "4", "1"]
    small = KeptFeatures(None, IDENTITY, most_bytes=1)
    encode(small, "7")
    assert "7" in small, "the last one stays, however large"
