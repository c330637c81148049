from typing import Any

import pytest
import torch

from fusion.conditions.condition import Condition
from fusion.conditions.injection import inject
from fusion.conditions.joint_pair import BOTH, EACH, JointAttention, JointOptions, JointPair
from fusion.conditions.unet import self_attentions
from modalities.diffusion.decoupled import Prompt

pytest.importorskip("diffusers")
SMALL = dict(rank=3, alpha=6.0)


def changed(layer: Any, lora: Any, states: torch.Tensor) -> torch.Tensor:
    """Apply a layer with its change merged, alpha / rank = 2."""
    weight = layer.weight + 2 * lora.up.weight @ lora.down.weight
    return torch.nn.functional.linear(states, weight, layer.bias)


@pytest.mark.parametrize("joined", [EACH, BOTH])
def test_each_side_attends_to_the_other(unet, draw, disturb, joined):
    attention = next(one for _, one in self_attentions(unet))
    joint = JointAttention(attention, JointOptions(joined=joined, **SMALL))
    disturb(joint)
    states = draw(2, 5, 8)
    found, sides = joint(attention, states), []
    for own in (0, 1):
        lora, asks, asked = joint.sides[own], states[own], states[1 - own]
        query = changed(attention.to_q, lora["q"], asks)
        keys, values = (
            changed(getattr(attention, f"to_{face}"), lora[face], asked) for face in ("k", "v")
        )
        heads = [
            (q @ k.T / 2).softmax(-1) @ v  # 2 is the root of the heads' width, 4
            for q, k, v in zip(*(one.chunk(2, -1) for one in (query, keys, values)), strict=True)
        ]
        sides.append(changed(attention.to_out[0], lora["out"], torch.cat(heads, -1)))
    if joined == BOTH:
        expected = joint.join(torch.cat(sides, -1)).chunk(2, -1)
    else:
        expected = [joint.join(side) for side in sides]
    assert torch.allclose(found, torch.stack(list(expected)), atol=1e-5)


def test_layers_change_for_the_partner_alone(unet, draw, run, disturb):
    """The joint attention adds 0 here, so that only the partner's own layers are left."""
    ours = JointPair(unet, JointOptions(**SMALL))
    disturb(ours.partner)
    plain, other = run(), draw(2, 12, 8, 12) + 1
    injection = inject(unet, {"partner": ours})
    with injection.tell(Condition("partner", "latent", other)):
        assert torch.allclose(run(), plain, atol=1e-6)
    assert ours.told_of_partner is not None
    found = ours.told_of_partner
    injection.remove()
    assert not torch.allclose(found, run(latents=other, time=0), atol=1e-3)
    for name, layers in ours.partner.items():
        attention = unet.get_submodule(name.replace("-", "."))
        for face, lora in layers.items():
            layer = attention.to_out[0] if face == "out" else getattr(attention, f"to_{face}")
            layer.weight.data += 2 * lora.up.weight @ lora.down.weight
    assert torch.allclose(found, run(latents=other, time=0), atol=1e-5)


def test_each_has_a_time_and_a_text_of_its_own(unet, denoiser, draw):
    ours = JointPair(unet, JointOptions(partner=False, **SMALL))  # fresh: two plain runs
    injection = inject(denoiser, {"partner": ours})
    latents, other = draw(2, 12, 8, 12), draw(2, 12, 8, 12) + 1
    times, own = torch.tensor([500, 200]), torch.tensor([30, 700])
    text, trigger = draw(2, 3, 12), 1 - 2 * draw(2, 3, 12)
    told = Condition("partner", "latent", other, times=own)
    with torch.no_grad():
        with injection.tell(told, Condition("partner", "tokens", trigger)):
            picture = denoiser(latents, times, Prompt(text))
        injection.remove()
        assert torch.allclose(picture, unet(latents, times, text).sample, atol=1e-5)
        assert ours.told_of_partner is not None
        expected = unet(other, own, trigger).sample
        assert torch.allclose(ours.told_of_partner, expected, atol=1e-5)
        assert not torch.allclose(expected, unet(other, own, text).sample, atol=1e-4)


def test_a_partner_of_another_size_is_refused(unet, draw, run):
    injection = inject(unet, {"partner": JointPair(unet, JointOptions(**SMALL))})
    with injection.tell(Condition("partner", "latent", draw(2, 12, 8, 8))):
        with pytest.raises(ValueError, match=r"is \[12, 8, 8\]; expected \[12, 8, 12\]"):
            run()
    told = Condition("partner", "latent", draw(2, 12, 8, 12))
    with injection.tell(told, Condition("partner", "tokens", draw(2, 4, 12))):
        with pytest.raises(ValueError, match=r"text is \[4, 12\]; expected \[3, 12\]"):
            run()
    with pytest.raises(ValueError, match="'joined' is 'all'; known: each, both"):
        JointOptions(joined="all")


def test_frozen_weights_are_read_where_they_are(unet, draw, disturb):
    """The published code copies each self-attention; here nothing but changes is held."""
    ours = JointPair(unet, JointOptions(partner=False, **SMALL))
    widths = [one.to_q.out_features for _, one in self_attentions(unet)]
    assert ours.count().added == sum(2 * 4 * 2 * w * 3 + 4 * w * w for w in widths)
