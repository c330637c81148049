import numpy as np
import pytest
import torch

from tasks.training.loop import train
from tasks.training.options import LoopOptions
from tools.train_digit_reader import (
    NOTHING,
    DigitReading,
    load_reader,
    measure_reader,
)


def test_one_digit_has_nothing_beside_it():
    task = DigitReading(0)
    batch = task.collate([task.load(n, np.random.default_rng(n)) for n in range(30)])
    assert batch["pictures"].shape == (30, 16, 32) and batch["numbers"].shape == (30, 2)
    first, second = batch["numbers"].T
    assert first.max() <= 9 and set(second.tolist()) > {NOTHING}
    middle = batch["pictures"][second == NOTHING]
    assert middle[:, :, 8:24].mean() > 3 * middle[:, :, :7].mean()


def test_it_learns_and_reads_the_same_from_disk(tmp_path, monkeypatch):
    monkeypatch.setattr("tools.train_digit_reader.MEASURED", 100)
    loop = LoopOptions(steps=40, batch=32, learning_rate=3e-3, warmup=0, measure_every=40)
    measured = train(DigitReading(0), loop, tmp_path, device="cpu")
    reader = load_reader(tmp_path)
    assert measured["read"] > 10 and measure_reader(reader) == pytest.approx(
        measured["read"], abs=5
    )
    said = reader.read(torch.zeros(3, 16, 32, 3))
    assert len(said) == 3 and all(1 <= len(one) <= 2 and max(one) <= 9 for one in said)
