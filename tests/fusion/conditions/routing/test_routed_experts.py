from typing import Any

import pytest
import torch

from fusion.conditions.catalog import PRESETS
from fusion.conditions.condition import Condition
from fusion.conditions.injection import inject
from fusion.conditions.routing.edit_mask import LatentMixture
from fusion.conditions.routing.experts import MaskExpert, Seen, Sizes
from fusion.conditions.routing.losses import Watched
from fusion.conditions.routing.routed_experts import RoutedExperts, RoutedOptions
from fusion.conditions.routing.task_query import TaskQueryOptions, TaskQueryRouter
from modalities.diffusion.small_transformers import SmallTransformerOptions, build_small_transformer

diffusers: Any = pytest.importorskip("diffusers")
SMALL: dict[str, Any] = {"every": 1, "heads": 2, "task_dim": 5, "reference_dim": 7}


@pytest.fixture
def flux() -> Any:
    options = SmallTransformerOptions(channels=3, heads=2, token_dim=12, pooled_dim=5)
    return build_small_transformer(options, seed=1).requires_grad_(False)


@pytest.fixture
def build(flux, disturb) -> Any:
    def build(**options: Any) -> RoutedExperts:
        torch.manual_seed(5)
        found = RoutedExperts(flux, RoutedOptions(**SMALL | options))
        disturb(found, by=0.3)
        return found.eval()

    return build


@pytest.fixture
def told(draw) -> Any:
    def told(**scales: float) -> list[Condition]:
        data = {
            "latent": draw(2, 3, 8, 12),
            "map": draw(2, 1, 16, 24).sigmoid(),
            "tokens": draw(2, 4, 7),
            "vector": draw(2, 5),
        }
        return [Condition("edit", k, v, scale=scales.get(k, 1.0)) for k, v in data.items()]

    return told


@pytest.fixture
def arguments(draw) -> dict[str, Any]:
    return {
        "hidden_states": draw(2, 24, 12),
        "encoder_hidden_states": draw(2, 3, 12),
        "pooled_projections": draw(2, 5),
        "timestep": torch.tensor([0.3, 0.8]),
        "img_ids": torch.cartesian_prod(torch.zeros(1), torch.arange(4.0), torch.arange(6.0)),
        "txt_ids": torch.zeros(3, 3),
    }


def watch(flux: Any, edit: Any, told: list[Condition], arguments: Any) -> tuple[Watched, Any]:
    injection = inject(flux, {"edit": edit})
    with torch.no_grad(), injection.tell(*told), edit.watch() as watched:
        found = flux(**arguments).sample
    injection.remove()
    return watched, found


def test_the_count_follows_from_the_layers():
    d, w, b, key, hidden, task, kinds = 3072, 128, 64, 64, 64, 16, 4
    light = 9 * w + w + w * d
    text, base = 3 * d * w + light, d * w + 2 * b * w + light
    reference = d * w + (b + 1) * w + (w + 1) * 2 * w + light
    mask = (d + 1) * w + (9 * w + 1) * w + light
    repaint = d * w + w * w + 9 * (2 * w + 1) * w + w + (w + 1)
    router = key * d + kinds * (hidden * (2 * key + 2) + 1) + (task + 1) * key
    mixture = (d + 1) * kinds + 2 * d + 1
    layers = 57 // 3
    total = layers * (text + base + reference + mask + repaint) + (layers - 1) * router + mixture
    assert PRESETS["care_edit"].trained["flux_dev"] == total
    query = TaskQueryOptions(key, hidden, task)
    assert TaskQueryRouter.count(d, kinds, 1, query) == router
    assert sum(p.numel() for p in TaskQueryRouter(d, kinds, 1, query).parameters()) == router


@pytest.mark.parametrize("k", [1, 2, 4])
def test_k_experts_and_the_shared_one_have_all_weight(flux, build, told, arguments, k):
    watched, _ = watch(flux, build(k=k, shared_weight=0.25, temperature=50.0), told(), arguments)
    assert [name for name, _ in watched.trace.taken] == [
        "transformer_blocks.0",
        "transformer_blocks.1",
        "single_transformer_blocks.0",
    ]
    for routing in watched.trace.decided:
        weights = routing.weights
        assert weights.shape == (2, 24, 4)
        assert torch.allclose(weights.sum(-1), torch.ones(2, 24))
        assert (weights[..., 3] >= 0.25).all()  # base is the last
        own = weights - 0.25 * torch.tensor([0.0, 0, 0, 1])
        assert ((own > 1e-6).sum(-1) == k).all()


def test_a_whole_picture_or_all_pictures_can_be_weighed_alike(flux, build, told, arguments):
    other = told()
    other[3] = Condition("edit", "vector", other[3].data + 2.0)
    for routing, alike in (("sample", False), ("static", True)):
        edit = build(routing=routing, k=4)
        found = [watch(flux, edit, one, arguments)[0] for one in (told(), other)]
        one, two = (watched.trace.decided[0].weights for watched in found)
        assert one.shape == (2, 1, 4)
        assert torch.equal(one, two) == alike and torch.equal(one[0], one[-1]) == alike


def test_scores_are_smoothed_from_layer_to_layer(flux, build, told, arguments):
    edit = build(smoothing=0.75, k=4, shared="")
    watched, _ = watch(flux, edit, told(), arguments)
    smooth = None
    for routing in watched.trace.decided:
        assert routing.logits is not None
        own = routing.logits
        smooth = own if smooth is None else 0.75 * smooth + 0.25 * own
        assert torch.allclose(routing.weights, smooth.softmax(-1), atol=1e-6)


def test_what_is_told_at_scale_0_is_dropped(flux, build, told, arguments):
    edit = build(shared="base")
    watched, found = watch(flux, edit, told(map=0.0, latent=0.0), arguments)
    text, mask, reference, base = torch.stack([r.weights for r in watched.trace.decided]).unbind(-1)
    assert not mask.any() and not base.any() and not watched.masks
    assert torch.allclose(text + reference, torch.ones_like(text))
    other = told(map=0.0, latent=0.0)
    other[0] = Condition("edit", "latent", other[0].data + 3, scale=0.0)
    other[1] = Condition("edit", "map", 1 - other[1].data, scale=0.0)
    assert torch.equal(watch(flux, edit, other, arguments)[1], found)


def test_masks_grow_as_printed_and_may_shrink_where_they_are_signed(flux, build, told, arguments):
    first = torch.nn.functional.adaptive_avg_pool2d(told()[1].data, (4, 6))
    masks = [first, *watch(flux, build(repaint="grow"), told(), arguments)[0].masks]
    assert len(masks) == 5
    assert all((b >= a).all() for a, b in zip(masks, masks[1:], strict=False))
    signed = watch(flux, build(repaint="signed"), told(), arguments)[0].masks
    assert any((b < a).any() for a, b in zip([first, *signed], signed, strict=False))
    assert all(0 <= one.min() and one.max() <= 1 for one in (*masks, *signed))
    assert not watch(flux, build(repaint="none"), told(), arguments)[0].masks


def test_an_expert_of_a_mask_sees_nothing_outside_it():
    sizes, grid = Sizes(8, 2, 4, 6, 6), (4, 6)
    expert: Any = MaskExpert(sizes)
    torch.nn.init.normal_(expert.adapter.up.weight)
    mask = torch.zeros(1, 1, 4, 6)
    mask[..., :2] = 1.0
    states = torch.randn(1, 24, 8)
    changed = states.unflatten(1, grid).clone()
    changed[:, :, 2:] += 1.0
    seen = Seen(grid, states, (states, states), mask=mask)
    assert torch.allclose(expert(states, seen), expert(changed.flatten(1, 2), seen))


def test_a_gate_returns_to_what_is_edited():
    mixture = LatentMixture(8, 4, gated=True)
    assert mixture.gate is not None
    mixed, states, base, time = (torch.randn(2, 24, 8) for _ in range(4))
    for bias, expected in ((50.0, base), (-50.0, mixed)):
        torch.nn.init.zeros_(mixture.gate.weight)
        torch.nn.init.constant_(mixture.gate.bias, bias)
        assert torch.allclose(mixture(mixed, states, base, time[:, 0]), expected, atol=1e-6)
    weights = mixture.weights(states, torch.tensor([False, True, False, False]))
    assert torch.allclose(weights.sum(-1), torch.ones(2, 24)) and not weights[..., 1].any()


def test_the_task_changes_who_counts_and_nothing_else(flux, build, told, arguments):
    edit = build(mixture=False)
    one = watch(flux, edit, told(), arguments)[0].trace.decided[0]
    other = told()
    other[3] = Condition("edit", "vector", other[3].data + 2.0)
    two = watch(flux, edit, other, arguments)[0].trace.decided[0]
    assert not torch.allclose(one.weights, two.weights, atol=1e-2)


def test_a_training_cools_down(build):
    edit = build(first_temperature=4.0, temperature=1.0)
    assert edit.temperature == 1.0
    found = []
    for progress in (0.0, 0.5, 1.0):
        edit.anneal(progress)
        found.append(edit.temperature)
    assert found == pytest.approx([4.0, 2.0, 1.0])
    with pytest.raises(ValueError, match="progress is 1.5; expected 0 to 1"):
        edit.anneal(1.5)


def test_padded_tokens_of_a_reference_change_nothing(flux, build, told, arguments):
    edit, found = build(), []
    for filled in (0.0, 9.0):
        given = told()
        padded = given[2].data.clone()
        padded[1, 2:] = filled
        given[2] = Condition("edit", "tokens", padded, lengths=torch.tensor([4, 2]))
        found.append(watch(flux, edit, given, arguments)[1])
    assert torch.allclose(*found, atol=1e-6)


@pytest.mark.parametrize(
    "options, message",
    [
        ({"experts": ("text", "masks")}, "'masks'; known: text, mask, reference, base"),
        ({"experts": ("text", "mask")}, "experts are text, mask; expected 'base' and others"),
        ({"k": 5}, "k is 5, the router has 4 experts"),
        ({"every": 4}, "every is 4, so that experts stand behind 1 blocks; expected 2"),
        ({"shared": "ref"}, "'ref'; known: text, mask, reference, base"),
        ({"smoothing": 1.0}, "smoothing is 1.0; expected 0 to below 1"),
        ({"repaint": "shrink"}, "'shrink'; known: grow, signed, none"),
        ({"first_temperature": 0.0}, "temperature is 0.0"),
    ],
)
def test_options_that_cannot_be_are_refused(build, options, message):
    with pytest.raises(ValueError, match=message):
        build(**options)


def test_conditions_that_do_not_fit_are_refused(flux, build, told, arguments):
    wrong = {
        0: (Condition("edit", "latent", torch.ones(2, 3, 4, 4)), "is 4 x 4; expected 8 x 12"),
        1: (Condition("edit", "map", torch.ones(2, 1, 4, 4) * 2), "expected a mask: 1 channel"),
        2: (Condition("edit", "tokens", torch.ones(2, 4, 9)), "is 9 wide; expected 7"),
        3: (Condition("edit", "vector", torch.ones(2, 4)), "is 4 wide; expected 5"),
    }
    for number, (condition, message) in wrong.items():
        given = told()
        given[number] = condition
        with pytest.raises(ValueError, match=message):
            watch(flux, build(), given, arguments)
