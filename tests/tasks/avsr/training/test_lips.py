"""A lip encoder that is trained on keeps what a feature means, and learns no word it cannot say."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from modalities.network_file import load_network, save_network
from modalities.vision.lips import LipNetwork, LipOptions
from tasks.avsr.training.config import DataOptions, LipConfig
from tasks.avsr.training.lips import UNLEARNT, LipReading
from tasks.training.loop import train
from tasks.training.options import LoopOptions

LOOP = LoopOptions(steps=4, batch=4, learning_rate=0.01, warmup=0, measure_every=4)
SIZES = {"channels": (4, 8), "dim": 16, "layers": 1}


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


def test_words_without_a_class_are_not_learnt_as_silence(prepared, tmp_path):
    task = LipReading(config(prepared, begin(tmp_path, "one", "three")))
    labels = task.load(0, np.random.default_rng(0))["labels"].tolist()
    assert 0 in labels and UNLEARNT in labels and 2 in labels and 1 not in labels
    fresh = LipReading(LipConfig(data=DataOptions(str(prepared)), loop=LOOP))
    assert UNLEARNT not in fresh.load(0, np.random.default_rng(0))["labels"].tolist()
    assert 0 <= task.measure()["frame_accuracy"] <= 100


def test_mistakes(prepared, tmp_path):
    with pytest.raises(ValueError, match=r"None of the words in the clips \(one, two.*\) is one"):
        LipReading(config(prepared, begin(tmp_path, "four")))
    with pytest.raises(FileNotFoundError, match="No lip encoder 'nowhere'"):
        LipReading(config(prepared, Path("nowhere")))
    with pytest.raises(ValueError, match="keep is 'old' without start"):
        LipConfig(keep="old")
