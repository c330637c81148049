"""CLIPSegs by name, folder and hub id, whole and damaged, and what is saved."""

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from modalities import pretrained
from modalities.vision_language.clipseg import ClipSeg, Pictures
from modalities.vision_language.clipseg_files import (
    SCENES,
    load_clipseg,
    load_tokenizer,
    random_clipseg,
    save_clipseg,
)

from .conftest import LAYER, PROMPTS, build, pixels_of, sizes


@pytest.fixture(scope="module")
def saved(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("clipseg")
    pictures = Pictures(side=48, mean=(0.1, 0.2, 0.3), deviation=(0.5, 0.6, 0.7))
    save_clipseg(random_clipseg(seed=3, config=sizes(), pictures=pictures), folder)
    return folder


@pytest.fixture
def copied(saved, tmp_path) -> Path:
    return Path(shutil.copytree(saved, tmp_path / "copy"))


def logits_of(clipseg: ClipSeg) -> Tensor:
    tokens = clipseg.tokenize(PROMPTS)
    with torch.no_grad():
        return clipseg(pixels_of(clipseg, 3), tokens.ids, tokens.mask)


def test_a_folder_holds_all_of_a_model(saved):
    built = random_clipseg(seed=3, config=sizes(), pictures=Pictures(side=48))
    loaded = load_clipseg(saved)
    assert torch.equal(logits_of(loaded), logits_of(built))
    assert loaded.pictures == Pictures(48, (0.1, 0.2, 0.3), (0.5, 0.6, 0.7))
    assert loaded.name == str(saved) and not any(p.requires_grad for p in loaded.parameters())
    assert loaded.identity == load_clipseg(saved).identity


def test_transformers_reads_what_is_saved(saved):
    from transformers import CLIPSegForImageSegmentation, CLIPSegProcessor

    loaded = load_clipseg(saved)
    model = CLIPSegForImageSegmentation.from_pretrained(saved).eval()
    processor = CLIPSegProcessor.from_pretrained(saved)
    picture = np.random.default_rng(0).integers(0, 256, (48, 48, 3), dtype=np.uint8)
    inputs = processor(
        text=PROMPTS, images=[picture] * 3, padding=True, truncation=True, return_tensors="pt"
    )
    with torch.no_grad():
        expected = model(**inputs).logits
        tokens = loaded.tokenize(PROMPTS)
        pixels = loaded.pictures.prepare(picture.astype(np.float32) / 255)[None]
        found = loaded(pixels.expand(3, -1, -1, -1), tokens.ids, tokens.mask)
    assert torch.equal(inputs["input_ids"], tokens.ids)
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-5)


def test_half_precision_is_half_as_large_and_loads_as_floats(tmp_path):
    built = build()
    for half in (False, True):
        save_clipseg(built, tmp_path / str(half), half=half)
    whole, small = ((tmp_path / str(h) / "model.safetensors").stat().st_size for h in (False, True))
    assert small < 0.6 * whole
    loaded = load_clipseg(tmp_path / "True")
    for name, value in loaded.model.state_dict().items():
        kept = built.model.state_dict()[name]
        expected = kept.half().to(kept.dtype) if kept.is_floating_point() else kept
        assert value.dtype == kept.dtype and torch.equal(value, expected)
    torch.testing.assert_close(logits_of(loaded), logits_of(built), rtol=0.05, atol=0.05)
    assert loaded.identity != load_clipseg(tmp_path / "False").identity


def test_random_model_is_the_same_each_time_and_leaves_torch_alone():
    torch.manual_seed(7)
    expected = torch.rand(3)
    torch.manual_seed(7)
    one, same, other = (
        random_clipseg(seed, config=sizes(), pictures=Pictures(side=48)) for seed in (0, 0, 1)
    )
    assert torch.equal(torch.rand(3), expected)
    assert one.identity == same.identity != other.identity
    named = load_clipseg("clipseg-random")
    assert named.layers == (2, 4, 6) and named.pictures.side == 160


def test_identity_tells_weights_pictures_and_layers_apart(saved):
    clipseg = load_clipseg(saved)
    before = clipseg.identity
    assert ClipSeg(clipseg.model, clipseg.tokenizer, Pictures(side=96)).identity != before
    with torch.no_grad():
        clipseg.model.clip.vision_model.embeddings.class_embedding[0] += 1
    assert ClipSeg(clipseg.model, clipseg.tokenizer, clipseg.pictures).identity != before


def test_a_hub_id_is_fetched_and_a_folder_of_that_name_comes_first(saved, tmp_path, monkeypatch):
    asked: list[tuple[str, str]] = []
    monkeypatch.setattr(
        pretrained, "fetch", lambda hub, name: (asked.append((hub, name)), saved)[1]
    )
    for name, hub in (
        ("clipseg-rd64-refined", "CIDAS/clipseg-rd64-refined"),
        ("me/mine", "me/mine"),
    ):
        assert load_clipseg(name).name == name
        assert asked.pop() == (hub, name)
    monkeypatch.chdir(tmp_path)
    shutil.copytree(saved, tmp_path / "clipseg-random")
    assert load_clipseg("clipseg-random").pictures.side == 48 and not asked


def test_unknown_names_are_told_with_what_is_known():
    with pytest.raises(ValueError, match="No model 'clipsag'.*clipseg-rd64-refined.*scenes"):
        load_clipseg("clipsag")


def edit(path: Path, **changes: Any) -> None:
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))


def test_a_folder_without_the_file_on_pictures_is_as_published(copied):
    (copied / "preprocessor_config.json").unlink()
    assert load_clipseg(copied).pictures == Pictures(side=48)  # the side that it was trained at
    edit(copied / "config.json", vision_config=dict(LAYER, image_size=224, patch_size=16))
    with pytest.raises(ValueError, match="position_embedding"):
        load_clipseg(copied)


def spoil_weights(folder: Path) -> None:
    path = folder / "model.safetensors"
    path.write_bytes(path.read_bytes()[:1000])


def lose_a_weight(folder: Path) -> None:
    from safetensors.torch import load_file, save_file

    state = load_file(folder / "model.safetensors")
    del state["decoder.film_mul.weight"]
    save_file(state, folder / "model.safetensors", metadata={"format": "pt"})


DAMAGES = {
    "weights": (spoil_weights, "does not hold a CLIPSegForImageSegmentation"),
    "a weight": (lose_a_weight, "lacks the weight decoder.film_mul.weight"),
    "no weights": (lambda f: (f / "model.safetensors").unlink(), "does not hold"),
    "config": (lambda f: (f / "config.json").write_text("{"), "config.json"),
    "no config": (
        lambda f: (f / "config.json").unlink(),
        "expected a model of type clipseg",
    ),
    "model": (
        lambda f: edit(f / "config.json", model_type="clip"),
        "of type 'clip' .config.json.; expected a model of type clipseg",
    ),
    "no tokenizer": (lambda f: [p.unlink() for p in f.glob("tokenizer*")], "has no tokenizer"),
    "tokenizer": (lambda f: (f / "tokenizer.json").write_text("{"), "has no tokenizer"),
    "pictures": (
        lambda f: (f / "preprocessor_config.json").write_text("["),
        "preprocessor_config.json is damaged",
    ),
    "pictures of two sides": (
        lambda f: edit(f / "preprocessor_config.json", size={"height": 48, "width": 64}),
        "a square is expected",
    ),
    "pictures of no size": (
        lambda f: edit(f / "preprocessor_config.json", size={"shortest_edge": 48}),
        "preprocessor_config.json is damaged",
    ),
    "means of one": (
        lambda f: edit(f / "preprocessor_config.json", image_mean=[0.5]),
        "preprocessor_config.json is damaged",
    ),
    "deviation of zero": (
        lambda f: edit(f / "preprocessor_config.json", image_std=[0.5, 0, 0.5]),
        "preprocessor_config.json is damaged",
    ),
    "no deviation at all": (
        lambda f: edit(f / "preprocessor_config.json", image_std="abc"),
        "preprocessor_config.json is damaged",
    ),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_folder_is_named_with_what_is_wrong(copied, damage):
    spoil, told = DAMAGES[damage]
    spoil(copied)
    with pytest.raises(ValueError, match=told) as error:
        load_clipseg(copied)
    assert str(copied) in str(error.value)


def test_tokenizer_that_comes_with_the_small_model_knows_its_ends():
    tokenizer = load_tokenizer(SCENES)
    assert tokenizer.eos_token_id == len(tokenizer) - 1  # the highest, as the legacy rule wants it
    assert tokenizer("a red square")["input_ids"][-1] == tokenizer.eos_token_id
