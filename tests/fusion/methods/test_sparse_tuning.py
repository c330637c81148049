"""Sparse tuning: the entries that are kept, trained, merged, saved and composed."""

import pytest
import torch

from fusion.adapters.interface import Adapters, attach
from fusion.methods.sparse_tuning import select


def moved_model(build, disturb, run, name: str = "default", seed: int = 0, model=None):
    model = build("ast") if model is None else model
    adapters = attach(model, "sparse_tuning", name=name)
    disturb(adapters, name, seed)
    return model, adapters


def test_select_keeps_the_entries_that_moved_most_over_all_tensors(build, disturb, run):
    model, adapters = moved_model(build, disturb, run)
    dense = {path: p.detach().clone() for path, p in adapters.named_parameters("default").items()}
    select(adapters, "default", 1000)
    assert adapters.count("default") == 1000
    assert sum(p.numel() for p in adapters.parameters("default")) == 1000
    assert not any(p.any() for p in adapters.parameters("default"))
    threshold = torch.cat([d.abs().flatten() for d in dense.values()]).sort().values[-1000]
    buffers = dict(model.named_buffers())
    for path, values in dense.items():
        site, kind = path.split(".mcgurk_adapters.")
        index = buffers[f"{site}.mcgurk_site.mcgurk_adapters.default.{kind}_index"]
        assert index.tolist() == (values.flatten().abs() >= threshold).nonzero().flatten().tolist()


def test_the_published_number_of_entries_is_kept_exactly():
    from transformers import ASTConfig, ASTModel

    torch.manual_seed(0)
    adapters = attach(ASTModel(ASTConfig(num_hidden_layers=2)), "sparse_tuning")
    with torch.no_grad():
        for parameter in adapters.parameters("default"):
            parameter.normal_()
    entries = 12 * 2 * 768 * 384 + 768**2
    assert entries == 7_667_712
    select(adapters, "default", entries)
    assert sum(p.numel() for p in adapters.parameters("default")) == entries
    assert adapters.bytes("default") == entries * (4 + 8)


def test_selected_entries_are_trained_merged_and_nothing_else_moves(build, disturb, run):
    model, adapters = moved_model(build, disturb, run)
    before = {
        name: p.detach().clone() for name, p in model.named_parameters() if "mcgurk" not in name
    }
    frozen = run("ast", build("ast"))
    select(adapters, "default", 500)
    assert torch.equal(run("ast", model), frozen)
    run("ast", model).square().mean().backward()
    held = [p for p in adapters.parameters("default") if p.numel()]
    assert all(p.grad is not None and p.grad.any() for p in held)
    disturb(adapters, "default")
    expected = run("ast", model)
    assert not torch.allclose(expected, frozen, atol=1e-4)
    adapters.merge()
    torch.testing.assert_close(run("ast", model), expected, atol=1e-5, rtol=1e-5)
    after = dict(model.named_parameters())
    assert 490 < sum(int((after[name] != p).sum()) for name, p in before.items()) <= 500
    adapters.unmerge()
    assert all(torch.equal(after[name], p) for name, p in before.items())


def test_selected_entries_are_saved_as_positions_and_values(build, disturb, run, tmp_path):
    from safetensors.torch import load_file, save_file

    model, adapters = moved_model(build, disturb, run)
    select(adapters, "default", 300)
    disturb(adapters, "default")
    adapters.save(tmp_path, "default")
    file = tmp_path / "adapter_model.safetensors"
    stored = load_file(file)
    assert sum(t.numel() for name, t in stored.items() if name.endswith("_index")) == 300
    other = build("ast")
    Adapters(other).load(tmp_path, "again")
    assert torch.equal(run("ast", other), run("ast", model))
    assert Adapters(other).count("again") == 300
    key = next(name for name, t in stored.items() if name.endswith("weight_index") and len(t))
    stored[key][-1] = 10**6
    save_file(stored, file)
    with pytest.raises(ValueError, match="outside of its shape"):
        Adapters(build("ast")).load(tmp_path, "again")


def test_sparse_adapters_are_composed_by_their_sum(build, disturb, run):
    model, adapters = moved_model(build, disturb, run, "language", 1)
    moved_model(build, disturb, run, "task", 2, model)
    for seed, name in enumerate(["language", "task"]):
        select(adapters, name, 400)
        disturb(adapters, name, seed)
    expected = build("ast")
    with torch.no_grad():
        for path, parameter in expected.named_parameters():
            site, _, kind = path.rpartition(".")
            holder = getattr(model.get_submodule(site), "mcgurk_site", None)
            for name in ("language", "task") if holder is not None else ():
                change = holder.mcgurk_adapters[name].change(kind)
                parameter += 0 if change is None else change
    adapters.use(["language", "task"])
    composed = run("ast", model)
    torch.testing.assert_close(composed, run("ast", expected), atol=1e-5, rtol=1e-4)
    adapters.use(["task", "language"])
    torch.testing.assert_close(run("ast", model), composed, atol=1e-5, rtol=1e-4)


def test_select_says_what_it_cannot_do(build):
    model = build("ast")
    adapters = attach(model, "bitfit", name="other")
    attach(model, "sparse_tuning", where=("q",), name="one")
    with pytest.raises(ValueError, match="0 parts of sparse tuning"):
        select(adapters, "other", 3)
    with pytest.raises(ValueError, match="has 2112 entries; 2113 cannot be kept"):
        select(adapters, "one", 2113)
    select(adapters, "one", 3)
    with pytest.raises(ValueError, match="then select once"):
        select(adapters, "one", 2)
