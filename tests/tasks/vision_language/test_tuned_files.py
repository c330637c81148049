"""Tuned models on disk."""

import json

import pytest
import torch
from safetensors.torch import load_file, save_file

from tasks.vision_language.tuned_files import load_tuned, read_tuned_card, save_tuned

from ...modalities.vision_language.small_models import build
from .tuned_models import CASES, TASKS, logits_of, tuned_of


@pytest.mark.parametrize(("family", "method", "sharing"), CASES)
@torch.no_grad()
def test_what_is_saved_and_loaded_gives_the_same_logits(family, method, sharing, tmp_path):
    tuned = tuned_of(family, method, sharing)
    save_tuned(tuned, tmp_path)
    loaded = load_tuned(build(family), tmp_path)
    with tuned.use(TASKS), loaded.use(TASKS):
        assert torch.equal(logits_of(loaded.vl), logits_of(tuned.vl))
    assert loaded.count() == tuned.count() and loaded.tasks == tuned.tasks
    stored = load_file(tmp_path / "tuned.safetensors")
    assert sum(tensor.numel() for tensor in stored.values()) == tuned.count()[0]
    card = read_tuned_card(tmp_path)
    assert (card.method, card.sharing, card.tasks) == (method, sharing, tuple(TASKS))


@pytest.mark.parametrize(("sharing", "downs", "ups"), [("half_up", 40, 10), ("half_down", 10, 40)])
def test_what_tasks_share_is_in_the_file_once_and_still_shared_when_loaded(
    sharing, downs, ups, tmp_path
):
    tuned = tuned_of("bart", "adapter", sharing)
    save_tuned(tuned, tmp_path)
    names = load_file(tmp_path / "tuned.safetensors")
    assert sum(name.endswith("down.weight") for name in names) == downs
    assert sum(name.endswith("up.weight") for name in names) == ups
    adapters = load_tuned(build("bart"), tmp_path).adapters
    part = sharing.removeprefix("half_")
    held = [adapters.named_parameters(task) for task in TASKS]
    path = next(name for name in held[0] if name.endswith(f"{part}.weight"))
    assert len({id(of_task[path]) for of_task in held}) == 1


@torch.no_grad()
def test_half_precision_is_half_as_large_and_nearly_the_same(tmp_path):
    tuned = tuned_of("bart", "adapter")
    save_tuned(tuned, tmp_path / "whole")
    save_tuned(tuned, tmp_path / "half", half=True)
    sizes = [(tmp_path / f / "tuned.safetensors").stat().st_size for f in ("half", "whole")]
    assert sizes[0] < 0.75 * sizes[1]  # the names are as long
    loaded = load_tuned(build("bart"), tmp_path / "half")
    assert {p.dtype for p in loaded.trained()} == {torch.float32}
    torch.testing.assert_close(logits_of(loaded.vl), logits_of(tuned.vl), rtol=0, atol=0.05)


def test_another_model_is_refused_and_left_as_it_was(tmp_path):
    save_tuned(tuned_of("bart", "adapter"), tmp_path)
    other = build("bart", seed=1)
    before = logits_of(other)
    with pytest.raises(ValueError, match="has other weights or words; expected the same model"):
        load_tuned(other, tmp_path)
    assert torch.equal(logits_of(other), before)
    with pytest.raises(ValueError, match="expected the same model"):
        load_tuned(build("t5"), tmp_path)


def test_folders_that_are_not_whole_or_damaged_are_told(tmp_path):
    with pytest.raises(FileNotFoundError, match="holds no tuned.json"):
        load_tuned(build("bart"), tmp_path)
    save_tuned(tuned_of("bart", "adapter"), tmp_path)
    weights, card = tmp_path / "tuned.safetensors", tmp_path / "tuned.json"
    stored = load_file(weights)
    name = sorted(stored)[0]
    save_file({n: t for n, t in stored.items() if n != name}, weights)
    with pytest.raises(ValueError, match=f"does not fit its card: {name} is missing"):
        load_tuned(build("bart"), tmp_path)
    save_file({**stored, name: torch.full_like(stored[name], torch.nan)}, weights)
    with pytest.raises(ValueError, match=f"has NaN or infinite numbers in {name}; expected finite"):
        load_tuned(build("bart"), tmp_path)
    weights.write_bytes(b"no tensors")
    with pytest.raises(ValueError, match="is damaged"):
        load_tuned(build("bart"), tmp_path)
    weights.unlink()
    with pytest.raises(FileNotFoundError, match="the folder is not whole"):
        load_tuned(build("bart"), tmp_path)
    data = json.loads(card.read_text())
    card.write_text(json.dumps({**data, "colour": "red"}))
    with pytest.raises(ValueError, match="tuned.json is damaged"):
        read_tuned_card(tmp_path)
