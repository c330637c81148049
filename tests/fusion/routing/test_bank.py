"""A bank from outside: routes, watches, reports, follows one decision, says what is wrong."""

import pytest
import torch
from torch import nn

from fusion.adapters.interface import attach
from fusion.routing.bank import Bank, attach_bank, load_bank


@pytest.fixture
def kind() -> str:
    return "whisper"


def test_real_tokens_alone_decide_for_a_sample(kind, model, moved_bank):
    options = {"granularity": "sample", "router_start": "normal", "rank": 2}
    bank = moved_bank(model, options, ("encoder.q",))
    lengths = torch.tensor([20, 9, 5, 1])
    mel = torch.randn(4, 80, 40)
    with torch.no_grad(), bank.route(lengths=lengths) as trace:
        model.encoder(mel)
    (routing,) = trace.at("encoder.layers.0.self_attn.q_proj")
    assert routing.mask.sum(1).tolist() == lengths.tolist()
    read = []
    hook = model.encoder.layers[0].self_attn.q_proj.register_forward_pre_hook(
        lambda _, args: read.append(args[0])
    )
    with torch.no_grad():
        model.encoder(mel)
    hook.remove()
    expected = torch.stack([row[:n].mean(0) for row, n in zip(read[0], lengths, strict=True)])
    torch.testing.assert_close(routing.features, expected, atol=1e-5, rtol=1e-4)
    with pytest.raises(ValueError, match="Lengths go from 3 to 21, and encoder.* reads 20 tokens"):
        with bank.route(lengths=torch.tensor([21, 3, 3, 3])):
            model.encoder(mel)


def test_a_decoder_follows_the_encoders_decision_through_all_steps_and_beams(build, moved_bank):
    from transformers import WhisperForConditionalGeneration

    plain = build("whisper")
    plain.config.forced_decoder_ids = None
    model = WhisperForConditionalGeneration(plain.config).eval()
    options = {"granularity": "model", "router_start": "normal", "std": 3.0, "k": 1, "rank": 2}
    bank = moved_bank(model, options, ("encoder.q", "decoder.v"))
    mel = torch.randn(3, 80, 40)
    tasks = torch.arange(3)
    ids = torch.full((6, 1), 1)
    with torch.no_grad(), bank.route(tasks=tasks, each=True) as trace:
        states = model.model.encoder(mel).last_hidden_state.repeat_interleave(2, 0)
        cache = None
        for _ in range(3):
            out = model.model.decoder(
                ids, encoder_hidden_states=states, past_key_values=cache, use_cache=True
            )
            cache = out.past_key_values
    first = trace.taken[0][1].weights
    assert len(trace.taken) > 8
    for site, routing in trace.taken:
        beams = 2 if site.startswith("model.decoder") else 1
        assert torch.equal(routing.weights, first.repeat_interleave(beams, 0)), site


def test_weights_that_are_given_win_and_rows_of_zero_are_the_frozen_model(
    kind, model, output, moved_bank
):
    before = output(kind, model)
    bank = moved_bank(model, {"rank": 2})
    weights = torch.tensor([[1.0, 0, 0, 0], [0, 0, 0, 0], [0, 1, 0, 0], [0, 0, 0, 0]])
    with bank.route(weights=weights) as trace:
        found = output(kind, model)
    assert torch.equal(found[1], before[1]) and torch.equal(found[3], before[3])
    assert not torch.allclose(found[0], before[0], atol=1e-4)
    assert all(torch.equal(routing.weights, weights) for _, routing in trace.taken)
    with pytest.raises(ValueError, match="weights are of 3 experts, and the bank has 4"):
        with bank.route(weights=weights[:, :3]):
            output(kind, model)


def test_a_scenarios_probabilities_mix_the_weights_of_tasks(linear):
    model = linear(6, 4).eval()
    options = {"router": "tasks", "tasks": 3, "granularity": "sample"}
    bank = attach_bank(model, options, ["0"])
    nn.init.normal_(bank.routers[0].table)
    inputs = torch.randn(2, 5, 6)
    with bank.route(tasks=torch.tensor([0, 2])) as sure:
        model(inputs)
    with bank.route(scenario=torch.tensor([[1.0, 0, 0], [0, 0, 1]])) as one:
        model(inputs)
    with bank.route(scenario=torch.tensor([[0.25, 0, 0.75]] * 2)) as half:
        model(inputs)
    certain = sure.decided[0].weights
    torch.testing.assert_close(one.decided[0].weights, certain)
    expected = 0.25 * certain[0] + 0.75 * certain[1]
    torch.testing.assert_close(half.decided[0].weights[1], expected)
    for known, told in (
        ({}, "Router 'tasks' needs tasks, and the context has none"),
        ({"tasks": torch.tensor([0, 3])}, "No task 3; the router has 3, from 0 to 2"),
        ({"scenario": torch.ones(2, 4)}, "probabilities are of 4 tasks, and the router has 3"),
    ):
        with pytest.raises(ValueError, match=told), bank.route(**known):
            model(inputs)


def test_the_report_measures_load_support_and_entropy(linear):
    model = linear(6, 4).eval()
    options = {"router": "tasks", "tasks": 2, "experts": 3, "names": ("a", "b", "c")}
    bank = attach_bank(model, options | {"granularity": "sample", "rank": 2}, ["0"])
    with torch.no_grad():
        bank.routers[0].table.copy_(torch.tensor([[0.0, 0, 0], [9e9, 0, 0]]))
    with bank.route(tasks=torch.tensor([0, 1])) as trace:
        model(torch.randn(2, 5, 6))
    report = bank.report(trace)
    assert report.load == pytest.approx({"a": 2 / 3, "b": 1 / 6, "c": 1 / 6})
    usage = report.sites["0"]
    assert usage.support == pytest.approx(2)  # 3 and 1
    assert usage.entropy == pytest.approx(torch.tensor(3.0).log().item() / 2)
    assert usage.variance == pytest.approx((1 / 9 + 1 / 36 + 1 / 36) / 3)
    assert (report.trained, report.stored) == (3 * 2 * 10 + 6, 3 * 2 * 10 + 6)
    bank.train_only("router")
    assert (bank.report().trained, bank.report().stored) == (6, 66)
    assert "0: load 0.67 0.17 0.17" in str(report) and "66 parameters trained" in str(report)
    with pytest.raises(ValueError, match="'trained' is 'gate'; known: all"):
        bank.train_only("gate")


def test_what_is_trained_is_in_the_file(linear, tmp_path):
    bank = attach_bank(linear(), {}, ["0"])
    bank.train_only("router")
    bank.save(tmp_path)
    loaded = load_bank(linear(), tmp_path)
    assert loaded.count() == bank.count() == 24
    assert [p.shape for p in loaded.parameters()] == [(4, 6)]


def test_an_adapter_that_is_no_bank_is_refused(linear, tmp_path):
    model = linear()
    attach(model, "lora", {"rank": 2}, ["0"], name="one").save(tmp_path, "one")
    with pytest.raises(ValueError, match="Adapter 'one' is lora; expected a bank"):
        Bank(model, "one")
    fresh = linear()
    with pytest.raises(ValueError, match="Adapter 'bank' is lora; expected a bank"):
        load_bank(fresh, tmp_path)
    assert [name for name, _ in fresh.named_modules()] == ["", "0"]


def test_sites_of_other_widths_cannot_share_a_router(kind, model, output):
    bank = attach_bank(model, {"granularity": "block"}, ("encoder.fc2", "encoder.fc1"))
    with pytest.raises(ValueError, match="fc1 reads 32 features, and the router .* reads 48|fc2"):
        with bank.route():
            model.encoder.layers[0].fc2(torch.randn(1, 3, 48))
            model.encoder.layers[0].fc1(torch.randn(1, 3, 32))
            model.encoder.layers[0].fc1(torch.randn(1, 3, 32))


def test_what_follows_without_a_leader_is_told(kind, model):
    attach_bank(model, {"granularity": "model"}, ("encoder.q", "decoder.v"))
    ids, states = torch.tensor([[1, 2]]), torch.randn(1, 20, 32)
    with pytest.raises(ValueError, match="decoder.* shares its router with encoder.* has not run"):
        model.decoder(ids, encoder_hidden_states=states)
