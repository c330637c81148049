"""The study of growth: decisions, what is trained and what stays, what is told."""

import pytest
import torch

from fusion.routing.growth import expert_of
from tools import digit_lessons, routers_growth
from tools.digit_lessons import Way
from tools.routers_growth import ORDER, Plan, Stream, run_plan, write_growth


@pytest.fixture
def quick(monkeypatch, tmp_path):
    """Four scenarios far apart, five clips a step, trainings of two steps."""
    monkeypatch.setattr(routers_growth, "FOLDER", tmp_path)
    monkeypatch.setattr(routers_growth, "STREAMS", {"one": ("clean", "hum", "clipping", "beeps")})
    monkeypatch.setattr(routers_growth, "CLIPS", 5)
    monkeypatch.setattr(routers_growth, "LEARN", Way(2, 3e-3))
    monkeypatch.setattr(digit_lessons, "BATCH", 4)


def test_sets_that_were_learnt_keep_their_bytes_to_the_end(noisy_digits, quick):
    stream, kept = Stream(noisy_digits, "one", Plan("always")), []
    for step in range(3):
        stream.meet(step)
        for number, old in enumerate(kept):
            new = expert_of(stream.bank, number)
            assert all(torch.equal(tensor, new[name]) for name, tensor in old.items())
        kept.append({k: t.clone() for k, t in expert_of(stream.bank, step).items()})
    assert stream.met == ["A1", "B2", "A3"] and stream.bank.count() == 0
    assert any(not torch.equal(kept[0][name], kept[2][name]) for name in kept[0])


@pytest.mark.parametrize(
    ("plan", "sets"), [(Plan("never"), 1), (Plan("always"), 6), (Plan(method="sema"), None)]
)
def test_plans_are_run_and_measured(noisy_digits, quick, plan, sets):
    found = run_plan(noisy_digits, "one", plan)
    assert found["sets"] == len(set(found["met"])) and len(found["met"]) == len(ORDER)
    assert sets in (None, found["sets"])
    assert list(found["then"]) == list(found["end"]) == ["clean", "hum", "clipping", "beeps"]
    if plan.grows == "never":
        again = run_plan(noisy_digits, "one", plan)  # from what was trained before
        assert again == found


def test_clips_in_use_take_the_set_that_they_are_nearest_to(noisy_digits, quick):
    stream = Stream(noisy_digits, "one", Plan("always"))
    for step in range(2):
        stream.meet(step)
    for by_clip in (False, True):
        stream.plan = Plan("always", by_clip=by_clip)
        for name, expected in (("clean", "A1"), ("hum", "B2")):
            clips = noisy_digits.load([name], "test")
            assert set(stream.nearest(clips)) == {expected}


def result(met: str, end: float) -> dict:
    return {
        "met": met.split(),
        "sets": len(set(met.split())),
        "then": {"a": 20.0},
        "end": {"a": end},
    }


@pytest.mark.parametrize(
    ("met", "exact"),
    [
        ("A1 B2 A1 C4 B2 D6", True),
        ("A1 B2 A1 C4 A1 D6", False),  # taken for another
        ("A1 B2 A3 C4 B2 D6", False),  # grown for nothing
        ("A1 A1 A1 C4 A1 D6", False),
    ],
)
def test_growth_is_called_exact_where_it_is(monkeypatch, met, exact):
    monkeypatch.setattr(routers_growth, "STREAMS", {"one": ("a",)})
    plans = {"grows, the nearest set": {"one": result(met, 20.5)}}
    decided, table, _, told = write_growth({"one": {"a": 40.0}}, plans)
    assert ("not exact" in decided) != exact
    assert f"in {int(exact)} of 1 streams" in told and "loses is 0.5 points, not within" in told
    assert "| 40.0 |" in table and "| 20.0 | 20.5 | +0.5 |" in table
