"""Gates over the shipped sets, trained for two steps on tones and noise made here."""

from pathlib import Path

import numpy as np
import pytest
import torch

from tasks.avsr.training.clips import DataOptions
from tasks.avsr.training.config import NoiseOptions, SightOptions
from tasks.avsr.training.gates import GateConfig, GateTraining, draw_in_turn, draw_places
from tasks.training.loop import LoopOptions, train

LOOP = LoopOptions(steps=2, batch=2, learning_rate=0.01, measure_every=2)


@pytest.fixture(scope="module")
def task(tmp_path_factory, write_prepared) -> GateTraining:
    folder = write_prepared(tmp_path_factory.mktemp("prepared"), 3.0)
    return GateTraining(
        GateConfig(
            sets=("babble", "music"),
            labels=1.0,
            changing=1.0,
            data=DataOptions(str(folder)),
            every=2,
            noise=NoiseOptions(categories=("music", "natural"), room=0.0, crowd=0.0),
            sight=SightOptions(dropout=0.0, wrong=0.0, frozen=0.0, variants=1),
            loop=LOOP,
        )
    )


def test_every_second_clip_is_learnt_from(task):
    assert task.size == 4
    assert [sample.clip.id for sample in task.training] == ["s_0", "s_2", "s_4", "s_6"]


def test_labels_follow_the_noise_and_padding_has_none(task):
    examples = [task.load(n, np.random.default_rng(n)) for n in range(4)]
    labels = task.collate(examples)["labels"]
    assert labels.shape == (4, 160)
    # "natural" has no set of its name here, as nothing has after 3 s.
    assert set(labels[:, :150].unique().tolist()) == {-100, 1}
    assert (labels[:, 150:] == -100).all()
    changes = (labels[:, 1:150] != labels[:, :149]).sum(1)
    assert ((changes >= 1) & (changes <= 2)).all()


def test_gates_alone_learn_and_are_written(task, tmp_path):
    gates = {id(p) for p in task.gated.gates()}
    trained = [p for p in task.module.parameters() if p.requires_grad]
    assert {id(p) for p in trained} == gates
    frozen = {
        n: p.detach().clone() for n, p in task.module.named_parameters() if id(p) not in gates
    }
    found = train(task, LOOP, tmp_path, device="cpu")
    assert {"loss", "transcript", "labels"} <= set(found)
    assert all(bool(p.detach().any()) for p in trained)
    now = dict(task.module.named_parameters())
    assert all(torch.equal(now[name], tensor) for name, tensor in frozen.items())
    assert {path.name for path in (Path(tmp_path) / "gates").iterdir()} == {
        "router.json",
        "router.safetensors",
        "fusion_gates.safetensors",
    }


def test_stretches_last_a_fifth_of_a_clip_or_more_and_no_noise_follows_itself():
    random = np.random.default_rng(0)
    for count in (1, 2, 3):
        places = np.array([draw_places(1000, count, random) for _ in range(200)])
        ends = np.concatenate([np.zeros((200, 1)), places, np.full((200, 1), 1000)], 1)
        assert np.diff(ends).min() >= 199
        assert places[:, 0].std() > 20
    drawn = draw_in_turn(("a", "b", "c"), 300, random)
    assert set(drawn) == {"a", "b", "c"}
    assert all(one != other for one, other in zip(drawn, drawn[1:], strict=False))
    assert draw_in_turn(("a",), 2, random) == ["a", "a"]
