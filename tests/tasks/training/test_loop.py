import json

import numpy as np
import pytest
import torch
from torch import nn

from tasks.training.loop import CHECKPOINT, CURVES, METRICS, LoopOptions, train

OPTIONS = LoopOptions(
    steps=12, batch=4, learning_rate=0.05, warmup=2, checkpoint_every=3, measure_every=6
)


class Line:
    """Learns y = 3 x, with noise on x and dropout, so that every draw counts."""

    def __init__(self, stop_at: int = 0):
        torch.manual_seed(0)
        self.layer = nn.Sequential(nn.Linear(1, 8), nn.Dropout(0.2), nn.Linear(8, 1))
        self.layer.register_buffer("seen", torch.zeros(()))
        self.module = _Learner(self.layer)
        self.size = 10
        self.loads = 0
        self.stop_at = stop_at
        self.exported: dict[str, float] = {}

    def load(self, index, random):
        self.loads += 1
        if self.stop_at and self.loads > self.stop_at:
            raise KeyboardInterrupt
        return index + random.normal() / 10, 3.0 * index

    def collate(self, examples):
        return {
            "x": torch.tensor([[x] for x, _ in examples], dtype=torch.float32) / 10,
            "y": torch.tensor([[y] for _, y in examples]) / 10,
        }

    def measure(self):
        return {"error": float(self.layer(torch.tensor([[0.5]]))[0, 0].detach() - 1.5)}

    def export(self, folder, measured):
        self.exported = measured


class _Learner(nn.Module):
    def __init__(self, layer):
        super().__init__()
        self.layer = layer

    def forward(self, batch):
        self.layer.seen += 1
        return {"loss": (self.layer(batch["x"]) - batch["y"]).square().mean()}


def state(task):
    return torch.cat([value.flatten() for value in task.layer.state_dict().values()])


def test_a_killed_training_ends_where_one_that_was_not_does(tmp_path):
    whole = Line()
    measured = train(whole, OPTIONS, tmp_path / "whole", device="cpu")
    with pytest.raises(KeyboardInterrupt):
        train(Line(stop_at=33), OPTIONS, tmp_path / "killed", device="cpu")
    cut = torch.load(tmp_path / "killed" / CHECKPOINT, weights_only=True)
    assert cut["step"] == 6 and cut["seconds"] > 0
    torch.save({**cut, "seconds": 1000.0}, tmp_path / "killed" / CHECKPOINT)
    resumed = Line()
    again = train(resumed, OPTIONS, tmp_path / "killed", device="cpu")
    assert torch.equal(state(resumed), state(whole))
    assert again == measured
    assert {**measured, "seconds": whole.exported["seconds"]} == whole.exported
    ended = torch.load(tmp_path / "killed" / CHECKPOINT, weights_only=True)
    assert ended["seconds"] > 1000 > whole.exported["seconds"]  # before it was killed, too
    lines = [(tmp_path / name / METRICS).read_text() for name in ("whole", "killed")]
    assert lines[0] == lines[1]
    assert (tmp_path / "killed" / CURVES).stat().st_size > 1000


def test_what_is_learnt_lowers_the_loss(tmp_path):
    train(Line(), LoopOptions(steps=200, batch=8, warmup=5, learning_rate=0.03), tmp_path)
    rows = [json.loads(line) for line in (tmp_path / METRICS).read_text().splitlines()]
    assert rows[-1]["loss"] < 0.5 * rows[0]["loss"]


def test_every_example_comes_once_an_epoch(tmp_path):
    seen = []
    task = Line()
    task.load = lambda index, random: seen.append(index) or (index, 3.0 * index)
    train(task, LoopOptions(steps=5, batch=4), tmp_path, device="cpu")
    assert sorted(seen[:10]) == sorted(seen[10:]) == list(range(10))
    assert seen[:10] != seen[10:]


def test_another_experiment_in_the_folder_is_refused(tmp_path):
    train(Line(), OPTIONS, tmp_path, device="cpu", settings={"name": "a"})
    with pytest.raises(ValueError, match="holds another experiment"):
        train(Line(), OPTIONS, tmp_path, device="cpu", settings={"name": "b"})


def test_a_damaged_checkpoint_is_named(tmp_path):
    (tmp_path / CHECKPOINT).write_bytes(b"nothing")
    with pytest.raises(ValueError, match=r"checkpoint.pt is damaged .*; remove it"):
        train(Line(), OPTIONS, tmp_path, device="cpu")


def test_a_loss_that_is_not_finite_stops_the_training(tmp_path):
    task = Line()
    task.load = lambda index, random: (np.nan, 1.0)
    with pytest.raises(ValueError, match=r"loss is nan at step 0; lower loop.learning_rate"):
        train(task, OPTIONS, tmp_path, device="cpu")


@pytest.mark.parametrize("name", ["steps", "batch", "checkpoint_every", "measure_every"])
def test_options_below_one_are_refused(name):
    with pytest.raises(ValueError, match=f"Option '{name}' is 0; expected 1 or more"):
        LoopOptions(**{name: 0})
