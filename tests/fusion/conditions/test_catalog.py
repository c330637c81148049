"""What holds for every published way of telling conditions."""

import math
from typing import Any

import pytest
import torch

from fusion.conditions.backbones import BACKBONES, build_backbone
from fusion.conditions.catalog import INJECTORS, PRESETS, build_preset, find_preset
from fusion.conditions.counting import Count
from fusion.conditions.injection import inject
from fusion.conditions.joint_attention import JointProcessor
from fusion.contract.context import Repeats
from modalities.tensor_hash import hash_weights

pytest.importorskip("diffusers")
every = pytest.mark.parametrize("name", PRESETS)


def hooks(model: Any) -> int:
    replaced = [getattr(one, "processor", None) for one in model.modules()]
    return sum(len(one._forward_hooks) + len(one._forward_pre_hooks) for one in model.modules()) + (
        sum(isinstance(one, JointProcessor) for one in replaced)
    )


@every
def test_fresh_ones_change_nothing(name, run, model, small_preset, conditions):
    before, parts = run(), small_preset(name)
    with inject(model, parts).tell(*conditions(parts)):
        found = run()
    if any(one.doubles for one in parts.values()):  # a batch of twice the rows is not so to the bit
        assert torch.allclose(found, before, atol=1e-6)
    else:
        assert torch.equal(found, before)


@every
def test_trained_ones_change_something_until_they_are_removed(
    name, run, model, small_preset, conditions, disturb
):
    before, known, parts = run(), hash_weights(model), small_preset(name)
    disturb(*parts.values())
    injection = inject(model, parts)
    with injection.tell(*conditions(parts)):
        changed = run()
    assert not torch.allclose(changed, before, atol=1e-3)
    injection.remove()
    assert torch.equal(run(), before)
    with pytest.raises(ValueError, match="were removed"), injection.tell(*conditions(parts)):
        pass
    assert hash_weights(model) == known and not hooks(model)


@every
def test_without_conditions_the_denoiser_is_what_it_was(name, run, model, small_preset, disturb):
    before, parts = run(), small_preset(name)
    disturb(*parts.values())
    told = {key: one for key, one in parts.items() if one.needs}
    if not told:
        pytest.skip("it needs no condition")
    inject(model, told)
    assert torch.equal(run(), before)


@every
def test_kept_is_what_is_made_anew(name, run, model, small_preset, conditions, disturb):
    parts = small_preset(name)
    disturb(*parts.values())
    injection, made = inject(model, parts), []
    for one in parts.values():
        encode = one.encode
        one.encode = lambda *given, e=encode: made.append(1) or e(*given)  # type: ignore[method-assign]
    anew = []
    for time in (900, 300):
        with injection.tell(*conditions(parts)):
            anew.append(run(time=time))
    often, told = len(made), [one for one in parts.values() if one.needs]
    assert often == 2 * len(told)
    with injection.tell(*conditions(parts)):
        kept = [run(time=time) for time in (900, 300)]
    assert all(torch.equal(one, other) for one, other in zip(kept, anew, strict=True))
    assert len(made) - often == sum(2 if one.each_step else 1 for one in told)


@every
def test_guidance_doubles_conditions_in_the_order_of_its_batch(
    name, run, model, small_preset, conditions, disturb, draw
):
    """Its batch is [a, b, a, b]: half without a text, half with one."""
    parts = small_preset(name)
    disturb(*parts.values())
    injection, latents, texts = inject(model, parts), draw(2, 12, 8, 12), draw(4, 3, 12)
    told = conditions(parts)
    if "reference" in parts:  # else it is read with another text in each half
        told += [type(told[0])("reference", "tokens", draw(2, 3, 12))]
    with injection.tell(*told):
        halves = [run(latents=latents, text=text) for text in texts.chunk(2)]
    with injection.tell(*told, repeats=Repeats(whole=2)):
        both = run(latents=torch.cat([latents, latents]), text=texts)
    assert torch.allclose(both, torch.cat(halves), atol=1e-5)
    if any(one.needs for one in parts.values()):
        with injection.tell(*told), pytest.raises(ValueError, match="Say whole=2"):
            run(latents=torch.cat([latents, latents]), text=texts)


@every
def test_gradients_reach_the_injectors_and_nothing_else(
    name, call, model, small_preset, conditions, draw
):
    parts = small_preset(name)
    with inject(model, parts).tell(*conditions(parts)):
        call(draw(2, 12, 8, 12), 500, draw(2, 3, 12)).square().sum().backward()
    for one in parts.values():
        grads = [p.grad for p in one.parameters() if p.grad is not None]
        assert any(grad.abs().sum() > 0 for grad in grads)
    assert all(p.grad is None for p in model.parameters())


@every
def test_weights_go_from_one_to_another(name, run, model, small_preset, conditions, disturb):
    parts, others = small_preset(name), small_preset(name)
    disturb(*parts.values())
    for one, other in zip(parts.values(), others.values(), strict=True):
        other.load_weights(one.weights())
    found = []
    for some in (parts, others):
        injection = inject(model, some)
        with injection.tell(*conditions(some)):
            found.append(run())
        injection.remove()
    assert torch.equal(*found)
    weights = next(iter(parts.values())).weights()
    first = next(iter(weights))
    taken = {key: value for key, value in weights.items() if key != first}
    with pytest.raises(ValueError, match=f"{len(weights) - 1} tensors .*{first} is missing"):
        next(iter(others.values())).load_weights(taken)
    with pytest.raises(ValueError, match="weights of other options"):
        next(iter(others.values())).load_weights({**weights, first: torch.zeros(1, 1, 1)})


@pytest.fixture(scope="module")
def backbones() -> dict[str, Any]:
    return {name: build_backbone(name) for name in BACKBONES}


def test_backbones_have_the_published_sizes(backbones):
    counts = {n: sum(p.numel() for p in model.parameters()) for n, model in backbones.items()}
    assert counts == {
        "sd15": 859_520_964,
        "sdxl": 2_567_463_684,
        "sd3_medium": 2_028_328_000,
        "flux_dev": 11_901_408_320,
    }


@every
def test_counts_are_the_published_ones(name, backbones):
    for backbone, trained in PRESETS[name].trained.items():
        with torch.device("meta"):
            parts = build_preset(backbones[backbone], name)
        count = sum((one.count() for one in parts.values()), Count(0, 0, 0))
        assert count.trained == count.stored == trained
        frozen = 361_279_120 if name == "ctrl_adapter" else 0  # Stable Diffusion's ControlNet
        assert count.added == trained + frozen


def test_counts_that_nobody_published_follow_from_the_layers():
    widths = (320, 640, 1280, 1280)
    text = sum(1283 * width + 2 * 768 * 640 for width in widths)
    assert PRESETS["nexus_prime"].trained["sd15"] == 77_369_280 + text
    light = PRESETS["t2i_adapter_light"].trained["sd15"]
    assert light == sum(
        (read * w // 4 + w // 4) + 4 * 2 * (9 * (w // 4) ** 2 + w // 4) + (w // 4 * w + w)
        for read, w in zip((192, *widths), widths, strict=False)
    )
    assert PRESETS["nexus_light"].trained["sd15"] == light + text
    saved = sum(2 * (9 * w * w + w - 9 * w * w // 2 - w * w) for w in widths)
    xl = {name: PRESETS[name].trained["sdxl"] for name in ("nexus_prime_xl", "nexus_slim_xl")}
    assert xl["nexus_slim_xl"] == xl["nexus_prime_xl"] - saved
    assert PRESETS["ctrl_adapter"].trained["sdxl"] == _mapper_weights()


def _mapper_weights() -> int:
    """Count a ControlNet's nine largest features mapped to SDXL's, layer by layer."""
    total = 320 * 1280 + 1280 + 1280**2 + 1280  # the time
    for c in (320, 320, 320, 320, 640, 640, 640, 1280, 1280):
        residual = 2 * (9 * c * c + c) + 2 * 2 * c + 1280 * c + c
        attentions = (4 * c * c + c) + (2 * c * c + 2 * 2048 * c + c)
        feed_forward = c * 8 * c + 8 * c + 4 * c * c + c
        transformer = 2 * c + 2 * (c * c + c) + 3 * 2 * c + attentions + feed_forward
        total += residual + transformer + c * c + c
    return total


def test_unknown_ones_are_told_with_those_there_are(unet):
    with pytest.raises(ValueError, match="known: t2i_adapter, .* Did you mean 'nexus_slim'"):
        find_preset("nexus_slym")
    with pytest.raises(ValueError, match="not on a Linear; on that stand: none"):
        build_preset(torch.nn.Linear(2, 2), "nexus_slim")
    with pytest.raises(ValueError, match="No part 'maps'; known: map"):
        build_preset(unet, "nexus_slim", {"maps": {}})
    with pytest.raises(ValueError, match="no such option .* known: channels, pixels"):
        build_preset(unet, "nexus_slim", {"map": {"chanels": 1}})
    with pytest.raises(ValueError, match="No backbone 'sd16'; known: sd15, sdxl, sd3_medium"):
        build_backbone("sd16")


def test_every_kind_is_in_the_table():
    used = {part.kind for preset in PRESETS.values() for part in preset.parts.values()}
    assert used <= set(INJECTORS.values())
    assert all(math.prod(p.trained.values()) and p.title for p in PRESETS.values())
