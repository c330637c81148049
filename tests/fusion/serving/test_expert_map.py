"""Rows that are led to the experts of their tenants get what the tenants' own banks would give."""

from copy import deepcopy

import pytest
import torch
from torch import nn

from fusion.routing.bank import Bank, attach_bank
from fusion.serving.expert_map import ExpertMap

EXPERTS, ROWS = 8, 6
SPARSE = {"experts": EXPERTS, "k": 2, "rank": 4, "granularity": "token", "router_start": "normal"}
TENANTS = {"ann": 1, "bob": 3, "cy": 2, "dee": 1}
MIXED = ["bob", None, "ann", "cy", "dee", "bob"]
MEL = torch.randn(ROWS, 80, 40, generator=torch.Generator().manual_seed(0))
TOKENS = torch.tensor([[5, 6, 7]] * ROWS)


@torch.inference_mode()
def run(model: nn.Module) -> torch.Tensor:
    return model(MEL, decoder_input_ids=TOKENS).logits


def fill(bank: Bank, seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in bank.parameters():
            parameter.copy_(0.3 * torch.randn(parameter.shape, generator=generator))


@torch.no_grad()
def tune(bank: Bank, name: str) -> Bank:
    """A copy of the model whose bank has some experts of a tenant's at each site: merged."""
    merged = Bank(deepcopy(bank.model), bank.name)
    generator = torch.Generator().manual_seed(sum(map(ord, name)))
    for adapter in merged.sites.values():
        for number in torch.randperm(EXPERTS, generator=generator)[: TENANTS[name]].tolist():
            for tensor in adapter.experts.expert(number).values():
                tensor.copy_(0.3 * torch.randn(tensor.shape, generator=generator))
    return merged


@pytest.fixture
def bank(whisper) -> Bank:
    bank = attach_bank(whisper, SPARSE)
    fill(bank, 0)
    return bank


@pytest.fixture
def merged(bank) -> dict[str | None, Bank]:
    """The banks of all tenants, each on a model of its own."""
    return {None: Bank(deepcopy(bank.model)), **{name: tune(bank, name) for name in TENANTS}}


@pytest.fixture
def loaded(bank, merged) -> ExpertMap:
    found = ExpertMap(bank)
    for name in TENANTS:
        found.load(name, merged[name])
    return found


def test_mixed_rows_are_those_of_the_merged_models_to_the_bit(loaded, merged):
    with loaded.rows(MIXED):
        mixed = run(loaded.bank.model)
    alone = {name: run(bank.model) for name, bank in merged.items()}
    for row, name in enumerate(MIXED):
        assert torch.equal(mixed[row], alone[name][row]), name
    for one, other in ((0, 1), (1, 2), (2, 3), (3, 4)):  # experts of tenants do count
        assert not torch.equal(alone[MIXED[one]][one], alone[MIXED[other]][one])
    assert torch.equal(run(loaded.bank.model), alone[None])  # beyond the block all is as before


def test_one_tenant_for_all_rows_is_its_merged_model(loaded, merged):
    for name in (*TENANTS, None):
        with loaded.rows([name] * ROWS):
            assert torch.equal(run(loaded.bank.model), run(merged[name].model))


@pytest.mark.parametrize(
    "options",
    [
        {"form": "bottleneck", "experts": EXPERTS, "rank": 4, "k": 2, "router_start": "normal"},
        {"experts": EXPERTS, "rank": 4, "granularity": "sample", "router_start": "normal"},
        {"experts": EXPERTS, "rank": 16, "k": 3, "granularity": "block", "router_start": "normal"},
        {"form": "mixed_lora", "experts": EXPERTS, "router": "given", "granularity": "sample"},
    ],
)
def test_other_forms_and_granularities_come_as_near_as_sums_do(whisper, options):
    bank = attach_bank(whisper, options)
    fill(bank, 0)
    merged = {None: bank, **{name: tune(bank, name) for name in TENANTS}}
    weights = torch.rand(ROWS, EXPERTS) if options.get("router") == "given" else None
    found = ExpertMap(bank)
    for name in TENANTS:
        found.load(name, merged[name])
    with bank.route(weights=weights), found.rows(MIXED):
        mixed = run(whisper)
    for row, name in enumerate(MIXED):
        with merged[name].route(weights=weights):
            expected = run(merged[name].model)[row]
        torch.testing.assert_close(mixed[row], expected, atol=2e-5, rtol=1e-4)


def test_memory_is_that_of_real_experts_alone(loaded, bank):
    size = 4 * (32 + 32) * 4  # rank, dims, bytes
    sites = len(bank.sites)
    kept = loaded.bytes()
    assert kept["tenants"] == sum(TENANTS.values()) * sites * size
    assert kept["bank"] == EXPERTS * sites * size and kept["gathered"] == 0
    loaded.evict("bob")
    assert loaded.bytes()["tenants"] == (sum(TENANTS.values()) - 3) * sites * size
    pages = next(iter(loaded.pages.values()))
    assert len(pages.pages) == 7 and len(pages.free) == 3
    loaded.load("eve", {site: {0: at.experts.expert(1)} for site, at in bank.sites.items()})
    assert len(pages.pages) == 7 and len(pages.free) == 2  # a free page is taken first
    for name in ("cy", "dee", "eve", "ann"):
        loaded.evict(name)
    assert pages.pages == [] and pages.free == [] and loaded.bytes()["tenants"] == 0


def test_tenants_come_and_go_and_others_stay_as_they_are(loaded, merged):
    with loaded.rows(MIXED):
        before = run(loaded.bank.model)
        loaded.evict("bob")
        loaded.load("eve", merged["ann"])
        assert torch.equal(run(loaded.bank.model), before)  # rows that run keep theirs
    with pytest.raises(ValueError, match="No tenant 'bob' is loaded; known: ann, cy, dee, eve"):
        loaded.rows(MIXED).__enter__()
    with loaded.rows(["eve", *MIXED[1:5], None]):
        after = run(loaded.bank.model)
    assert torch.equal(after[1:5], before[1:5])
    assert torch.equal(after[0], run(merged["ann"].model)[0])


def test_a_tenants_bank_comes_from_disk(bank, merged, tmp_path):
    merged["cy"].save(tmp_path)
    found = ExpertMap(bank)
    found.load("cy", tmp_path)
    assert bank.adapters.names == ["bank"] and bank.adapters.active == ["bank"]
    with found.rows(["cy"] * ROWS):
        assert torch.equal(run(bank.model), run(merged["cy"].model))


def test_what_is_no_tenant_of_the_bank_is_refused(loaded, bank, merged, whisper):
    with torch.no_grad():
        merged["ann"].routers[0].gate.add_(0.1)
    site = next(iter(bank.sites))
    good = bank.sites[site].experts.expert(0)
    with pytest.raises(ValueError, match="differs in router.* router stays as it is"):
        loaded.load("eve", merged["ann"])
    with pytest.raises(ValueError, match="'ann' is loaded already"):
        loaded.load("ann", {})
    with pytest.raises(ValueError, match="experts at nowhere, where the bank is not"):
        loaded.load("eve", {"nowhere": {0: good}})
    with pytest.raises(ValueError, match="expert 8 at .*; expected 0 to 7"):
        loaded.load("eve", {site: {8: good}})
    with pytest.raises(ValueError, match="Expert 0 of tenant 'eve' at .* expected"):
        loaded.load("eve", {site: {0: {"down": good["down"]}}})
    assert loaded.tenants == list(TENANTS)
    bank.drop()
    pyramid = attach_bank(whisper, {"form": "pyramid", "experts": 8})
    with pytest.raises(ValueError, match="'pyramid' do not lie side by side"):
        ExpertMap(pyramid)
