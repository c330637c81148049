import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

from tasks.training import loop
from tasks.training.loop import CHECKPOINT, CURVES, METRICS, train
from tasks.training.options import LoopOptions, describe, tell_difference

OPTIONS = LoopOptions(
    steps=12, batch=4, learning_rate=0.05, warmup=2, checkpoint_every=3, measure_every=6
)


class Line:
    """Learns y = 3 x, with noise on x and dropout, so that every draw counts."""

    def __init__(self, stop_at: int = 0, dropout: float = 0.2):
        torch.manual_seed(0)
        self.layer = nn.Sequential(nn.Linear(1, 8), nn.Dropout(dropout), nn.Linear(8, 1))
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
    with pytest.raises(ValueError, match=r"another experiment \(name was 'a' and is 'b'\); take"):
        train(Line(), OPTIONS, tmp_path, device="cpu", settings={"name": "b"})
    longer, steps = replace(OPTIONS, steps=OPTIONS.steps + 1), OPTIONS.steps
    with pytest.raises(ValueError, match=rf"\(loop.steps was {steps} and is {steps + 1}\)"):
        train(Line(), longer, tmp_path, device="cpu", settings={"name": "a"})


def test_of_many_differences_between_experiments_some_are_told():
    before, now = (
        describe(
            OPTIONS, {"method": {"rank": rank, "where": rank}, "loop": {"steps": rank}, "a": rank}
        )
        for rank in (1, 2)
    )
    assert tell_difference(before, now).count(" was ") == 3
    assert tell_difference(before, now).endswith(", and 1 more)")
    assert tell_difference(describe(OPTIONS, None), describe(OPTIONS, "b")) == ""


def test_a_damaged_checkpoint_is_named(tmp_path):
    (tmp_path / CHECKPOINT).write_bytes(b"nothing")
    with pytest.raises(ValueError, match=r"checkpoint.pt is damaged .*; remove it"):
        train(Line(), OPTIONS, tmp_path, device="cpu")


def test_a_task_that_trains_nothing_is_refused_before_anything_is_written(tmp_path):
    task = Line()
    task.module.requires_grad_(False)
    with pytest.raises(ValueError, match=r"Nothing of Line learns; expected .*mcgurk evaluate"):
        train(task, OPTIONS, tmp_path / "out", device="cpu")
    assert not (tmp_path / "out" / CHECKPOINT).exists()


def test_a_loss_that_is_not_finite_stops_the_training(tmp_path):
    task = Line()
    task.load = lambda index, random: (np.nan, 1.0)
    with pytest.raises(ValueError, match=r"loss is nan at step 0; lower loop.learning_rate"):
        train(task, OPTIONS, tmp_path, device="cpu")


CHANGES = [
    {"schedule": "linear"},
    {"accumulation": 3},
    {"precision": "bfloat16"},
    {"precision": "float16"},
    {"average": 0.8},
    {"accumulation": 2, "precision": "bfloat16", "average": 0.5},
    {"schedule": "plateau", "watch": "-loss", "patience": 0, "measure_every": 2},
    {"best": "-error", "stop_after": 1, "least_steps": 10, "measure_every": 1},
    {"best": "-error", "measure_every": 2, "average": 0.5},
]


@pytest.mark.parametrize("changes", CHANGES, ids=str)
def test_a_killed_training_ends_at_the_same_bits_with_any_option(tmp_path, changes, monkeypatch):
    # A CPU bears float16, slowly: what keeps its gradients from 0 is the same as on a GPU.
    monkeypatch.setattr(loop, "check_precision", lambda name, device: None)
    options = replace(OPTIONS, **changes)
    whole, plain, resumed = Line(), Line(), Line()
    measured = train(whole, options, tmp_path / "whole", device="cpu")
    train(plain, OPTIONS, tmp_path / "plain", device="cpu")
    with pytest.raises(KeyboardInterrupt):
        train(Line(stop_at=33), options, tmp_path / "killed", device="cpu")
    assert train(resumed, options, tmp_path / "killed", device="cpu") == measured
    assert torch.equal(state(resumed), state(whole))
    assert not torch.equal(state(whole), state(plain))
    kept = [
        torch.load(tmp_path / name / CHECKPOINT, weights_only=True) for name in ("whole", "killed")
    ]
    assert str({**kept[0], "seconds": 0}) == str({**kept[1], "seconds": 0})


def test_a_batch_in_unequal_parts_teaches_what_a_whole_one_does(tmp_path):
    options = replace(OPTIONS, batch=7)
    whole, divided = Line(dropout=0), Line(dropout=0)
    train(whole, options, tmp_path / "whole", device="cpu")
    train(divided, replace(options, accumulation=3), tmp_path / "divided", device="cpu")
    assert divided.layer.seen == 3 * whole.layer.seen == 36
    torch.testing.assert_close(weights(divided), weights(whole), atol=1e-5, rtol=0)
    rows = [
        [json.loads(line) for line in (tmp_path / name / METRICS).read_text().splitlines()]
        for name in ("whole", "divided")
    ]
    for one, other in zip(*rows, strict=True):
        assert one["loss"] == pytest.approx(other["loss"], rel=1e-4)


def weights(task):
    return torch.cat([parameter.detach().flatten() for parameter in task.layer.parameters()])


def test_what_is_measured_and_exported_is_the_average_of_all_steps(tmp_path):
    task, decay, seen = Line(), 0.7, []
    average = weights(task)

    def follow(done, steps):
        nonlocal average
        average = decay * average + (1 - decay) * weights(task)

    task.measure = lambda: seen.append(weights(task)) or {}
    task.export = lambda folder, measured: seen.append(weights(task))
    train(task, replace(OPTIONS, average=decay), tmp_path, follow, device="cpu")
    assert len(seen) == 3 and not torch.equal(seen[0], seen[1])
    for found in seen[1:]:
        torch.testing.assert_close(found, average)
    learnt = torch.load(tmp_path / CHECKPOINT, weights_only=True)["module"]
    assert not torch.allclose(learnt["layer.0.weight"], task.layer[0].weight, atol=1e-3)


def test_bfloat16_is_of_the_forward_pass_alone(tmp_path):
    task, kinds = Line(), []
    task.layer[0].register_forward_hook(lambda layer, given, made: kinds.append(made.dtype))
    train(task, replace(OPTIONS, precision="bfloat16"), tmp_path, device="cpu")
    assert kinds.count(torch.bfloat16) == 12  # the steps; two measurements are in float32
    assert kinds.count(torch.float32) == len(kinds) - 12 == 2
    assert task.layer[0].weight.dtype == torch.float32


def test_a_precision_that_the_device_has_not_is_refused_before_anything_is_written(tmp_path):
    with pytest.raises(ValueError, match="'float16', which a CPU does not train in; take"):
        train(Line(), replace(OPTIONS, precision="float16"), tmp_path / "out", device="cpu")
    assert not (tmp_path / "out").exists()


def test_numbers_of_other_libraries_do_not_spoil_the_checkpoint(tmp_path):
    numbers = {
        "numpy": np.float64(0.25),
        "tensor": torch.tensor(0.5),
        "truth": np.bool_(True),
        "count": 3,
    }
    task = Line()
    task.measure = lambda: numbers
    measured = train(task, OPTIONS, tmp_path, device="cpu")
    assert measured.items() >= {"numpy": 0.25, "tensor": 0.5, "truth": 1.0, "count": 3.0}.items()
    assert all(type(measured[name]) is float for name in numbers)
    assert train(Line(), OPTIONS, tmp_path, device="cpu") == measured  # the checkpoint can be read


def test_a_measure_that_is_no_number_is_named(tmp_path):
    task = Line()
    task.measure = lambda: {"error": [1, 2]}
    with pytest.raises(ValueError, match=r"Line.measure\(\) gives 'error' as \[1, 2\] \(list\)"):
        train(task, OPTIONS, tmp_path, device="cpu")


def test_a_loss_that_is_no_number_is_named(tmp_path):
    task = Line()
    learn = task.module.forward
    task.module.forward = lambda batch: learn(batch) | {"part": torch.zeros(2)}
    with pytest.raises(ValueError, match=r"module of Line gives 'part' as tensor\(\[0., 0.\]\)"):
        train(task, OPTIONS, tmp_path, device="cpu")


class Scripted(Line):
    """A line whose score after each step is given, and which keeps its weights at each."""

    def __init__(self, scores: list[float], stop_at: int = 0):
        super().__init__(stop_at)
        self.scores = scores
        self.seen: dict[int, torch.Tensor] = {}

    def measure(self):
        step = int(self.layer.seen)
        self.seen[step] = state(self)
        return {"score": self.scores[step - 1]}


# Highest after step 5, which the second of two kills comes long after.
SCORES = [0.1, 0.3, 0.2, 0.4, 0.9, 0.5, 0.5, 0.6, 0.7, 0.8, 0.1, 0.2]
EACH = replace(OPTIONS, measure_every=1, checkpoint_every=1)


@pytest.mark.parametrize("average", [0.0, 0.7])
def test_the_weights_of_the_best_measurement_are_exported_with_it(tmp_path, average):
    options = replace(EACH, best="score", average=average)
    task = Scripted(SCORES)
    told = train(task, options, tmp_path / "whole", device="cpu")
    assert told["step"] == task.exported["step"] == 5 and told["score"] == 0.9
    assert torch.equal(state(task), task.seen[5]) and not torch.equal(task.seen[5], task.seen[12])
    rows = (tmp_path / "whole" / METRICS).read_text().splitlines()
    assert [json.loads(row)["score"] for row in rows] == SCORES  # it goes on to the end
    for stop_at in (4 * 3 + 1, 4 * 10 + 1):  # before the best, and after it
        folder = tmp_path / str(stop_at)
        with pytest.raises(KeyboardInterrupt):
            train(Scripted(SCORES, stop_at), options, folder, device="cpu")
        resumed = Scripted(SCORES)
        assert train(resumed, options, folder, device="cpu") == told
        assert torch.equal(state(resumed), state(task))


def test_a_training_stops_where_nothing_gets_better_and_stays_stopped(tmp_path):
    options = replace(EACH, best="score", stop_after=3, least_steps=2)
    task, shown = Scripted(SCORES), []
    told = train(task, options, tmp_path, lambda done, of: shown.append((done, of)), device="cpu")
    assert told["step"] == 5 and max(task.seen) == 8
    assert shown[-2:] == [(7, 12), (8, 8)]  # the bar ends full
    assert len((tmp_path / METRICS).read_text().splitlines()) == 8
    again = Scripted(SCORES)
    assert train(again, options, tmp_path, device="cpu") == told
    assert not again.seen and again.loads == 0
    assert torch.equal(state(again), state(task))


def test_a_measure_that_stands_still_lowers_the_learning_rate(tmp_path, monkeypatch):
    rates: list[float] = []

    class Noting(torch.optim.AdamW):
        def step(self, *given, **named):
            rates.append(self.param_groups[0]["lr"])
            return super().step(*given, **named)

    monkeypatch.setattr(torch.optim, "AdamW", Noting)
    options = replace(EACH, schedule="plateau", watch="score", patience=1, factor=0.5)
    task = Scripted([0.1, 0.3, *[0.2] * 10])
    train(task, options, tmp_path, device="cpu")
    height = options.learning_rate
    falls = [0.5 * height, *[height] * 3, *[height / 2] * 2, *[height / 4] * 2]
    assert rates == pytest.approx([*falls, *[height / 8] * 2, *[height / 16] * 2])


def test_a_goal_that_is_not_measured_is_told_at_the_first_measurement(tmp_path):
    task = Scripted(SCORES)
    words = "loop.best is 'scor', and no 'scor' is measured; known: loss, score. Did you mean"
    with pytest.raises(ValueError, match=words):
        train(task, replace(EACH, best="scor"), tmp_path, device="cpu")
    assert list(task.seen) == [1]


def test_each_epoch_is_measured_where_that_is_asked_for(tmp_path):
    options = replace(OPTIONS, epochs=3, measure_every=0)  # 10 examples by 4
    task = Scripted(SCORES)
    train(task, options, tmp_path, device="cpu")
    assert list(task.seen) == [3, 6, 9]


def test_a_checkpoint_of_before_there_was_a_best_is_gone_on_with(tmp_path):
    whole = Line()
    train(whole, OPTIONS, tmp_path / "whole", device="cpu")
    with pytest.raises(KeyboardInterrupt):
        train(Line(stop_at=33), OPTIONS, tmp_path / "old", device="cpu")
    path = tmp_path / "old" / CHECKPOINT
    content = torch.load(path, weights_only=True)
    del content["best"]
    torch.save(content, path)
    resumed = Line()
    train(resumed, OPTIONS, tmp_path / "old", device="cpu")
    assert torch.equal(state(resumed), state(whole))


@pytest.mark.parametrize(
    ("clips", "expected"),
    [
        ({"clip_norm": 0.0}, [30.0, -0.4]),
        ({"clip_norm": 0.0, "clip_value": 1.0}, [1.0, -0.4]),
        ({"clip_norm": 0.5, "clip_value": 0.3}, [0.3, -0.3]),
        ({"clip_norm": 0.3, "clip_value": 0.4}, [0.3 / 2**0.5, -0.3 / 2**0.5]),
        ({"clip_norm": 15.0}, [15.0, -0.2]),
    ],
    ids=str,
)
def test_gradients_are_clipped_by_value_and_then_by_norm(clips, expected, tmp_path, monkeypatch):
    seen = []
    step = torch.optim.AdamW.step
    monkeypatch.setattr(
        torch.optim.AdamW,
        "step",
        lambda self, *given: seen.append(self.param_groups[0]["params"][0].grad) or step(self),
    )
    train(_Steep(), replace(OPTIONS, steps=1, **clips), tmp_path, device="cpu")
    assert seen[0].tolist() == pytest.approx(expected, rel=1e-3)


class _Steep(Line):
    """Its gradient is 30 and -0.4, whatever it is shown."""

    def __init__(self):
        super().__init__()
        self.module = _Slope()

    def measure(self):
        return {}


class _Slope(nn.Module):
    def __init__(self):
        super().__init__()
        self.at = nn.Parameter(torch.zeros(2))

    def forward(self, batch):
        return {"loss": self.at @ torch.tensor([30.0, -0.4])}
