"""Language models with visual tokens: their size, their tables, saving and loading."""

import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import nn
from transformers import (
    AutoTokenizer,
    BartForConditionalGeneration,
    BartModel,
    T5ForConditionalGeneration,
)

from modalities.vision_language.vl_files import (
    SIZES,
    VISUAL,
    load_vision_language,
    random_vision_language,
    save_vision_language,
)
from modalities.vision_language.vl_model import VisionLanguage
from modalities.vision_language.vl_vocabulary import ADDED, resize

from .small_models import FAMILIES, FEATURE_DIM, QUESTIONS, build, features_of, small_tokenizer
from .small_models import SIZES as SMALL


def count(module: nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())  # each once


def places_of_the_table(built: VisionLanguage) -> list[torch.Tensor]:
    model = built.model
    parts = [model.get_encoder().embed_tokens, model.get_decoder().embed_tokens, model.lm_head]
    return [model.get_input_embeddings().weight, *(part.weight for part in parts)]


def save_plain(built: VisionLanguage, folder: Path) -> None:
    """Save only what the language model was before it got tokens and pictures."""
    family = built.model.config.model_type
    tokenizer = small_tokenizer(family)
    resize(built.model, len(tokenizer), 1.0)
    built.model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)


@torch.no_grad()
def answers(built: VisionLanguage) -> torch.Tensor:
    tokens = built.tokenize(QUESTIONS)
    return built(tokens.ids, tokens.mask, tokens.ids, features_of(3))


# Sizes


@pytest.mark.parametrize(
    ("family", "feature_dim", "words", "added", "visual"),
    [
        ("bart", 2048, 139_420_416, 153_600, 1_582_848),
        ("bart", 512, 139_420_416, 153_600, 403_200),
        ("t5", 2048, 222_903_552, 55_296, 1_581_312),
    ],
)
def test_published_sizes_are_met_with_each_weight_counted_once(
    family, feature_dim, words, added, visual
):
    with torch.device("meta"):
        built = random_vision_language(family, feature_dim=feature_dim)
    assert count(built.visual_embedding) == visual
    assert count(built.model) == words + added
    assert count(built) == words + added + visual
    if feature_dim == 2048:
        assert count(built) == {"bart": 141_156_864, "t5": 224_540_160}[family]
    assert len(built.words) == {"bart": 50465, "t5": 32200}[family]
    assert len({id(table) for table in places_of_the_table(built)}) == 1


def test_the_table_is_not_counted_under_the_name_of_the_visual_embedding():
    with torch.device("meta"):
        built = random_vision_language("bart")
    named = dict(built.named_parameters(remove_duplicate=False))
    visual = [value for name, value in named.items() if "visual_embedding" in name]
    assert sum(value.numel() for value in visual) == 1_582_848


def test_norms_of_bart_are_what_the_paper_trains():
    with torch.device("meta"):
        built = random_vision_language("bart")
    norms = [part for part in built.model.modules() if isinstance(part, nn.LayerNorm)]
    assert sum(count(norm) for norm in norms) == 49_152


# The table of words


@pytest.mark.parametrize("family", FAMILIES)
def test_every_place_of_the_table_is_one_storage_and_ends_with_the_places(family):
    built = build(family)
    tables = places_of_the_table(built)
    assert {table.data_ptr() for table in tables} == {built.words.data_ptr()}
    tokenizer = built.tokenizer
    assert tokenizer is not None and len(tokenizer) == len(built.words)
    assert built.model.config.vocab_size == len(built.words)
    names = tokenizer.convert_ids_to_tokens(list(range(len(built.words)))[-200:])
    assert names == list(ADDED) and names[-1] == "<vis_extra_id_0>"
    assert len(tokenizer) == len(small_tokenizer(family)) + {"bart": 200, "t5": 100}[family]


@pytest.mark.parametrize("family", FAMILIES)
def test_added_rows_differ_from_each_other_and_come_back_with_their_seed(family):
    built, again, other = build(family), build(family), build(family, seed=1)
    rows = nn.functional.normalize(built.words[-100:], dim=-1)
    alike = (rows @ rows.T).fill_diagonal_(0)
    assert alike.abs().max() < 0.9  # transformers' own start makes it 0.99999
    assert torch.equal(built.words, again.words) and built.identity == again.identity
    assert not torch.equal(built.words[-1], other.words[-1])
    assert torch.equal(answers(built), answers(again))
    assert not torch.equal(answers(built), answers(other))


def test_the_tokenizer_that_is_given_stays_and_so_does_torchs_generator():
    tokenizer = small_tokenizer("bart")
    before, state = len(tokenizer), torch.random.get_rng_state()
    random_vision_language("bart", tokenizer, SMALL["bart"], FEATURE_DIM)
    assert len(tokenizer) == before and torch.equal(torch.random.get_rng_state(), state)


# Saving and loading


@pytest.mark.parametrize("family", FAMILIES)
def test_a_model_comes_back_as_it_was_saved(family, tmp_path):
    built = build(family)
    save_vision_language(built, tmp_path)
    again = load_vision_language(tmp_path)
    assert torch.equal(answers(again), answers(built))
    assert again.identity == built.identity and again.opening == built.opening
    assert again.tokenize(QUESTIONS).ids.equal(built.tokenize(QUESTIONS).ids)
    assert {table.data_ptr() for table in places_of_the_table(again)} == {again.words.data_ptr()}
    assert not any(parameter.requires_grad for parameter in again.parameters())
    tokens, features = built.tokenize(QUESTIONS), features_of(3)
    written = [
        m.generate(m.encode(tokens.ids, tokens.mask, features), 8, 2) for m in (built, again)
    ]
    assert torch.equal(*written)


@pytest.mark.parametrize("family", FAMILIES)
def test_transformers_reads_the_language_model_that_was_saved(family, tmp_path):
    built = build(family)
    save_vision_language(built, tmp_path)
    kind = {"bart": BartForConditionalGeneration, "t5": T5ForConditionalGeneration}[family]
    model = kind.from_pretrained(tmp_path).eval()
    tokens = AutoTokenizer.from_pretrained(tmp_path)(QUESTIONS, padding=True, return_tensors="pt")
    with torch.no_grad():
        expected = built(tokens["input_ids"], tokens["attention_mask"], tokens["input_ids"])
        found = model(
            input_ids=tokens["input_ids"],
            attention_mask=tokens["attention_mask"],
            labels=tokens["input_ids"],
        ).logits
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-5)


def test_half_precision_halves_the_file_and_is_read_as_float32(tmp_path):
    built = build("bart")
    for name in ("whole", "half"):
        save_vision_language(built, tmp_path / name, half=name == "half")
    sizes = [(tmp_path / name / "model.safetensors").stat().st_size for name in ("whole", "half")]
    assert sizes[1] < 0.6 * sizes[0]
    again = load_vision_language(tmp_path / "half")
    assert {parameter.dtype for parameter in again.parameters()} == {torch.float32}
    torch.testing.assert_close(answers(again), answers(built), rtol=0.1, atol=0.1)


@pytest.mark.parametrize("family", FAMILIES)
def test_a_published_language_model_grows_as_it_is_loaded(family, tmp_path):
    plain = build(family)
    save_plain(plain, tmp_path)
    old = len(plain.words)
    built = load_vision_language(tmp_path, feature_dim=7, images=3)
    assert built.visual_embedding.feature_dim == 7 and built.visual_embedding.images == 3
    assert len(built.words) == old + {"bart": 200, "t5": 100}[family]
    assert torch.equal(built.words[:old], plain.words)
    tokens = built.tokenize(QUESTIONS)
    with torch.no_grad():
        found = built(tokens.ids, tokens.mask, tokens.ids)[..., :old]
        expected = plain(tokens.ids, tokens.mask, tokens.ids)
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-5)
    assert load_vision_language(tmp_path, feature_dim=7, images=3).identity == built.identity
    assert load_vision_language(tmp_path, feature_dim=7, seed=5).identity != built.identity


def test_a_bart_saved_without_its_head_is_loaded_as_published(tmp_path):
    plain = build("bart")
    save_plain(plain, tmp_path)
    BartModel.from_pretrained(tmp_path).save_pretrained(tmp_path)  # as facebook/bart-base
    assert not any(name.startswith("model.") for name in load_file(tmp_path / "model.safetensors"))
    built = load_vision_language(tmp_path)
    assert torch.equal(built.words[: len(plain.words)], plain.words)


def test_a_t5_with_a_head_of_its_own_keeps_it(tmp_path):
    plain = build("t5")
    save_plain(plain, tmp_path / "plain")
    old = len(plain.words)
    weights = load_file(tmp_path / "plain/model.safetensors")
    weights["lm_head.weight"] = torch.randn(old, 32)
    save_file(weights, tmp_path / "plain/model.safetensors", {"format": "pt"})
    config = json.loads((tmp_path / "plain/config.json").read_text())
    config.pop("scale_decoder_outputs", None)
    (tmp_path / "plain/config.json").write_text(
        json.dumps({**config, "tie_word_embeddings": False})
    )
    reference = T5ForConditionalGeneration.from_pretrained(tmp_path / "plain").eval()
    built = load_vision_language(tmp_path / "plain", feature_dim=FEATURE_DIM)
    tokens = built.tokenize(QUESTIONS)
    with torch.no_grad():
        expected = reference(
            input_ids=tokens.ids, attention_mask=tokens.mask, labels=tokens.ids
        ).logits
        found = built(tokens.ids, tokens.mask, tokens.ids)
    assert torch.equal(reference.lm_head.weight, weights["lm_head.weight"])
    torch.testing.assert_close(found[..., :old], expected, rtol=0, atol=1e-5)
    assert not (found[..., old:].amax(-1) > found[..., :old].amax(-1)).any()
    save_vision_language(built, tmp_path / "grown")
    again = load_vision_language(tmp_path / "grown")
    assert torch.equal(answers(again), answers(built)) and again.identity == built.identity


def test_a_fresh_embedding_takes_other_features_and_leaves_the_language_model_as_it_was(tmp_path):
    built = build("bart")
    save_vision_language(built, tmp_path)
    fresh = load_vision_language(tmp_path, feature_dim=512, fresh=True)
    assert fresh.visual_embedding.feature_dim == 512
    kept = fresh.model.state_dict()
    assert all(torch.equal(kept[name], value) for name, value in built.model.state_dict().items())
    assert load_vision_language(tmp_path, feature_dim=512, fresh=True).identity == fresh.identity
    of_its_size = load_vision_language(tmp_path, seed=5, fresh=True, feature_dim=FEATURE_DIM)
    assert of_its_size.identity != load_vision_language(tmp_path, seed=5).identity


# What does not fit


def test_a_folder_made_for_other_features_is_told(tmp_path):
    save_vision_language(build("bart"), tmp_path)
    assert load_vision_language(tmp_path, FEATURE_DIM, 2).visual_embedding.images == 2
    with pytest.raises(ValueError, match=f"length {FEATURE_DIM} and 2 images; asked were 512"):
        load_vision_language(tmp_path, feature_dim=512)


def test_a_damaged_visual_embedding_is_told(tmp_path):
    save_vision_language(build("bart"), tmp_path)
    state = load_file(tmp_path / VISUAL)
    for broken, message in (
        ({n: v for n, v in state.items() if n != "boxes.0.bias"}, "does not fit"),
        ({n: v for n, v in state.items() if n != "image_order.weight"}, "lacks the weight"),
    ):
        save_file(broken, tmp_path / VISUAL)
        with pytest.raises(ValueError, match=message):
            load_vision_language(tmp_path)
    (tmp_path / VISUAL).write_bytes(b"nothing")
    with pytest.raises(ValueError, match="damaged"):
        load_vision_language(tmp_path)


def test_a_tokenizer_that_is_missing_or_of_another_model_is_told(tmp_path):
    save_vision_language(build("bart"), tmp_path)
    told = json.loads((tmp_path / "tokenizer.json").read_text())
    words = told["model"]["vocab"]
    words.update({f"word{number}": 1000 + number for number in range(5)})
    (tmp_path / "tokenizer.json").write_text(json.dumps(told))
    with pytest.raises(ValueError, match="tokenizer of"):
        load_vision_language(tmp_path)
    (tmp_path / "tokenizer.json").write_text("{")
    with pytest.raises(ValueError, match="no tokenizer that transformers can read"):
        load_vision_language(tmp_path)
    (tmp_path / "tokenizer.json").unlink()
    with pytest.raises(ValueError, match="has no tokenizer"):
        load_vision_language(tmp_path)


def test_other_models_and_names_are_told_with_what_is_known(tmp_path):
    (tmp_path / "config.json").write_text('{"model_type": "whisper"}')
    with pytest.raises(ValueError, match="'whisper' .*; expected a model of type bart or t5"):
        load_vision_language(tmp_path)
    (tmp_path / "config.json").unlink()
    with pytest.raises(ValueError, match="expected a model of type bart or t5, with a config.json"):
        load_vision_language(tmp_path)
    with pytest.raises(ValueError, match="bart-base"):
        load_vision_language("bart-bass")
    with pytest.raises(ValueError, match="known: bart, t5"):
        random_vision_language("gpt")
    assert set(SIZES) == {"bart-base", "t5-base"}
