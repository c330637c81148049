"""A lip encoder that is trained on keeps what a feature means, and learns no word it cannot say."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from modalities.network_file import load_network, save_network
from modalities.vision.lips import LipEncoder, LipNetwork, LipOptions, load_lip_encoder
from tasks.avsr.training import mouth_changes
from tasks.avsr.training.config import AugmentOptions, DataOptions, LipConfig
from tasks.avsr.training.lips import UNLEARNT, LipReading
from tasks.avsr.training.mouth_changes import NO_CHANGE, change_pictures
from tasks.training.loop import train
from tasks.training.options import LoopOptions

LOOP = LoopOptions(steps=4, batch=4, learning_rate=0.01, warmup=0, measure_every=4)
SIZES = {"channels": (4, 8), "dim": 16, "layers": 1}
LIPS = LipOptions(words=("one", "two"), **SIZES)


@pytest.fixture(scope="module")
def prepared(tmp_path_factory, write_prepared) -> Path:
    return write_prepared(tmp_path_factory.mktemp("prepared"), 1.0)


def begin(folder: Path, *words: str) -> Path:
    torch.manual_seed(0)
    save_network(LipNetwork(LipOptions(words=words, **SIZES)), folder / "start.safetensors")
    return folder / "start.safetensors"


def config(prepared: Path, start: Path, **changes) -> LipConfig:
    data = DataOptions(str(prepared))
    return replace(LipConfig(data=data, start=str(start), loop=LOOP), **changes)


@pytest.fixture
def wide(prepared, tmp_path) -> LipConfig:
    """Holds features of unchanged pictures; without a split all clips are kept."""
    start = begin(tmp_path, "one", "two")
    return config(prepared, start, keep="train", unchanged=True, hold=30.0)


def load_batch(task: LipReading) -> dict:
    return task.collate([task.load(n, np.random.default_rng(n)) for n in range(2)])


def learn(config: LipConfig) -> float:
    """Learn a little, and return how far features of unchanged pictures have moved."""
    task = LipReading(config)
    batch = load_batch(task)
    task.module.train()
    weights = [weight for weight in task.network.parameters() if weight.requires_grad]
    for _ in range(4):
        found = torch.autograd.grad(task.module(batch)["loss"], weights)
        with torch.no_grad():
            for weight, gradient in zip(weights, found, strict=True):
                weight -= 0.1 * gradient
    first, last = load_lip_encoder(config.start), LipEncoder(task.network)
    crops = torch.from_numpy(task.training[0].crops)[None]
    old, new = first(crops).values, last(crops).values
    return float((new - old).square().mean() / old.var())


def test_head_and_statistics_stay_and_all_else_learns(prepared, tmp_path):
    start = begin(tmp_path, "one", "two", "three")
    before = load_network(LipNetwork, LipOptions, start)
    task = LipReading(config(prepared, start))
    assert task.options.words == ("one", "two", "three")
    train(task, LOOP, tmp_path / "out", device="cpu")
    after = load_network(LipNetwork, LipOptions, tmp_path / "out/lips.safetensors")
    old, new = before.state_dict(), after.state_dict()
    stays = [name for name in old if "head" in name or "running" in name]
    assert stays and all(torch.equal(old[name], new[name]) for name in stays)
    changed = [n for n in old if n not in stays and not torch.equal(old[n], new[n])]
    assert {name.split(".")[0] for name in changed} >= {"stem", "pictures", "flat", "over_time"}


def test_a_mean_that_is_taken_away_is_written_down_and_kept_by_who_goes_on(prepared, tmp_path):
    start = begin(tmp_path, "one", "two")
    first = LipReading(config(prepared, start, mean_removed=1.0))
    assert first.load(0, np.random.default_rng(0))["pictures"].sum(0).abs().max() < 1e-3
    first.export(tmp_path, {})
    again = LipReading(config(prepared, tmp_path / "lips.safetensors"))
    assert again.network.options.mean_removed == 1.0
    with pytest.raises(ValueError, match="set without start; say lips.mean_removed"):
        LipConfig(mean_removed=0.5)
    with pytest.raises(ValueError, match="'mean_removed' is 2; expected a share"):
        LipOptions(mean_removed=2)


def test_what_is_kept_moves_less_than_what_is_not(prepared, tmp_path):
    start = begin(tmp_path, "one", "two")
    before = load_network(LipNetwork, LipOptions, start)
    pictures = torch.randn(2, 25, 48, 64, generator=torch.Generator().manual_seed(0))
    mask = torch.ones(2, 25, dtype=torch.bool)
    moved = []
    for keep, hold in (("train", 0.0), ("train", 1000.0)):
        # Without a split all clips are in every part, so that all are kept.
        task = LipReading(config(prepared, start, keep=keep, hold=hold))
        train(task, LOOP, tmp_path / f"hold{hold:g}", device="cpu")
        with torch.no_grad():
            apart = task.network.eval()(pictures, mask) - before(pictures, mask)
        moved.append(float(apart.square().mean()))
    assert moved[1] < moved[0] / 2


def test_features_of_unchanged_pictures_are_held_where_asked(wide):
    held, free = learn(wide), learn(replace(wide, hold=0.0))
    assert 0 < held < 0.5 * free


def test_it_begins_as_the_first_one_and_keeps_what_that_normalises_by(wide):
    task = LipReading(wide)
    first = load_lip_encoder(wide.start).network
    for name, value in task.network.state_dict().items():
        assert torch.equal(value, first.state_dict()[name])
    batch = load_batch(task)
    task.module.train()
    found = task.module(batch)
    assert found["loss"] > found["held"] > 0  # of dropout alone
    assert found.keys() <= set(wide.measures)
    for name, value in task.network.named_buffers():
        assert torch.equal(value, first.state_dict()[name])
    task.module.eval()
    assert task.module(batch)["held"].item() < 1e-9


def test_how_pictures_were_changed_says_nothing_of_what_is_held_of_unchanged_ones(wide):
    """The mean square over what is seen of kept clips, computed by the encoder from their crops."""
    task = LipReading(wide)
    task.kept = {task.training[1].clip.id}
    batch = load_batch(task)
    assert batch["kept"].tolist() == [False, True] and len(batch["plain"]) == 1
    with torch.no_grad():
        task.network.over_time.get_parameter("bias_hh_l0").add_(0.5)
    task.module.eval()
    crops = torch.from_numpy(task.training[1].crops)[None]
    seen = torch.from_numpy(task.training[1].clip.mask())[None]
    old = load_lip_encoder(wide.start)(crops, seen).values
    apart = (LipEncoder(task.network)(crops, seen).values - old)[seen]
    torch.testing.assert_close(task.module(batch)["held"], apart.square().mean())
    task.kept = set()
    assert task.module(load_batch(task)).keys() == {"loss"}


def test_words_without_a_class_are_not_learnt_as_silence(prepared, tmp_path):
    task = LipReading(config(prepared, begin(tmp_path, "one", "three")))
    labels = task.load(0, np.random.default_rng(0))["labels"].tolist()
    assert 0 in labels and UNLEARNT in labels and 2 in labels and 1 not in labels
    fresh = LipReading(LipConfig(data=DataOptions(str(prepared)), loop=LOOP))
    assert UNLEARNT not in fresh.load(0, np.random.default_rng(0))["labels"].tolist()
    assert 0 <= task.measure()["frame_accuracy"] <= 100


@pytest.mark.parametrize("change", [{"blur": 3.0}, {"codec": 1.0}])
def test_worse_pictures_lose_detail_and_no_change_leaves_them(change):
    random = np.random.default_rng(0)
    crops, mask = random.integers(0, 256, (5, 96, 96), np.uint8), np.ones(5, bool)
    plain, _, _ = change_pictures(crops, mask, LIPS, NO_CHANGE, np.random.default_rng(1))
    worse, kept, seen = change_pictures(
        crops, mask, LIPS, replace(NO_CHANGE, **change), np.random.default_rng(1)
    )
    assert seen.all() and kept.tolist() == [0, 1, 2, 3, 4]
    likeness = np.corrcoef(plain.flatten(), worse.flatten())[0, 1]
    assert 0.05 < likeness < 0.98


def test_older_trainings_draw_as_before(monkeypatch):
    """Pictures and the next draw are as if nothing could make pictures worse."""
    draws = [np.random.default_rng(3) for _ in range(2)]
    crops = np.random.default_rng(0).integers(0, 256, (5, 96, 96), np.uint8)
    mask = np.ones(5, bool)
    now, _, _ = change_pictures(crops, mask, LIPS, AugmentOptions(), draws[0])
    monkeypatch.setattr(mouth_changes, "_make_worse", lambda *parts: None)
    before, _, _ = change_pictures(crops, mask, LIPS, AugmentOptions(), draws[1])
    assert torch.equal(now, before) and draws[0].random() == draws[1].random()


def test_mistakes(prepared, tmp_path):
    with pytest.raises(ValueError, match=r"None of the words in the clips \(one, two.*\) is one"):
        LipReading(config(prepared, begin(tmp_path, "four")))
    with pytest.raises(FileNotFoundError, match="No lip encoder 'nowhere'"):
        LipReading(config(prepared, Path("nowhere")))
    with pytest.raises(ValueError, match="keep is 'old' without start"):
        LipConfig(keep="old")
    with pytest.raises(ValueError, match="unchanged is true without keep"):
        LipConfig(start="lips-grid", unchanged=True)
    with pytest.raises(ValueError, match="expected 0 or more"):
        LipConfig(start="lips-grid", hold=-1.0)
