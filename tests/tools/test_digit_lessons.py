import pytest
import torch

from fusion.adapters.interface import attach
from fusion.routing.presets import attach_preset
from tasks.training.options import LoopOptions
from tools.digit_lessons import DigitLesson, digit_loss, measured_once, seeded, teach

SCENARIOS = ("clean", "hum")
OPTIONS = LoopOptions(steps=6, batch=8, learning_rate=3e-3, warmup=0)


def test_a_lora_learns_and_a_finished_training_is_taken_up(noisy_digits, tmp_path):
    clips = noisy_digits.load(["hum"], "train")
    losses = digit_loss()

    def lesson():
        ear = noisy_digits.build_ear()
        seeded(0, lambda: attach(ear, "lora", {"rank": 4}, ("q", "v", "fc1")))
        return DigitLesson(ear, clips, None, ["hum"], losses)

    first = lesson()
    batch = clips.take(range(len(clips)))
    before = losses(first.ear, batch)["loss"].item()
    teach(first, OPTIONS, tmp_path / "run")
    after = losses(first.ear, batch)["loss"].item()
    assert after < 0.9 * before
    again = lesson()
    teach(again, OPTIONS, tmp_path / "run")
    assert losses(again.ear, batch)["loss"].item() == pytest.approx(after, rel=1e-5)


def test_a_bank_is_told_the_scenario_of_each_clip(noisy_digits, tmp_path):
    ear = noisy_digits.build_ear()
    bank = attach_preset(ear, "poly", {"tasks": 2, "experts": 2})
    clips = noisy_digits.load(SCENARIOS, "train")
    seen = []

    def route(batch):
        seen.extend(batch.tasks.tolist())
        return bank.route(tasks=batch.tasks)

    lesson = DigitLesson(ear, clips, clips, SCENARIOS, digit_loss(route), route)
    found = teach(lesson, OPTIONS, tmp_path)
    assert 0 <= found["errors"] <= 100
    assert set(seen) == {0, 1}
    assert all(torch.isfinite(p).all() for p in bank.parameters())


def test_what_is_measured_is_measured_once(tmp_path):
    calls = []

    def measure():
        calls.append(1)
        return {"errors": 1.5}

    place = tmp_path / "a/b.json"
    assert measured_once(place, measure) == measured_once(place, measure) == {"errors": 1.5}
    assert len(calls) == 1
