"""A set gets the change that another has seen, tensor by tensor."""

from pathlib import Path

import torch
from safetensors.torch import load_file, save_file

from tasks.avsr.training.enrolment.moved_set import write_moved


def write(folder: Path, **tensors: torch.Tensor) -> Path:
    folder.mkdir()
    save_file(tensors, folder / "adapter.safetensors", {"told": "what"})
    (folder / "set.json").write_text(folder.name)
    return folder


def test_the_difference_is_added_and_what_has_none_stays(tmp_path):
    count = torch.tensor([3])
    own = write(tmp_path / "own", a=torch.tensor([1.0, 2.0]).half(), b=torch.ones(1), n=count)
    before = write(tmp_path / "before", a=torch.tensor([0.5, 0.0]).half(), b=torch.ones(2), n=count)
    after = write(tmp_path / "after", a=torch.tensor([0.75, -1]).half(), b=torch.ones(2), n=count)
    save_file({"c": torch.ones(1)}, own / "alone.safetensors")
    moved = write_moved(own, before, after, tmp_path / "moved")
    found = load_file(moved / "adapter.safetensors")
    assert found["a"].tolist() == [1.25, 1.0] and found["a"].dtype == torch.float16
    assert found["b"].tolist() == [1.0] and found["n"].tolist() == [3]
    assert load_file(moved / "alone.safetensors")["c"].tolist() == [1.0]
    assert (moved / "set.json").read_text() == "own"


def test_no_change_changes_nothing(tmp_path):
    own = write(tmp_path / "own", a=torch.randn(4).half())
    same = write(tmp_path / "same", a=torch.randn(4).half())
    moved = write_moved(own, same, same, tmp_path / "moved")
    name = "adapter.safetensors"
    assert torch.equal(load_file(moved / name)["a"], load_file(own / name)["a"])
