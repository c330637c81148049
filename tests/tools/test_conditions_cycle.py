import pytest
import torch

from modalities.diffusion.small import SmallDenoiserOptions
from tools import conditions_cycle
from tools.conditions_bases import Base, BaseOptions
from tools.conditions_cycle import (
    EVALUATOR,
    SCORERS,
    TYPES,
    areas,
    choices,
    draw_case,
    one_step,
    paint_kept,
    score_all,
    teach_all,
)
from tools.conditions_cycle_types import CYCLES, read_all, spoil
from tools.conditions_pictures import draw_shapes
from tools.conditions_training import Lesson
from tools.digit_lessons import seeded

TINY = BaseOptions(
    10,
    2,
    denoiser=SmallDenoiserOptions(
        height=16,
        width=16,
        channels=(8, 8),
        attention=(0, 1),
        groups=4,
        heads=2,
        token_dim=8,
        tokens=2,
    ),
)


def test_each_condition_is_most_like_itself():
    data = read_all(draw_shapes("validation", 30, 1).values)
    for name, cycle in CYCLES.items():
        own = cycle.likeness(data[name], data[name])
        other = cycle.likeness(data[name], data[name].roll(1, 0))
        assert torch.allclose(own, own[:1].expand_as(own)) and (other <= own).all()
        assert other.mean() < own.mean()


def test_a_spoilt_condition_is_anothers_or_noise_and_never_all_are():
    data = read_all(draw_shapes("validation", 60, 1).values)
    found, how = spoil(data, torch.Generator().manual_seed(0), share=0.9)
    assert (how == 0).any(1).all() and set(how.unique().tolist()) == {0, 1, 2}
    for number, name in enumerate(TYPES):
        sound = how[:, number] == 0
        assert torch.equal(found[name][sound], data[name][sound])
        from_others = found[name][how[:, number] == 1].flatten(1)
        same = (from_others[:, None] == data[name].flatten(1)).all(2)
        assert same.any(1).all()
    assert not spoil(data, torch.Generator(), share=0.0)[1].any()


def test_one_step_returns_what_is_behind_the_noise(monkeypatch):
    """A base that is right tells the velocity; then the real picture is found again."""
    pytest.importorskip("diffusers")
    base = seeded(0, lambda: Base(TINY)).requires_grad_(False).eval()
    pictures = draw_shapes("validation", 4, 1)
    latents, schedule = base.encode(pictures.values), base.denoiser.noise
    noise = torch.randn(latents.shape, generator=torch.Generator().manual_seed(3))
    times = schedule.times_at(torch.full((4,), conditions_cycle.LEVEL))
    right = schedule.target(latents, noise, times)
    injection = teach_all(base, 0, Lesson(steps=1, batch=2, warmup=1), 20)
    monkeypatch.setattr(Base, "tokens", lambda self, words: torch.zeros(len(words), 2, 8))
    monkeypatch.setattr(type(base.denoiser), "forward", lambda self, *given: right)
    painted = one_step(base, injection, pictures, 3)("edges", pictures.edges)
    assert torch.allclose(painted, pictures.values, atol=1e-4)


def test_scores_choices_and_paintings_fit_together():
    pytest.importorskip("diffusers")
    base = seeded(0, lambda: Base(TINY)).requires_grad_(False).eval()
    injection = teach_all(base, 0, Lesson(steps=2, batch=4, warmup=1), 20)
    cases = {
        "sound": draw_case("validation", 12, 0, share=0.0),
        "validation": draw_case("validation", 16, 1),
        "test": draw_case("test", 6, 2),
    }
    assert not cases["sound"].how.any()
    scores = score_all(base, injection, 0, cases)
    assert set(scores) == set(SCORERS)
    scores[EVALUATOR] = {name: -case.how.float() for name, case in cases.items()}
    found = areas(scores[EVALUATOR]["validation"], cases["validation"].how)
    assert found["all"] == 1.0
    kept = choices(scores, cases)
    assert torch.equal(kept[EVALUATOR], kept["only sound ones"])
    assert torch.equal(kept["by chance, as many"].sum(1), kept[EVALUATOR].sum(1))
    painted = paint_kept(base, injection, cases["test"], kept[EVALUATOR], steps=2)
    assert painted.shape == (6, 3, 16, 16) and painted.flatten(1).std(1).min() > 0
