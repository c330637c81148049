"""Small MM-DiTs, branches trained apart, and what instructions ask for."""

from dataclasses import replace
from typing import Any

import pytest
import torch

pytest.importorskip("diffusers")

from fusion.conditions.condition import Condition
from fusion.conditions.injection import inject
from fusion.conditions.token_branch import KEYWORD, OFFSET, BranchOptions
from tools import conditions_branches, conditions_unic
from tools.conditions_bases import NOTHING
from tools.conditions_branches import (
    BLURRED,
    EDGES,
    REGION,
    SUBJECT,
    Plan,
    build_branch,
    show,
    tell,
    train_branch,
    words_of,
)
from tools.conditions_mmdits import BASES, MmditBase, paint_mmdit, train_mmdit_base
from tools.conditions_pictures import SHAPES, draw_shapes
from tools.conditions_training import Lesson
from tools.digit_lessons import seeded

OPTIONS = BranchOptions(3, 3.0, gates=False)


@pytest.fixture(scope="module")
def bases() -> dict[str, MmditBase]:
    return {
        kind: seeded(1, lambda kind=kind: MmditBase(BASES[kind])).requires_grad_(False).eval()
        for kind in BASES
    }


def told(noise: int = 0) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    torch.manual_seed(noise)
    return torch.randn(2, 3, 16, 16), torch.full((2,), 300.0), torch.tensor([[0, 5], [2, NOTHING]])


@pytest.mark.parametrize("kind", BASES)
def test_words_change_what_is_told_and_words_that_are_not_told_are_the_empty_text(bases, kind):
    base = bases[kind]
    noisy, times, words = told()
    found, silent = base(noisy, times, words), base(noisy, times, torch.full_like(words, NOTHING))
    assert not torch.allclose(found, silent, atol=1e-4)
    assert torch.allclose(silent, base.denoiser(noisy, times, base.denoiser.prompt(2)), atol=1e-5)
    assert torch.equal(base.prompt(words).text[1, 1], base.denoiser.empty[1])


def test_a_short_training_lowers_the_loss():
    _, found = train_mmdit_base("flux", Lesson(steps=8, rate=3e-3, warmup=1, batch=8), drawn=8)
    assert found.curve[-1] < found.curve[0]


def test_dense_tokens_are_one_sequence_in_diffusers_own_flux(bases):
    """Fresh changes add nothing, so that it is the frozen FLUX on picture and condition."""
    base, (noisy, times, words) = bases["flux"], told()
    shown = torch.randn(2, 3, 16, 16)
    plan = Plan(SUBJECT, replace(OPTIONS, positions=OFFSET), dense=True)
    injection = inject(base.denoiser, {SUBJECT: build_branch(base, plan, 0)})
    before = base(noisy, times, words)
    with injection.tell(*tell(plan, shown)):
        found = base(noisy, times, words)
    injection.remove()
    arguments: dict[str, Any] = {}
    handle = base.network.register_forward_pre_hook(
        lambda _, args, kwargs: arguments.update(kwargs), with_kwargs=True
    )
    assert torch.equal(base(noisy, times, words), before)
    handle.remove()
    packed = torch.nn.functional.pixel_unshuffle(shown, 2).flatten(2).mT
    ids = arguments["img_ids"]
    arguments["hidden_states"] = torch.cat([arguments["hidden_states"], packed], 1)
    arguments["img_ids"] = torch.cat([ids, ids + torch.tensor([0.0, 8.0, 0.0])])
    expected = base.network(**arguments)[0][:, :64]
    expected = torch.nn.functional.pixel_shuffle(expected.mT.unflatten(2, (8, 8)), 2)
    assert torch.allclose(found, expected, atol=1e-5)


def test_dense_changes_of_both_conditions_reach_the_picture(bases):
    base, given = bases["flux"], told()
    shown, plan = torch.randn(2, 3, 16, 16), Plan(EDGES, OPTIONS, dense=True)
    branches = {name: build_branch(base, plan, seed) for seed, name in enumerate("ab")}
    fresh, alone = (run_with(base, some, shown, given) for some in ("ab", "a"))
    assert torch.equal(fresh, run_with(base, "ab", shown, given, branches))
    assert not torch.allclose(fresh, alone, atol=1e-4)
    for branch in branches.values():
        torch.nn.init.normal_(branch.stream.changes[3]["v"].up.weight, std=0.5)
        changed = run_with(base, "ab", shown, given, branches)
        assert not torch.allclose(fresh, changed, atol=1e-4)
        fresh = changed


def run_with(base, names, shown, given, branches=None):
    plan = Plan(EDGES, OPTIONS, dense=True)
    branches = branches or {name: build_branch(base, plan, 0) for name in names}
    injection = inject(base.denoiser, branches)
    with injection.tell(*(Condition(name, "latent", shown) for name in branches)):
        found = base(*given)
    injection.remove()
    return found


def test_what_conditions_show():
    pictures = draw_shapes("test", 40, 3)
    generator = torch.Generator().manual_seed(0)
    shown = {name: show(pictures, name, generator) for name in (EDGES, REGION, BLURRED, SUBJECT)}
    assert all(value.shape == (40, 3, 16, 16) for value in shown.values())
    assert torch.equal((shown[EDGES][:, :1] + 1) / 2, pictures.edges)
    circles = pictures.words[:, 0] == 0
    share = (shown[REGION][circles, 0] > 0).float().mean((1, 2))
    area = torch.pi * pictures.attributes[circles, 2] ** 2
    assert torch.allclose(share, area, atol=0.06) and circles.sum() > 5
    assert torch.allclose(shown[BLURRED].mean((2, 3)), pictures.values.mean((2, 3)), atol=1e-5)
    rows = [(pictures.values == one).all(3).all(2).all(1).nonzero()[0, 0] for one in shown[SUBJECT]]
    assert torch.equal(pictures.words[torch.stack(rows), 1], pictures.words[:, 1])


def test_a_branch_is_trained_once_and_read_again(bases, tmp_path, monkeypatch):
    monkeypatch.setattr(conditions_branches, "FOLDER", tmp_path)
    monkeypatch.setattr(conditions_branches, "DRAWN", 8)
    options = replace(OPTIONS, read=KEYWORD)
    plan = Plan(SUBJECT, options, shaped=True, lesson=Lesson(steps=2, rate=1e-2, batch=4))
    first = train_branch(bases["flux"], plan, 0)
    (file,) = (tmp_path / "branches").iterdir()
    written = file.stat().st_mtime_ns
    again = train_branch(bases["flux"], plan, 0)
    assert file.stat().st_mtime_ns == written
    for name, value in first.weights().items():
        assert torch.equal(again.weights()[name], value)
    assert float(first.stream.changes[0]["q"].up.weight.abs().max()) > 0
    assert replace(plan, dense=True).key != plan.key != replace(plan, shaped=False).key


def test_words_of_a_plan():
    words = torch.tensor([[1, 6]])
    assert words_of(Plan(EDGES, OPTIONS), words).tolist() == [[NOTHING, NOTHING]]
    assert words_of(Plan(EDGES, OPTIONS, shaped=True), words).tolist() == [[1, NOTHING]]


def test_targets_are_what_instructions_ask_for():
    sources, others = draw_shapes("test", 30, 1), draw_shapes("test", 30, 2)
    outline, colour, mirror = (
        conditions_unic.make_targets(
            sources, others, torch.full((30,), task), torch.Generator().manual_seed(task)
        )
        for task in range(3)
    )
    judged = [conditions_unic.judge(one, sources) for one in (outline, colour, mirror)]
    assert judged[0]["copy outline"] > 97 and judged[0]["copy colour"] < 40
    assert judged[1]["copy colour"] > 97 and judged[1]["copy outline"] < 70
    assert judged[2]["mirror"] == pytest.approx(100) and judged[2]["copy colour"] > 97
    same = sources.words[:, 1] - len(SHAPES)
    again = conditions_unic.recolour(sources.values, same, same)
    assert torch.allclose(again, sources.values, atol=1e-5)


def test_an_instruction_reaches_what_is_painted(bases, tmp_path, monkeypatch):
    monkeypatch.setattr(conditions_unic, "FOLDER", tmp_path)
    monkeypatch.setattr(conditions_unic, "DRAWN", 8)
    monkeypatch.setattr(conditions_unic, "LESSON", Lesson(steps=3, rate=1e-2, warmup=1, batch=4))
    branch = conditions_unic.train(bases["sd3"], conditions_unic.WHOLE, 0)
    noisy, times, words = told()
    injection = inject(bases["sd3"].denoiser, {"map": branch})
    found = []
    for task in (0, 1, None):
        tasks = None if task is None else torch.full((2,), task)
        with injection.tell(*conditions_unic.tell(bases["sd3"], torch.randn(2, 3, 16, 16), tasks)):
            found.append(bases["sd3"](noisy, times, words))
    injection.remove()
    assert not torch.allclose(found[0], found[1], atol=1e-5)
    painted = paint_mmdit(bases["sd3"], words, guidance=2.0, steps=2)
    assert painted.shape == (2, 3, 16, 16) and float(painted.abs().max()) <= 1
