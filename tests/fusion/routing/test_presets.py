"""Published methods: their counts on models without weights, their settings, what they refuse."""

import pytest
import torch
from torch import nn

from fusion.contract.sites import find_sites
from fusion.routing.method import Routed, count_router
from fusion.routing.options import BankOptions, changed
from fusion.routing.presets import PRESETS, attach_preset, find_preset
from fusion.routing.training import LOSSES


def build_llama(dim: int, feed: int, layers: int, heads: int) -> nn.Module:
    from transformers import LlamaConfig, LlamaModel

    config = LlamaConfig(
        hidden_size=dim,
        intermediate_size=feed,
        num_hidden_layers=layers,
        num_attention_heads=heads,
        num_key_value_heads=8,
        vocab_size=99,
    )
    with torch.device("meta"):
        return LlamaModel(config)


def build_vit() -> nn.Module:
    from transformers import ViTConfig, ViTModel

    with torch.device("meta"):
        return ViTModel(ViTConfig(), add_pooling_layer=False)


@pytest.mark.parametrize(
    ("sizes", "expected"),
    [((4096, 14336, 32, 32), 34_865_152), ((5120, 13824, 40, 40), 49_889_280)],
)
def test_gates_of_meteora_on_llama(sizes, expected):
    preset = find_preset("meteora")
    sites = find_sites(build_llama(*sizes), preset.where, "sublayer")
    assert len(sites) == 7 * sizes[2]
    assert sum(Routed.count(site, preset.options) for site in sites) == expected


def test_meteora_on_a_model_without_weights_trains_its_gates_alone():
    model = build_llama(4096, 14336, 2, 32)
    bank = attach_preset(model, "meteora")
    assert bank.count() == 2 * 28 * (6 * 4096 + 14336) == 34_865_152 // 16
    assert bank.count() == sum(p.numel() for p in bank.parameters())
    report = bank.report()
    assert report.trained == bank.count()
    experts = 2 * 28 * 8 * (2 * 8192 + 2 * 5120 + 3 * 18_432)
    assert report.stored - report.trained == experts


@pytest.mark.parametrize(("heads", "expected"), [(1, 524_368), (8, 524_928)])
def test_skills_of_poly_and_mhr_on_a_layer_of_4096(heads, expected):
    with torch.device("meta"):
        model = nn.Sequential(nn.Linear(4096, 4096))
    method = "poly" if heads == 1 else "mhr"
    bank = attach_preset(model, method, {"experts": 8, "tasks": 10}, ["0"])
    assert bank.options.form_options == {"rank": 8, "heads": heads}
    assert bank.count() == sum(p.numel() for p in bank.parameters()) == expected


def test_adapters_of_sema_and_mos_on_vit():
    model = build_vit()
    sema = attach_preset(model, "sema", name="sema")
    assert [site.split(".")[-3] for site in sema.part.sites] == ["9", "10", "11"]
    (site, *_) = sema.adapters.sites(sema.part)
    own = sema.options.form_kind.count(site, 1, sema.options.form_built)
    assert (own, count_router(site, sema.options)) == (25_360, 769)
    assert sema.count() == 3 * (25_360 + 769) == sum(p.numel() for p in sema.parameters())
    mos = attach_preset(model, "mos", name="mos")
    assert mos.count() == 304_320 == sum(p.numel() for p in mos.parameters())
    assert attach_preset(model, "mos", {"experts": 5}, name="five").count() == 5 * 304_320


@pytest.mark.parametrize("method", list(PRESETS))
def test_every_method_attaches_to_whisper_and_a_fresh_one_changes_nothing(method, build, output):
    model = build("whisper")
    before = output("whisper", model)
    bank = attach_preset(model, method)
    experts = bank.options.experts
    known = {"tasks": torch.zeros(4, dtype=torch.long)}
    if method == "mos":
        known = {"weights": torch.ones(4, experts)}
    with bank.route(**known) as trace:
        assert torch.equal(output("whisper", model), before)
    report = bank.report(trace)
    assert set(report.sites) == set(bank.part.sites)
    for usage in report.sites.values():
        assert len(usage.load) == experts and sum(usage.load) == pytest.approx(1, abs=1e-4)
        assert 1 - 1e-4 <= usage.support <= experts + 1e-3
    assert set(PRESETS[method].losses) <= set(LOSSES)


def test_remix_weighs_each_of_its_two_by_two_over_k_r(build):
    bank = attach_preset(build("whisper"), "remix", name="one")
    (adapter, *_) = bank.sites.values()
    weights = adapter.options.rule_built(torch.randn(3, 8), False)
    assert (weights > 0).sum(-1).tolist() == [2, 2, 2]
    assert adapter.experts.scale * float(weights.max()) == pytest.approx(2 / (2 * 8))
    stabilised = changed(bank.options, {"rank_stabilised": True})
    assert stabilised.form_built.scale / 2 == pytest.approx(2 / (2 * 8**0.5))


def test_an_unknown_method_or_setting_is_told_with_those_there_are(linear):
    with pytest.raises(ValueError, match="No routed method 'polly'; known: poly, .*'poly'"):
        attach_preset(linear(), "polly")
    with pytest.raises(ValueError, match="no option 'skils'; known: .*experts"):
        attach_preset(linear(), "poly", {"skils": 3}, ["0"])
    with pytest.raises(ValueError, match="k is 9, the router has 8 experts"):
        attach_preset(linear(), "remix", {"k": 9}, ["0"])
    with pytest.raises(ValueError, match="pyramid has 8 scales, .* and the bank 4 experts"):
        attach_preset(linear(), "pyramid", {"experts": 4}, ["0"])
    with pytest.raises(ValueError, match="Form 'mixed_lora' is for whole samples"):
        attach_preset(linear(), "poly", {"granularity": "token"}, ["0"])
    with pytest.raises(ValueError, match="4 experts, and names for 2: a, b"):
        attach_preset(linear(), "poly", {"names": ("a", "b")}, ["0"])


def test_names_of_settings_are_of_one_table_alone():
    from dataclasses import fields

    from fusion.routing.catalog import FORMS, ROUTERS, RULES

    own = {f.name for f in fields(BankOptions)}
    tables = [
        {f.name for one in FORMS.values() for f in fields(one.Options)},
        {f.name for one in ROUTERS.values() for f in fields(one.Options)},
        {f.name for one in RULES.values() for f in fields(one)},
    ]
    for place, names in enumerate(tables):
        others = own.union(*tables[:place], *tables[place + 1 :])
        assert not names & others
