from typing import Any

import pytest
import torch
from torch.nn import functional

from fusion.conditions.branches import sides_of
from fusion.conditions.condition import Condition
from fusion.conditions.injection import inject
from fusion.conditions.unet import self_attentions
from fusion.conditions.view_attention import (
    ReferenceAttention,
    ReferenceOptions,
    ViewAttention,
    ViewOptions,
)

pytest.importorskip("diffusers")
NAME = "down_blocks.0.attentions.0.transformer_blocks.0.attn1"


def attend_to(branch: Any, states: torch.Tensor, tokens: torch.Tensor) -> torch.Tensor:
    """Attend from each place of one picture to tokens, [places, dim], head by head."""
    found = []
    layers = branch.to_q(states), branch.to_k(tokens), branch.to_v(tokens)
    for query, keys, values in zip(*(one.chunk(2, -1) for one in layers), strict=True):
        weights = (query @ keys.T / query.shape[-1] ** 0.5).softmax(-1)
        found.append(weights @ values)
    return branch.to_out(torch.cat(found, -1))


@pytest.mark.parametrize("rows_only", [True, False])
def test_places_attend_to_their_row_of_all_views(unet, draw, disturb, rows_only):
    ours = ViewAttention(unet, ViewOptions(views=2, rows_only=rows_only, scale=0.5))
    disturb(ours)
    read: list[torch.Tensor] = []
    attention = dict(self_attentions(unet))[NAME]
    with torch.no_grad():
        attention.register_forward_pre_hook(lambda _, args: read.append(args[0]))
        attention.register_forward_hook(lambda *call: read.append(call[2]))  # before ours
        inject(unet, {"views": ours})
        attention.register_forward_hook(lambda *call: read.append(call[2]))
        unet(draw(4, 12, 8, 12), 500, draw(4, 3, 12))
        states, plain, changed = read
        pictures = states.unflatten(1, (8, 12))  # [rows, height, width, dim]
        for row in range(4):
            views = pictures[row // 2 * 2 : row // 2 * 2 + 2]
            for line in range(8):
                tokens = views[:, line] if rows_only else views
                added = attend_to(
                    ours.branches[NAME.replace(".", "-")],
                    pictures[row, line],
                    tokens.flatten(0, -2),
                )
                expected = plain[row].unflatten(0, (8, 12))[line] + 0.5 * added
                assert torch.allclose(changed[row].unflatten(0, (8, 12))[line], expected, atol=1e-5)


def test_things_do_not_see_each_other(unet, draw, run, disturb):
    ours = ViewAttention(unet, ViewOptions(views=2))
    disturb(ours)
    inject(unet, {"views": ours})
    latents, text = draw(4, 12, 8, 12), draw(4, 3, 12)
    both = run(latents=latents, text=text)
    assert torch.allclose(both[:2], run(latents=latents[:2], text=text[:2]), atol=1e-5)
    other = latents.clone()
    other[1] += 1  # another view of the first thing
    changed = run(latents=other, text=text)
    assert not torch.allclose(changed[0], both[0], atol=1e-4)
    assert torch.equal(changed[2:], both[2:])
    with pytest.raises(ValueError, match="batch of 3 was run with 2 views"):
        run(latents=latents[:3], text=text[:3])


def test_a_reference_is_read_by_the_frozen_denoiser(unet, draw, disturb):
    ours = ReferenceAttention(unet, ReferenceOptions())
    disturb(ours)
    latents, reference, text = draw(2, 12, 8, 12), draw(2, 12, 8, 12) + 1, draw(2, 3, 12)
    attention, read = dict(self_attentions(unet))[NAME], []
    with torch.no_grad():
        handle = attention.register_forward_pre_hook(lambda _, args: read.append(args[0]))
        unet(reference, 0, text)
        handle.remove()
        attention.register_forward_pre_hook(lambda _, args: read.append(args[0]))
        attention.register_forward_hook(lambda *call: read.append(call[2]))
        injection = inject(unet, {"reference": ours})
        attention.register_forward_hook(lambda *call: read.append(call[2]))
        with injection.tell(Condition("reference", "latent", reference, scale=0.5)):
            unet(latents, 500, text)
    seen, plain, changed = read[0], read[-2], read[-1]
    states = read[-3]
    for row in range(2):
        added = attend_to(ours.branches[NAME.replace(".", "-")], states[row], seen[row])
        assert torch.allclose(changed[row], plain[row] + 0.5 * added, atol=1e-5)


def test_views_of_a_thing_share_its_reference(unet, draw, run, disturb):
    from fusion.contract.context import Repeats

    ours = ReferenceAttention(unet, ReferenceOptions())
    disturb(ours)
    injection, reference = inject(unet, {"reference": ours}), draw(2, 12, 8, 12)
    latents, text = draw(4, 12, 8, 12), draw(1, 3, 12).expand(4, -1, -1)
    told = Condition("reference", "latent", reference)
    with injection.tell(told, repeats=Repeats(each=True)):
        both = run(latents=latents, text=text)
    with injection.tell(Condition("reference", "latent", reference.repeat_interleave(2, 0))):
        assert torch.allclose(both, run(latents=latents, text=text), atol=1e-5)
    with injection.tell(Condition("reference", "latent", reference[:, :4])):
        with pytest.raises(ValueError, match="has 4 channels; expected 12"):
            run(2)


def test_sides_are_found_by_halving():
    assert sides_of(96, 8, 12) == (8, 12)
    assert sides_of(24, 8, 12) == (4, 6)
    assert sides_of(3 * 5, 9, 17) == (3, 5)  # rounded up, as convolutions do
    with pytest.raises(ValueError, match="50 places of latents of 8 x 12"):
        sides_of(50, 8, 12)
    assert functional.avg_pool2d(torch.zeros(1, 1, 9, 17), 2, ceil_mode=True).shape[2:] == (5, 9)
