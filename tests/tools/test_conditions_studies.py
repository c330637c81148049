from dataclasses import replace

import pytest
import torch

from fusion.conditions.condition import Condition
from fusion.conditions.injection import inject
from fusion.conditions.joint_pair import JointOptions, JointPair
from modalities.diffusion.small import SmallDenoiserOptions
from tools import (
    conditions_control,
    conditions_control_page,
    conditions_pairs,
    conditions_sizes,
    conditions_views,
)
from tools.conditions_bases import Base, BaseOptions, paint
from tools.conditions_control import build_control, enlarge, shrink
from tools.conditions_judges import edge_f1
from tools.conditions_pairs import Clean, Pair, Tied, paint_pair
from tools.conditions_pictures import Pictures, draw_digits, draw_shapes, resize
from tools.conditions_sizes import ATTENTION, FAR, OURS, SIZES, WAYS, adapt, count, draw_sizes
from tools.conditions_sounds import SPOKEN, draw_sounds, picture_sounds
from tools.conditions_training import read_study, run_study
from tools.conditions_views import Together, camera_map, inconsistency, pale, two_views
from tools.digit_lessons import seeded


def tiny(colours: int, words: int) -> BaseOptions:
    sizes = {"channels": (16, 16), "attention": (0, 1), "groups": 4, "heads": 2, "token_dim": 8}
    return BaseOptions(
        10,
        words,
        denoiser=SmallDenoiserOptions(height=16, width=16, colours=colours, tokens=words, **sizes),
    )


def build(options: BaseOptions) -> Base:
    pytest.importorskip("diffusers")
    found: Base = seeded(0, lambda: Base(options))
    return found.requires_grad_(False).eval()


@pytest.fixture(scope="module")
def digits() -> Base:
    return build(tiny(1, 1))


@pytest.fixture(scope="module")
def shapes() -> Base:
    return build(tiny(3, 2))


def test_fresh_adapters_for_sizes_paint_as_the_base_and_weigh_alike(digits):
    words = torch.tensor([[3], [7]])
    before = paint(digits, words, steps=1, side=24)
    weights = {}
    for method in (OURS, ATTENTION):
        own, injection, modules = adapt(digits, method, 0)
        own.eval()
        assert torch.equal(paint(own, words, 0, injection, steps=1, side=24), before)
        weights[method] = count(modules)
    assert weights[ATTENTION] == pytest.approx(weights[OURS], rel=0.15)  # whole ranks
    assert count([digits]) == 0


def test_far_sizes_are_learnt_more_often_and_the_native_one_never(digits):
    draw = draw_sizes(digits, draw_digits("train", 4, 0, 32), WAYS[FAR])
    generator = torch.Generator().manual_seed(0)
    sides = [2 * draw(generator, 1).latents.shape[-1] for _ in range(300)]
    assert set(sides) == {8, 24, 32} == set(SIZES) - {16}
    assert sides.count(32) / 300 == pytest.approx(256 / 384, abs=0.08)  # 16^2 of 8^2 + 8^2 + 16^2


def test_mirror_images_are_consistent_and_others_are_not():
    views = two_views(draw_shapes("test", 8, 0))
    assert inconsistency(views.values) == 0
    same = Pictures(*(one[::2].repeat_interleave(2, 0) for one in vars(views).values()))
    assert inconsistency(same.values) > 0.1
    # Half as dark: from -1..1 to 0..1.
    assert torch.allclose(2 * pale(views.values) - 1, views.values)


def test_a_view_is_told_by_the_mirrored_columns():
    first, second = camera_map(1)
    assert torch.equal(first[0].flip(1), second[0]) and torch.equal(first[1], second[1])
    levels = Together().draw(6).own
    assert torch.equal(levels[::2], levels[1::2]) and len(set(levels.tolist())) == 3


def test_a_fresh_control_net_changes_nothing_and_is_taken_off(shapes):
    pictures = draw_shapes("test", 2, 0)
    before = paint(shapes, pictures.words, steps=2)
    control = build_control(shapes, 0)
    injection = inject(shapes.denoiser, {"map": control})
    told = [Condition("map", "map", pictures.edges)]
    assert torch.equal(paint(shapes, pictures.words, 0, injection, told, steps=2), before)
    for weight in control.parameters():
        torch.nn.init.normal_(weight, std=0.1)
    assert not torch.equal(paint(shapes, pictures.words, 0, injection, told, steps=2), before)
    injection.remove()
    assert torch.equal(paint(shapes, pictures.words, steps=2), before)


def test_edges_of_small_pictures_are_those_that_larger_ones_are_judged_by():
    large = draw_shapes("test", 10, 0, 32)
    small = resize(large, 16)
    assert torch.equal(torch.nn.functional.interpolate(enlarge(small.edges), (16, 16)), small.edges)
    assert edge_f1(shrink(large.values), small.edges) == pytest.approx(100)


def test_levels_of_one_way_and_of_one_time():
    assert not Clean().draw(5).own.any()
    first, second = Tied().draw(8).own.chunk(2)
    assert torch.equal(first, second) and len(set(first.tolist())) == 4


def test_what_is_known_of_a_pair_stays_and_the_other_side_reads_it():
    base = build(replace(tiny(1, 2), vocabulary=12))
    injector = seeded(0, lambda: JointPair(base.unet, JointOptions(rank=2, alpha=2.0)))
    pair = Pair(base, injector, inject(base.denoiser, {"partner": injector}))
    known = base.encode(draw_digits("test", 4, 0).values)

    def painted(given: torch.Tensor) -> torch.Tensor:
        pictures, sounds = paint_pair(pair, 2, 0, picture=given)
        assert torch.allclose(base.encode(pictures), given, atol=1e-5)
        return sounds

    assert torch.equal(painted(known[:2]), painted(known[2:]))  # nothing is learnt yet
    for weight in injector.parameters():
        torch.nn.init.normal_(weight, std=0.3)
    assert not torch.allclose(painted(known[:2]), painted(known[2:]), atol=1e-3)
    pair.injection.remove()


def test_a_high_tone_lies_above_a_low_one():
    time = torch.arange(10_240) / 16_000
    tones = torch.stack([(2 * torch.pi * hz * time).sin() for hz in (300.0, 3000.0)])
    low, high = picture_sounds(tones)[:, 0].mean(2).argmax(1).tolist()
    assert high < 5 < 10 < low


@pytest.mark.skipif(not SPOKEN.is_dir(), reason="no FSDD beside the repository")
def test_spoken_digits_are_fixed_by_their_seed():
    one, again, other = (draw_sounds(part, 5, 1) for part in ("validation", "validation", "test"))
    assert torch.equal(one.values, again.values) and not torch.equal(one.values, other.values)
    assert one.values.shape == (5, 1, 16, 16) and one.values.amax() == 1


def test_a_study_is_measured_once_and_read(tmp_path):
    seen = []

    def measure(method: str, seed: int) -> dict[str, int]:
        seen.append((method, seed))
        return {"value": seed}

    for _ in range(2):
        run_study("some", ["one way", "other"], 2, measure, {"steps": 3}, tmp_path)
    assert seen == [("one way", 0), ("other", 0), ("one way", 1), ("other", 1)]
    settings, found = read_study("some", tmp_path)
    assert settings == {"steps": 3} and found["other"] == [{"value": 0}, {"value": 1}]
    with pytest.raises(FileNotFoundError, match="make conditions-none"):
        read_study("none", tmp_path)


@pytest.fixture
def told(monkeypatch):
    """Tell a study of made-up figures."""

    def tell(study, found: dict, settings: dict) -> str:
        settings = {"steps": 5, "batch": 4, "pictures": 6, "things": 6, "pairs": 6, **settings}
        monkeypatch.setattr(study, "read_study", lambda name: (settings, found))
        monkeypatch.setattr(study, "show_sheet", lambda name, about: f"![{about}]({name})")
        return "\n".join(getattr(study, f"tell_{study.NAME}")())

    return tell


@pytest.mark.parametrize("better", [True, False])
def test_sizes_are_told(told, better):
    def one(distance: float) -> dict:
        sizes = {str(s): {"right": 90 - distance, "distance": distance} for s in (8, 16, 24, 32)}
        return {"weights": 10, "sizes": sizes, "drift": distance / 100}

    away = dict.fromkeys(conditions_sizes.METHODS, 3.0) | {conditions_sizes.BARE: 9.0}
    away |= {m: 1.0 if better else 12.0 for m in conditions_sizes.TRAINED if m.startswith(OURS)}
    page = told(conditions_sizes, {name: [one(value)] for name, value in away.items()}, {})
    assert page.count("MISSED") == (0 if better else 3)
    assert "| ResAdapter; 24 | 10 | " in page


def test_views_are_told(told):
    def one(off: float) -> dict:
        seen = {"inconsistency": off, "shape": 90.0, "colour": 95.0, "distance": 2.0, "ground": 0.1}
        return {"weights": 10, **seen, "styled": {**seen, "ground": 0.55}, "identical": True}

    off = dict(zip(conditions_views.METHODS, (0.0, 0.6, 0.5, 0.1, 0.2), strict=True))
    page = told(conditions_views, {name: [one(value)] for name, value in off.items()}, {})
    assert "MISSED" not in page and "0.100 against 0.600" in page


def test_control_is_told(told):
    def one(after: int) -> dict:
        f1 = {str(s): 80.0 if s >= after else 50.0 for s in (0, *conditions_control.LOOKED)}
        mix = {"equal": 60.0, "learnt": 79.0, "useless": 0.05}
        return {"trained": 10, "seconds": 1.0, "f1": f1, "mix": mix}

    source = {"source": {"steps": 5, "batch": 4}}
    scratch, faster, mapped, same = conditions_control.METHODS
    found = {scratch: [one(300)], faster: [one(400)], mapped: [one(100)], same: [one(999)]}
    page = told(conditions_control_page, found, source)
    assert "F1 80.0 after 300 steps, is reached by mapped features after 100 steps." in page
    found[mapped] = [one(150)]
    assert "after 150 steps: MISSED" in told(conditions_control_page, found, source)


def test_pairs_are_told(told):
    def one(percent: float) -> dict:
        test = {"picture": percent, "sound": percent, "joint": percent}
        return {"weights": 10, "test": test, "guidance": 2.0, "as noisy": test}

    percents = dict(zip(conditions_pairs.METHODS, (97, 99, 60.0, 20.0, 70.0, 70.0), strict=True))
    page = told(conditions_pairs, {name: [one(value)] for name, value in percents.items()}, {})
    assert "MISSED" not in page
    assert "| sound to picture alone | 10 | 70.0 |  |  | 2 |" in page
    percents[conditions_pairs.APART] = 25.0
    page = told(conditions_pairs, {name: [one(value)] for name, value in percents.items()}, {})
    assert page.count("MISSED") == 2  # what is at chance says nothing of two times
