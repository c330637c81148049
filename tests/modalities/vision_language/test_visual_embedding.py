"""Features as tokens: their parts, and which rows of the table of words their places are."""

import pytest
import torch
from torch import nn
from transformers.models.t5.modeling_t5 import T5LayerNorm

from modalities.vision_language.visual_embedding import MOST, VisualEmbedding, count_places

from .small_models import FEATURE_DIM, build, features_of

WORDS = torch.randn(300, 8, generator=torch.Generator().manual_seed(2))
PAIR = torch.tensor([0, 0, 0, 1, 1, 1])


@pytest.fixture
def embedding() -> VisualEmbedding:
    return VisualEmbedding(FEATURE_DIM, 8, nn.LayerNorm)


@torch.no_grad()
def test_places_are_rows_from_the_end_of_the_shared_table(embedding):
    features = features_of(2, tokens=5)
    without = embedding(features, torch.zeros_like(WORDS))
    places = embedding(features, WORDS) - without
    expected = WORDS[[299, 298, 297, 296, 295]].expand(2, -1, -1)
    torch.testing.assert_close(places, expected, rtol=0, atol=1e-5)


@torch.no_grad()
def test_places_begin_anew_with_the_second_image(embedding):
    features = features_of(1, tokens=6)
    without = embedding(features, torch.zeros_like(WORDS), PAIR)
    places = embedding(features, WORDS, PAIR) - without
    expected = WORDS[[299, 298, 297, 299, 298, 297]][None]
    torch.testing.assert_close(places, expected, rtol=0, atol=1e-5)
    first = embedding(features, WORDS)
    orders = embedding.image_order.weight
    torch.testing.assert_close(
        without[:, 3] - first[:, 3] + WORDS[296], (orders[1] - orders[0])[None]
    )


def test_places_are_counted_within_each_image_and_row():
    order = torch.tensor([[0, 0, 1, 1, 0], [1, 0, 1, 0, 1]])
    assert count_places(order).tolist() == [[0, 1, 0, 1, 2], [0, 0, 1, 1, 2]]


@torch.no_grad()
def test_a_grid_is_boxes_of_zeros_and_a_box_brings_its_area(embedding):
    features = features_of(2, tokens=3)
    zeros = embedding(features, WORDS, boxes=torch.zeros(2, 3, 4))
    assert torch.equal(embedding(features, WORDS), zeros)
    given: list[torch.Tensor] = []
    embedding.boxes.register_forward_hook(lambda _module, args, _out: given.append(args[0]))
    boxes = torch.tensor([0.25, 0.75, 0.5, 0.75]).expand(2, 3, 4)
    assert not torch.allclose(embedding(features, WORDS, boxes=boxes), zeros)
    torch.testing.assert_close(given[0][0, 0], torch.tensor([0.25, 0.75, 0.5, 0.75, 0.125]))


@torch.no_grad()
def test_features_and_boxes_are_normed_each_for_itself(embedding):
    features = features_of(1, tokens=4)
    found = embedding(features, torch.zeros_like(WORDS))
    seen, box = (part[0] for part in (embedding.features, embedding.boxes))
    expected = (
        nn.functional.layer_norm(seen(features), (8,))
        + nn.functional.layer_norm(box(torch.zeros(1, 4, 5)), (8,))
        + embedding.image_order.weight[0]
    )
    torch.testing.assert_close(found, expected)


@torch.no_grad()
def test_features_in_half_precision_are_taken(embedding):
    features = features_of(1)
    found = embedding(features.half(), WORDS)
    assert found.dtype == torch.float32
    torch.testing.assert_close(found, embedding(features, WORDS), rtol=0, atol=1e-2)


def test_it_holds_no_table_of_words():
    built = build("bart")
    names = dict(built.visual_embedding.named_parameters())
    assert sorted({name.split(".")[0] for name in names}) == ["boxes", "features", "image_order"]
    with torch.no_grad():
        before = built.see(features_of(1))
        built.words[-1] += 1  # what the language model has as its last row is place 0
        change = built.see(features_of(1)) - before
    torch.testing.assert_close(change[0, 0], torch.ones(32), rtol=0, atol=1e-5)
    assert not change[0, 1:].any()


def test_t5_norms_only_scale_and_bart_norms_shift_too():
    norms = [build(family).visual_embedding.features[1] for family in ("t5", "bart")]
    assert isinstance(norms[0], T5LayerNorm) and isinstance(norms[1], nn.LayerNorm)
    assert [len(list(norm.parameters())) for norm in norms] == [1, 2]
    with torch.no_grad():
        shifted = norms[0](torch.full((1, 32), 3.0))  # a mean is kept
    torch.testing.assert_close(shifted, torch.ones(1, 32), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(
    ("features", "order", "message"),
    [
        (torch.zeros(1, 4, 5), None, "expected .batch, tokens, 12"),
        (torch.zeros(4, FEATURE_DIM), None, "expected .batch, tokens, 12"),
        (torch.zeros(1, 4, FEATURE_DIM), torch.tensor([0, 1, 2, 0]), "0 to 1"),
        (torch.zeros(1, 4, FEATURE_DIM), torch.tensor([0, -1, 0, 0]), "0 to 1"),
        (torch.zeros(1, 4, FEATURE_DIM), PAIR, "image order of 6"),
        (torch.zeros(1, MOST + 1, FEATURE_DIM), None, "at most 200"),
    ],
)
def test_what_does_not_fit_is_told(embedding, features, order, message):
    with pytest.raises(ValueError, match=message):
        embedding(features, WORDS, order)


def test_boxes_of_other_tokens_are_told(embedding):
    with pytest.raises(ValueError, match="for 4 tokens"):
        embedding(features_of(1, tokens=4), WORDS, boxes=torch.zeros(1, 3, 4))


def test_as_many_tokens_as_there_are_places_are_taken_and_two_images_have_them_each(embedding):
    assert embedding(features_of(1, tokens=MOST), WORDS).shape == (1, MOST, 8)
    order = torch.arange(2).repeat_interleave(MOST)
    assert embedding(features_of(1, tokens=2 * MOST), WORDS, order).shape == (1, 2 * MOST, 8)
