import json
from importlib.util import find_spec

import pytest
import torch

from tools import flow_measures, flow_measures_page, flow_toys
from tools.flow_measures import (
    EPSILONS,
    METHODS,
    PEERS,
    PLAIN,
    TRANSPORT,
    available,
    load_flow,
    run,
    run_flow,
    time_steps,
    train_flow,
    weighted,
)
from tools.flow_measures_page import PAGE, best_of, choose, publish, tell
from tools.flow_toys import TOYS

FIRST = next(iter(TOYS))


@pytest.fixture
def small(monkeypatch):
    pytest.importorskip("scipy")
    monkeypatch.setattr(flow_toys, "POINTS", 40)
    monkeypatch.setattr(flow_toys, "DRAWS", 1)
    monkeypatch.setattr(flow_toys, "MANY", 5)
    monkeypatch.setattr(flow_measures, "BATCH", 16)


def measured(few, energy=10.0, share=1.0, validated=None):
    numbers = {"w2_many": few, "w2_few": few, "energy": energy, "gap": 0.1}
    validation = {**numbers, "w2_few": few if validated is None else validated}
    return [{"test": numbers, "validation": validation, "effective_share": share}] * 2


def made_up(**changes):
    found = {name: measured(1.0, 20.0) for name in METHODS}
    found[TRANSPORT] = measured(0.5, 8.1)
    found[weighted("squared", 10.0)] = measured(0.6, 10.0, 0.3, validated=0.5)
    found[weighted("squared", 20.0)] = measured(0.4, 12.0, 0.6, validated=0.9)
    found[weighted("squared", 2.0)] = measured(1.3, 4.0, 0.04)
    return {**found, **changes}


def test_five_epsilons_of_both_costs_and_the_peers_are_measured():
    assert {cost: len(epsilons) for cost, epsilons in EPSILONS.items()} == {"squared": 5, "norm": 5}
    assert len(METHODS) == 2 + 10 + 2
    assert set(available()) == (
        set(METHODS) if find_spec("torchcfm") else set(METHODS) - set(PEERS)
    )


def test_methods_of_one_seed_begin_with_the_same_weights_and_points(small):
    one, _ = train_flow(FIRST, PLAIN, 3, steps=1)
    wide, share = train_flow(FIRST, weighted("squared", 50.0), 3, steps=1)
    again, _ = train_flow(FIRST, PLAIN, 3, steps=1)
    for name, value in one.state_dict().items():
        assert torch.equal(value, again.state_dict()[name])
    assert any(not torch.equal(v, wide.state_dict()[n]) for n, v in one.state_dict().items())
    assert 0 < share < 1


def test_what_was_measured_is_not_trained_again(small, tmp_path, monkeypatch):
    found = run_flow(FIRST, TRANSPORT, 0, tmp_path, steps=2)
    monkeypatch.setattr(flow_measures, "train_flow", None)
    assert run_flow(FIRST, TRANSPORT, 0, tmp_path, steps=2) == found
    network = load_flow(FIRST, TRANSPORT, 0, tmp_path)
    again = flow_toys.measure_flow(network, TOYS[FIRST], flow_toys.TEST)
    assert again == pytest.approx(found["test"])


def test_steps_are_timed_beside_the_first(small):
    found = time_steps([PLAIN, weighted("norm", 1.0)], rounds=1, each=1)
    assert found["ratios"][PLAIN] == 1.0 and min(found["seconds"].values()) > 0


def test_epsilon_is_chosen_by_the_validation_and_told_by_the_test():
    found = made_up()
    assert choose(found, "squared") == best_of(found) == weighted("squared", 10.0)
    toys = {"floor": 0.3, "squared": 8.0}
    timed = {"seconds": dict.fromkeys(METHODS, 0.002), "ratios": dict.fromkeys(METHODS, 1.1)}
    told = "\n".join(tell({FIRST: found}, {FIRST: toys}, timed))
    assert "the energy is off by 0.17 of what it is off by in plain" in told  # 0.25 / 1.5
    assert "W2 at 4 steps is 0.60, of plain flow matching 1.00" in told
    assert "epsilon 2 counts 4 % of the pairs, and W2 at 4 steps is 1.30, worse than" in told
    assert "epsilon 10 (chosen) | 0.60 ± 0.00" in told and "2 seeds" in told


def test_the_whole_study_runs_and_writes_its_section(small, tmp_path, monkeypatch):
    methods = {k: v for k, v in METHODS.items() if k not in PEERS}
    for module in (flow_measures, flow_measures_page):
        monkeypatch.setattr(module, "METHODS", methods)
    monkeypatch.setattr(flow_measures, "ROUNDS", 1)
    monkeypatch.setattr(flow_measures, "available", lambda: list(methods))
    run(1, tmp_path / "kept", steps=1)
    page = tmp_path / "page.md"
    page.write_text("<!-- measures: begin -->\n<!-- measures: end -->\n")
    publish(tmp_path / "kept", page)
    assert "minibatch OT" in page.read_text()
    assert (tmp_path / "conditions_flows.png").stat().st_size < 40_000
    kept = json.loads((tmp_path / "kept/seconds.json").read_text())
    assert set(kept) == {"seconds", "ratios"}


def test_what_was_not_measured_is_told(tmp_path):
    with pytest.raises(FileNotFoundError, match="Nothing was measured of flow matching"):
        publish(tmp_path)


def test_the_page_has_the_marks():
    assert PAGE.read_text().count("<!-- measures: begin -->") == 1


@pytest.mark.skipif(not find_spec("torchcfm"), reason="torchcfm is not installed")
def test_torchcfms_plain_matching_is_ours():
    """Of the same source, target and time, the loss is the same."""
    torch.manual_seed(0)
    ends = torch.randn(8, 2), torch.randn(8, 2)
    network = flow_toys.VelocityNetwork()
    peer = METHODS[f"{PLAIN}, torchcfm"].built  # type: ignore[attr-defined]
    times, noisy, wanted = peer.sample_location_and_conditional_flow(*ends)
    path = flow_measures.FlowPath().place(*ends, 1 - times)
    torch.testing.assert_close(path.noisy, noisy)
    torch.testing.assert_close(path.wanted, wanted)
    assert network(noisy, times).shape == (8, 2)
