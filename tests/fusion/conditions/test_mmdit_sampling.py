"""Conditions on small MM-DiTs that pictures are sampled with, as on U-Nets."""

from typing import Any

import pytest
import torch

from fusion.conditions.catalog import INJECTORS, PRESETS, build_preset
from fusion.conditions.condition import Condition
from fusion.conditions.injection import inject
from fusion.contract.context import Repeats
from modalities.diffusion.audio_adapter import STANDING
from modalities.diffusion.decoupled import Prompt
from modalities.diffusion.networks import MMDITS
from modalities.diffusion.sampling import sample
from modalities.diffusion.small_mmdit import SmallMmdit, SmallMmditOptions, build_small_mmdit

pytest.importorskip("diffusers")
PRESET = {"flux": "easycontrol_16", "sd3": "unic_adapter_low_rank"}


@pytest.fixture(params=["flux", "sd3"])
def mmdit(request) -> SmallMmdit:
    options = SmallMmditOptions(
        height=8, width=8, kind=request.param, heads=2, head_dim=8, token_dim=6, pooled_dim=5
    )
    found = build_small_mmdit(options, seed=1)
    found.freeze()
    return found


def _opened(mmdit: SmallMmdit) -> Any:
    """Return injectors whose gates are open."""
    built = build_preset(mmdit.network, PRESET[mmdit.options.kind])
    torch.manual_seed(2)
    for weight in built["map"].parameters():
        torch.nn.init.normal_(weight, std=0.3)
    return built


def _told(mmdit: SmallMmdit, rows: int) -> list[Condition]:
    torch.manual_seed(3)
    told = [Condition("map", "latent", torch.randn(rows, 3, 8, 8))]
    if mmdit.options.kind == "sd3":
        told += [Condition("map", "tokens", torch.randn(rows, 2, 6))]
        told += [Condition("map", "vector", torch.randn(rows, 5))]
    return told


def test_pictures_are_sampled_with_a_condition_and_as_before_without(mmdit):
    before = sample(mmdit, [1, 2], steps=3)
    injection = inject(mmdit, _opened(mmdit))
    assert torch.equal(sample(mmdit, [1, 2], steps=3), before)
    with injection.tell(*_told(mmdit, 2)):
        found = sample(mmdit, [1, 2], steps=3)
        again = sample(mmdit, [1, 2], steps=3)
    assert torch.equal(found, again) and not torch.allclose(found, before, atol=1e-3)
    injection.remove()
    assert torch.equal(sample(mmdit, [1, 2], steps=3), before)


def test_guidance_reads_a_condition_in_both_halves(mmdit):
    """With guidance of 0 that is what is painted of the empty text alone, told the condition."""
    text = Prompt(torch.randn(2, 4, 6), None, torch.randn(2, 5))
    injection = inject(mmdit, _opened(mmdit))
    with injection.tell(*_told(mmdit, 2)):
        expected = sample(mmdit, [1, 2], steps=3, text=mmdit.prompt(2), guidance=1)
    with injection.tell(*_told(mmdit, 2), repeats=Repeats(whole=2)):
        found = sample(mmdit, [1, 2], steps=3, text=text, guidance=0)
        guided = sample(mmdit, [1, 2], steps=3, text=text, guidance=2)
    # The stream of FLUX is modulated by the text's vector, those rows' with a text.
    if mmdit.options.kind == "sd3":
        assert torch.allclose(found, expected, atol=1e-5)
    assert guided.isfinite().all() and not torch.allclose(guided, found, atol=1e-3)


def test_what_the_audio_adapter_names_stands_on_mmdits():
    assert set(STANDING) == set(MMDITS)
    for kind, told in STANDING.items():
        injector = INJECTORS[told.split(" ")[0]]
        named = [name for name in PRESETS if name in told]
        assert injector.backbones == (kind,) and named
        assert all(p.kind is injector for name in named for p in PRESETS[name].parts.values())
