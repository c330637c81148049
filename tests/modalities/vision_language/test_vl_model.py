"""BART and T5 with visual tokens against transformers' own, and how they answer."""

from contextlib import contextmanager
from typing import Any

import pytest
import torch
from torch import Tensor

from modalities.vision_language.vl_model import VisionLanguage

from .small_models import FAMILIES, FEATURE_DIM, QUESTIONS, build, features_of

PAIR = torch.tensor([0] * 4 + [1] * 4)  # two images of four tokens each


@contextmanager
def _first_layer(built: VisionLanguage):
    """Keep what the first layer of the encoder is given."""
    encoder = built.model.get_encoder()
    layers = encoder.layers if hasattr(encoder, "layers") else encoder.block
    seen: list[Tensor] = []
    handle = layers[0].register_forward_pre_hook(lambda _module, given: seen.append(given[0]))
    yield seen
    handle.remove()


@pytest.mark.parametrize("family", FAMILIES)
@torch.no_grad()
def test_text_alone_is_transformers_own_to_a_millionth(family):
    built = build(family)
    tokens = built.tokenize(QUESTIONS)
    targets = built.tokenize(["red", "true", "a blue car"]).ids
    expected = built.model(
        input_ids=tokens.ids,
        attention_mask=tokens.mask,
        decoder_input_ids=built.model.prepare_decoder_input_ids_from_labels(targets),
    ).logits
    found = built(tokens.ids, tokens.mask, targets)
    assert expected.std() > 0.1
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-6)


@pytest.mark.parametrize("family", FAMILIES)
@torch.no_grad()
def test_text_beside_hidden_visual_tokens_is_transformers_own(family):
    built = build(family)
    tokens = built.tokenize(QUESTIONS)
    alone = built.encode(tokens.ids, tokens.mask)
    hidden = torch.zeros(3, 9, dtype=torch.bool)
    beside = built.encode(tokens.ids, tokens.mask, features_of(3), real=hidden)
    width = tokens.ids.shape[1]
    assert beside.states.shape == (3, width + 9, 32) and beside.mask.sum() == tokens.mask.sum()
    real = tokens.mask.bool()
    found, expected = beside.states[:, :width][real], alone.states[real]
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-5)
    shown = built.encode(tokens.ids, tokens.mask, features_of(3))
    assert not torch.allclose(shown.states[:, :width][real], alone.states[real], atol=1e-2)


@torch.no_grad()
def test_visual_tokens_of_bart_pass_the_norm_and_get_no_position():
    built = build("bart")
    torch.nn.init.normal_(built.model.get_encoder().layernorm_embedding.weight, 2, 0.5)
    tokens = built.tokenize(QUESTIONS)
    features = features_of(3)
    with _first_layer(built) as seen:
        built.encode(tokens.ids, tokens.mask)
        built.encode(tokens.ids, tokens.mask, features)
    words, both = seen
    width = tokens.ids.shape[1]
    torch.testing.assert_close(both[:, :width], words, rtol=1e-6, atol=1e-6)
    assert torch.equal(both[:, width:], built.see(features))
    # what a norm or a position would have made of them is far away
    normed = built.model.get_encoder().layernorm_embedding(built.see(features))
    assert (normed - both[:, width:]).abs().mean() > 0.5


@torch.no_grad()
def test_hooks_are_gone_after_a_call_and_after_an_error():
    built = build("bart")
    encoder = built.model.get_encoder()
    tokens = built.tokenize(QUESTIONS)
    built.encode(tokens.ids, tokens.mask, features_of(3))
    with _first_layer(built), pytest.raises(ZeroDivisionError):
        encoder.layers[0].fc2.register_forward_hook(lambda *_: 1 / 0)
        built.encode(tokens.ids, tokens.mask, features_of(3))
    for place in (encoder.embed_positions, encoder.layernorm_embedding):
        assert not place._forward_hooks and not place._forward_pre_hooks


@torch.no_grad()
def test_only_text_counts_for_the_positions_of_bart():
    built = build("bart")  # has 24 of them
    long = built.tokenize(["car " * 40], longest=None)
    assert long.ids.shape[1] == 24 and long.cut == (0,)
    encoded = built.encode(long.ids, long.mask, features_of(1, tokens=150))
    assert encoded.states.shape == (1, 174, 32) and encoded.states.isfinite().all()
    with pytest.raises(ValueError, match="positions for 24"):
        built.encode(long.ids.repeat(1, 2), long.mask.repeat(1, 2))


@torch.no_grad()
def test_relative_positions_of_t5_hold_between_words_alone():
    built = build("t5")
    attention = built.model.get_encoder().block[0].layer[0].SelfAttention
    torch.nn.init.normal_(attention.relative_attention_bias.weight)
    biases: list[Tensor] = []
    attention.register_forward_hook(lambda _module, _given, out: biases.append(out[1]))
    tokens = built.tokenize(QUESTIONS)
    built.encode(tokens.ids, tokens.mask)
    built.encode(tokens.ids, tokens.mask, features_of(3))
    words, both = biases
    width = tokens.ids.shape[1]
    assert torch.equal(both[..., :width, :width], words)
    assert not both[..., width:, :].any() and not both[..., :width, width:].any()


@pytest.mark.parametrize("family", FAMILIES)
@torch.no_grad()
def test_padding_of_texts_and_of_visual_tokens_changes_nothing(family):
    built = build(family)
    tokens = built.tokenize(QUESTIONS)
    targets = built.tokenize(["red", "true", "false"]).ids
    features = features_of(3)
    real = torch.tensor([[True] * 9, [True] * 5 + [False] * 4, [True] * 9])
    encoded = built.encode(tokens.ids, tokens.mask, features, real=real)
    alone = built.tokenize(QUESTIONS[1:2])
    assert alone.ids.shape[1] < tokens.ids.shape[1]
    one = built.encode(alone.ids, alone.mask, features[1:2, :5])
    torch.testing.assert_close(
        built.logits(encoded, targets)[1:2], built.logits(one, targets[1:2]), rtol=1e-4, atol=1e-4
    )


@pytest.mark.parametrize("family", FAMILIES)
@torch.no_grad()
def test_several_questions_share_one_image_which_is_embedded_once(family):
    built = build(family)
    tokens = built.tokenize(QUESTIONS)
    embedded: list[Any] = []
    built.visual_embedding.features.register_forward_hook(
        lambda _m, given, _o: embedded.append(given)
    )
    shared = built.encode(tokens.ids, tokens.mask, features_of(1))
    assert [len(given[0]) for given in embedded] == [1]
    repeated = built.encode(tokens.ids, tokens.mask, features_of(1).expand(3, -1, -1))
    torch.testing.assert_close(shared.states, repeated.states, rtol=1e-5, atol=1e-5)
    with pytest.raises(ValueError, match="2 rows for 3 texts"):
        built.encode(tokens.ids, tokens.mask, features_of(2))


@pytest.mark.parametrize("family", FAMILIES)
@torch.no_grad()
def test_a_statement_is_judged_at_the_place_of_the_first_word(family):
    built = build(family)
    tokens = built.tokenize(QUESTIONS)
    encoded = built.encode(tokens.ids, tokens.mask, features_of(3, tokens=8), PAIR)
    config = built.model.config
    start = config.decoder_start_token_id
    given = [start, config.bos_token_id] if family == "bart" else [start]
    assert built.opening == tuple(given)
    place = {"bart": 1, "t5": 0}[family]
    targets = built.tokenize(["true", "false", "true"]).ids
    assert built.tokenizer is not None
    words: Any = built.tokenizer.convert_tokens_to_ids(["true", "false"])
    assert targets[0, place] == words[0]
    found = built.choose(encoded)
    assert found.shape == (3, 2) and found.std() > 0
    expected = built.logits(encoded, targets)[:, place][:, words]
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-5)
    with pytest.raises(ValueError, match="different first token"):
        built.choose(encoded, ["the car", "the red"])


@torch.no_grad()
def test_the_second_image_of_a_statement_is_told_from_the_first():
    built = build("bart")
    tokens = built.tokenize(QUESTIONS[:1])
    features = features_of(1, tokens=8)
    swapped = features[:, [4, 5, 6, 7, 0, 1, 2, 3]]
    one, other = (built.encode(tokens.ids, tokens.mask, f, PAIR) for f in (features, swapped))
    assert not torch.allclose(built.choose(one), built.choose(other), atol=1e-3)


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("beams", [1, 3])
@torch.no_grad()
def test_what_is_written_is_what_scores_highest_and_leaves_the_states_alone(family, beams):
    built = build(family)
    tokens = built.tokenize(QUESTIONS)
    encoded = built.encode(tokens.ids, tokens.mask, features_of(3))
    before = encoded.states.clone()
    ids = built.generate(encoded, longest=7, beams=beams)
    assert encoded.states.shape == before.shape and torch.equal(encoded.states, before)
    assert torch.equal(built.generate(encoded, longest=7, beams=beams), ids)
    opening = torch.tensor(built.opening)
    assert ids.shape[0] == 3 and ids.shape[1] <= 7
    assert torch.equal(ids[:, : len(opening)], opening.expand(3, -1))
    assert len(built.spell(ids)) == 3
    if beams == 1:
        scores = built.logits(encoded, ids[:, 1:])
        first = len(opening) - 1
        assert torch.equal(scores[:, first].argmax(-1), ids[:, len(opening)])


def test_nothing_asks_for_gradients_and_they_reach_what_is_given():
    for family in FAMILIES:
        dropout: dict[str, Any] = {{"bart": "dropout", "t5": "dropout_rate"}[family]: 0.5}
        built = build(family, **dropout)
        assert not any(parameter.requires_grad for parameter in built.parameters())
        tokens = built.tokenize(QUESTIONS)
        features = features_of(3).requires_grad_()
        first = built.train()(tokens.ids, tokens.mask, tokens.ids, features)
        assert torch.equal(first, built(tokens.ids, tokens.mask, tokens.ids, features))
        first.sum().backward()
        assert features.grad is not None and features.grad.abs().sum() > 0


def test_no_part_but_transformers_own_has_a_config():
    built = build("bart")
    for module in (built, built.visual_embedding):
        assert not hasattr(module, "config")


def test_texts_are_cut_and_spelled_without_marks():
    built = build("bart")
    tokens = built.tokenize(["car " * 30, "", "red"])
    assert tokens.ids.shape == (3, 20) and tokens.cut == (0,)
    assert tokens.ids[0, -1] == built.model.config.eos_token_id
    assert built.spell(tokens.ids[1:]) == ["", "red"]
    place = built.tokenizer.convert_tokens_to_ids("<vis_extra_id_0>")  # type: ignore[union-attr]
    assert place == len(built.words) - 1
    assert built.spell(torch.tensor([[place, *tokens.ids[2, :3].tolist()]])) == ["red"]


def test_features_of_another_extractor_are_refused_with_both_lengths():
    built = build("bart")
    tokens = built.tokenize(QUESTIONS)
    with pytest.raises(ValueError, match=f"{FEATURE_DIM + 1}.*expected.*{FEATURE_DIM}"):
        built.encode(tokens.ids, tokens.mask, torch.zeros(3, 9, FEATURE_DIM + 1))


def test_masks_of_another_length_are_refused():
    built = build("bart")
    tokens = built.tokenize(QUESTIONS)
    with pytest.raises(ValueError, match="mask of"):  # transformers would fill it up, or cut it
        built.encode(tokens.ids, tokens.mask[:, 1:])
    with pytest.raises(ValueError, match="9 tokens"):
        built.encode(tokens.ids, tokens.mask, features_of(3), real=torch.ones(3, 8))
