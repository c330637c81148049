import pytest
import torch

from fusion.conditions.joint_attention import (
    Added,
    Asked,
    JointProcessor,
    Shared,
    Source,
    attend_beside,
    attend_weighted,
    check_joint,
    let_read,
)
from modalities.aligned_attention import Aligned
from modalities.diffusion.small_transformers import SmallTransformerOptions, build_small_transformer

pytest.importorskip("diffusers")
TINY = {kind: SmallTransformerOptions(kind=kind, layers=1, heads=2) for kind in ("flux", "sd3")}


@pytest.fixture(params=["flux", "sd3", "single"])
def case(request, draw):
    """Return an attention, and what it is called with."""
    model = build_small_transformer(TINY[request.param if request.param != "single" else "flux"])
    if request.param == "single":
        return model.single_transformer_blocks[0].attn, {"hidden_states": draw(2, 6, 32)}
    given = {"hidden_states": draw(2, 6, 32), "encoder_hidden_states": draw(2, 3, 32)}
    return model.transformer_blocks[0].attn, given


def told(answer):
    return torch.cat(answer[::-1], 1) if isinstance(answer, tuple) else answer


def test_reading_nothing_of_weight_is_diffusers_own_arithmetic(case, draw):
    attention, given = case
    rotary = torch.ones(1), torch.zeros(1)  # turns nothing
    with torch.no_grad():
        before = told(attention(**given))
        source = Source(lambda: True, lambda asked: Added(torch.zeros_like(asked.query)))
        handle = let_read(attention, source)
        assert torch.allclose(told(attention(**given)), before, atol=1e-6)
        if "Flux" in type(attention).__name__:
            again = attention(**given, image_rotary_emb=rotary)
            assert torch.allclose(told(again), before, atol=1e-6)
        handle.remove()
        assert torch.equal(told(attention(**given)), before)


def test_sources_are_removed_in_any_order(case):
    attention, given = case
    old, quiet = attention.processor, Source(lambda: False, lambda asked: Added(asked.query))
    before = told(attention(**given))
    for order in ((0, 1), (1, 0)):
        handles = [let_read(attention, quiet), let_read(attention, quiet)]
        assert torch.equal(told(attention(**given)), before)
        for number in order:
            assert isinstance(attention.processor, JointProcessor)
            handles[number].remove()
        assert attention.processor is old


def test_counting_twice_is_standing_there_twice(draw):
    query, keys, values = draw(1, 2, 5, 4), draw(1, 2, 6, 4), draw(1, 2, 6, 4) + 1
    weights = torch.tensor([1.0, 1, 1, 1, 1, 2])[None, None, None]
    twice = [torch.cat([one, one[:, :, -1:]], 2) for one in (keys, values)]
    expected = attend_weighted(query, *twice, None)
    with torch.no_grad():
        assert torch.allclose(attend_weighted(query, keys, values, weights), expected, atol=1e-6)
    assert torch.allclose(attend_weighted(query, keys, values, weights), expected, atol=1e-6)


def test_the_three_ways_of_reading_go_together(draw):
    """Text rows read what all share, and never what places have for themselves."""
    asked = Asked(None, draw(1, 4, 8), draw(1, 2, 6, 4), draw(1, 2, 6, 4), draw(1, 2, 6, 4) + 1)
    shared = Shared(draw(1, 2, 3, 4), draw(1, 2, 3, 4), torch.full((1, 1, 6, 3), 0.5))
    near = Aligned(draw(1, 2, 4, 1, 4), draw(1, 2, 4, 1, 4), torch.ones(1, 1, 1, 1))
    added = Added(draw(1, 2, 4, 4))
    without, every = attend_beside(asked, [shared]), attend_beside(asked, [shared, near, added])
    assert torch.allclose(every[:, :, :2], without[:, :, :2])
    for place in range(4):  # one place alone: its own token is one that it shares
        alone = Asked(
            None, asked.states, asked.query[:, :, place + 2 : place + 3], asked.keys, asked.values
        )
        part = Shared(shared.keys, shared.values, torch.full((1, 1, 1, 3), 0.5))
        own = Shared(near.keys[:, :, place], near.values[:, :, place])
        expected = attend_beside(alone, [part, own])[:, :, 0] + added.values[:, :, place]
        assert torch.allclose(every[:, :, place + 2], expected, atol=1e-6)


def test_other_arithmetic_is_refused(case, draw):
    attention, given = case
    check_joint("attn", attention)
    with pytest.raises(ValueError, match="a mask beside conditions"):
        let_read(attention, Source(lambda: True, lambda asked: Added(asked.query)))
        attention(**given, attention_mask=torch.ones(6, 6))
    attention.set_processor(lambda *given, **named: None)
    with pytest.raises(ValueError, match="attn has a function; expected a plain FluxAttnProcessor"):
        check_joint("attn", attention)
