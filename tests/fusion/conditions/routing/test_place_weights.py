from collections.abc import Callable
from typing import Any

import pytest
import torch

from fusion.conditions.catalog import build_preset
from fusion.conditions.condition import Condition
from fusion.conditions.injection import inject
from fusion.conditions.routing.place_weights import EQUAL, PATCH, SIMPLE, PlaceOptions, PlaceWeights
from fusion.routing.report import usage_of

pytest.importorskip("diffusers")
NAMES = ("edges", "depth", "noise")


@pytest.fixture
def pyramids(unet, disturb) -> dict[str, Any]:
    torch.manual_seed(2)
    made = {n: build_preset(unet, "t2i_adapter", {"map": {"pixels": 2}})["map"] for n in NAMES}
    for number, one in enumerate(made.values()):
        disturb(one, by=0.1 + 0.05 * number)
    return made


@pytest.fixture
def told(draw) -> Callable[..., list[Condition]]:
    def told(*names: str, rows: int = 2, scale: float = 1.0) -> list[Condition]:
        maps = {name: draw(rows, 3, 16, 24) * (1 + number) for number, name in enumerate(NAMES)}
        return [Condition(name, "map", maps[name], scale=scale) for name in names]

    return told


def build(pyramids: Any, weights: str = SIMPLE, **options: Any) -> Any:
    return PlaceWeights(pyramids, PlaceOptions(weights, **options))


@pytest.mark.parametrize("weights", [EQUAL, SIMPLE, PATCH])
def test_without_learning_all_count_alike(unet, run, pyramids, told, weights):
    injection = inject(unet, pyramids)
    with injection.tell(*told(*NAMES, scale=1 / 3)):
        expected = run()
    injection.remove()
    with inject(unet, pyramids, build(pyramids, weights)).tell(*told(*NAMES)):
        assert torch.allclose(run(), expected, atol=1e-5)


@pytest.mark.parametrize("weights", [EQUAL, SIMPLE, PATCH])
def test_one_that_is_told_alone_counts_in_full(unet, run, pyramids, told, weights, disturb):
    injection, router = inject(unet, pyramids), build(pyramids, weights)
    disturb(router)
    with injection.tell(*told("depth")):
        expected = run()
    injection.remove()
    injection = inject(unet, pyramids, router)
    nothing = [*told("edges", scale=0.0), *told("depth")]
    for given in (told("depth"), nothing):  # not told, or told as nothing
        with injection.tell(*given):
            assert torch.allclose(run(), expected, atol=1e-6)


def test_simple_weights_are_a_softmax_for_each_place(unet, run, pyramids, told):
    router = build(pyramids)
    injection = inject(unet, pyramids, router)
    with torch.no_grad():
        for number, one in enumerate(router.routers.values()):
            one.scores.copy_(torch.tensor([0.3, -0.5, 1.0 + number]))
    with injection.tell(*told(*NAMES)), router.watch() as trace:
        run()
    places = list(router.places)
    assert [place for place, _ in trace.taken] == places and len(places) == 2
    for number, (_, routing) in enumerate(trace.taken):
        expected = torch.tensor([0.3, -0.5, 1.0 + number]).softmax(0)
        assert torch.allclose(routing.weights[0], expected)
    assert sum(usage_of(trace.decided).load) == pytest.approx(1)


def test_weights_by_patch_follow_what_lies_there(unet, run, pyramids, told):
    router = build(pyramids, PATCH)
    place, width = next(iter(router.places.items()))
    with torch.no_grad():
        router.routers[place].gate[0, :width] = 1.0  # the more the first condition has to say
    injection = inject(unet, pyramids, router)
    with injection.tell(*told(*NAMES)), router.watch() as trace:
        run()
    weights = trace.at(place)[0].weights
    assert weights.shape == (2, 8 * 12, 3) and weights[..., 0].std() > 0.01
    with injection.tell(*told(*NAMES)):
        run()
        said = pyramids["edges"].told.take(place, 2).sum(1).flatten(1)
    expected = torch.stack([said, 0 * said, 0 * said], -1).softmax(-1)
    assert torch.allclose(weights, expected, atol=1e-5)


def test_the_highest_are_kept(unet, run, pyramids, told):
    router = build(pyramids, k=1)
    with torch.no_grad():
        for one in router.routers.values():
            one.scores[1] = 0.1
    injection = inject(unet, pyramids)
    with injection.tell(*told("depth")):
        expected = run()
    injection.remove()
    with inject(unet, pyramids, router).tell(*told(*NAMES)):
        assert torch.allclose(run(), expected, atol=1e-6)


@pytest.mark.parametrize("weights", [SIMPLE, PATCH])
def test_gradients_reach_the_weights(unet, call, pyramids, told, draw, weights):
    router = build(pyramids, weights)
    with inject(unet, pyramids, router).tell(*told(*NAMES)):
        call(draw(2, 12, 8, 12), 500, draw(2, 3, 12)).square().sum().backward()
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in router.parameters())
    assert not [p for p in build(pyramids, EQUAL).parameters() if p.requires_grad]


def test_what_cannot_be_weighed_is_refused(unet, pyramids):
    with pytest.raises(ValueError, match="There is edges to weigh; expected two or more"):
        build({"edges": pyramids["edges"]})
    tokens = build_preset(unet, "att_adapter")["attributes"]
    with pytest.raises(ValueError, match="'a' is a DecoupledTokens, which adds no features"):
        build({"a": tokens, "edges": pyramids["edges"]})
    narrow = build_preset(unet, "t2i_adapter", {"map": {"pixels": 2, "middle": True}})["map"]
    with pytest.raises(ValueError, match="'b' adds at 3 places .* expected the same"):
        build({"edges": pyramids["edges"], "b": narrow})
    with pytest.raises(ValueError, match="no injector 'depth' among edges"):
        inject(unet, {"edges": pyramids["edges"]}, build(pyramids))
    with pytest.raises(ValueError, match="'patches'; known: equal, simple, patch"):
        PlaceOptions("patches")
