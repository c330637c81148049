"""Tuned models: one model, several tasks, and what of it is trained."""

import pytest
import torch
from torch.nn.functional import dropout, gelu

from fusion.adapters.parts import frozen_state
from tasks.vision_language.tuned import DROPOUT, tune

from ...modalities.vision_language.small_models import build
from .tuned_models import CASES, TASKS, TEXTS, encode, logits_of, tuned_of

CLOSE = dict(rtol=1e-5, atol=1e-5)
SWITCHED = [
    ("bart", "adapter", "multiple"),
    ("bart", "adapter", "half_down"),
    ("bart", "hyperformer", "single"),
    ("bart", "lora", "multiple"),
    ("t5", "adapter", "half_up"),
    ("t5", "compacter", "multiple"),
    ("t5", "hyperformer", "single"),
]


def frozen_copy(tuned):
    """Return the model that a tuned one has inside, without adapters, with the same dropout."""
    plain = build(tuned.vl.model.config.model_type)
    tune(plain, "full", TASKS)
    plain.load_state_dict(frozen_state(tuned.vl))
    return plain


def adapted(tuned, site, features):
    """Return x + U g(D x), of the adapter at a site of the language model."""
    [adapter] = tuned.vl.model.get_submodule(site).mcgurk_site.mcgurk_adapters.values()
    narrow = gelu(features @ adapter.down.weight.T + adapter.down.bias, approximate="tanh")
    return features + narrow @ adapter.up.weight.T + adapter.up.bias


@torch.no_grad()
def test_bart_adds_an_adapter_before_dropout_residual_and_norm():
    tuned = tuned_of("bart", "adapter").train()
    plain, hidden = frozen_copy(tuned), torch.randn(2, 7, 32)
    layer = plain.model.model.encoder.layers[1].train()
    torch.manual_seed(5)
    found = tuned.vl.model.model.encoder.layers[1](hidden, None)
    torch.manual_seed(5)
    attended = layer.self_attn(hidden, attention_mask=None)[0]
    attended = adapted(tuned, "model.encoder.layers.1.self_attn.out_proj", attended)
    middle = layer.self_attn_layer_norm(hidden + dropout(attended, DROPOUT))
    fed = layer.fc2(dropout(layer.activation_fn(layer.fc1(middle)), DROPOUT))
    fed = adapted(tuned, "model.encoder.layers.1.fc2", fed)
    expected = layer.final_layer_norm(middle + dropout(fed, DROPOUT))
    torch.testing.assert_close(found, expected, **CLOSE)


@torch.no_grad()
def test_t5_adds_an_adapter_behind_the_branch_that_its_norm_begins():
    tuned = tuned_of("t5", "adapter").train()
    plain, hidden = frozen_copy(tuned), torch.randn(2, 7, 32)
    layer = plain.model.decoder.block[1].layer[2].train()
    torch.manual_seed(5)
    found = tuned.vl.model.decoder.block[1].layer[2](hidden)
    torch.manual_seed(5)
    fed = layer.DenseReluDense(layer.layer_norm(hidden))
    fed = adapted(tuned, "decoder.block.1.layer.2.DenseReluDense.wo", fed)
    torch.testing.assert_close(found, hidden + dropout(fed, DROPOUT), **CLOSE)


@pytest.mark.parametrize(("family", "method", "sharing"), CASES)
def test_all_that_is_trained_gets_a_gradient_and_nothing_else(family, method, sharing):
    tuned = tuned_of(family, method, sharing)
    with tuned.use(TASKS):
        logits_of(tuned.vl).square().mean().backward()
    reached = {name for name, p in tuned.named_parameters() if p.grad is not None}
    assert reached == set(tuned.named_trained())
    visual = {n for n, _ in tuned.named_parameters() if n.startswith("vl.visual_embedding.")}
    assert len(visual) == (9 if family == "bart" else 7) and visual <= reached
    # The table of words is that of places in pictures and of the head too.
    assert (tuned.vl.words.grad is not None) == (method == "full")
    assert tuned.vl.model.lm_head.weight is tuned.vl.words


@pytest.mark.parametrize(
    ("family", "method", "norms"),
    [
        ("bart", "adapter", 12),
        ("bart", "hyperformer", 12),
        ("bart", "compacter", 12),
        ("bart", "vl_pet", 5),  # the encoder's alone
        ("bart", "lora", 0),  # only their biases
        ("bart", "prompt", 0),
        ("t5", "adapter", 0),
        ("t5", "compacter", 0),
        ("t5", "vl_pet", 5),
    ],
)
def test_norms_are_trained_as_published(family, method, norms):
    trained = tuned_of(family, method).named_trained()
    weights = [n for n in trained if "norm" in n and n.endswith("weight") and ".model." in n]
    assert len(weights) == norms


def test_the_norms_of_t5_can_be_trained():
    trained = tuned_of("t5", "adapter", norms="all").named_trained()
    assert sum("layer_norm.weight" in name for name in trained) == 12


def test_biases_are_trained_with_lora_and_alone():
    biases = {n for n, _ in build("bart").model.named_parameters() if n.endswith(".bias")}
    for method in ("lora", "bitfit"):
        trained = tuned_of("bart", method).named_trained()
        found = {n.removeprefix("vl.model.").replace("base_layer.", "") for n in trained}
        assert biases <= found
        assert all("lora_" in n or "visual" in n for n in found - biases)


@pytest.mark.parametrize(("family", "method", "sharing"), SWITCHED)
@torch.no_grad()
def test_rows_of_different_tasks_equal_those_tasks_alone(family, method, sharing):
    tuned = tuned_of(family, method, sharing)
    order = [2, 0, 3, 1]
    with tuned.use([TASKS[row] for row in order]):
        found = logits_of(tuned.vl, order)
        chosen = tuned.vl.choose(encode(tuned.vl, order))
    for place, row in enumerate(order):
        with tuned.use(TASKS[row]):
            torch.testing.assert_close(found[place], logits_of(tuned.vl, [row])[0], **CLOSE)
            alone = tuned.vl.choose(encode(tuned.vl, [row]))
        torch.testing.assert_close(chosen[place], alone[0], **CLOSE)
        with tuned.use(TASKS[row - 1]):
            assert not torch.allclose(found[place], logits_of(tuned.vl, [row])[0], atol=1e-3)


@pytest.mark.parametrize(("family", "method", "sharing"), SWITCHED)
@pytest.mark.parametrize("beams", [1, 3])
@torch.no_grad()
def test_beams_have_the_adapters_of_their_row(family, method, sharing, beams):
    tuned = tuned_of(family, method, sharing, by=0.2)  # so that tasks answer differently
    with tuned.use(TASKS):
        found = tuned.vl.generate(encode(tuned.vl), longest=8, beams=beams)
    written = []
    for row, task in enumerate(TASKS):
        with tuned.use(task):
            alone = tuned.vl.generate(encode(tuned.vl, [row]), longest=8, beams=beams)[0]
        pad = tuned.vl.model.config.pad_token_id
        assert set(found[row, len(alone) :].tolist()) <= {pad}
        assert found[row, : len(alone)].tolist() == alone.tolist()
        written.append(tuple(alone.tolist()))
    assert len({*written}) > 1


@torch.no_grad()
def test_tasks_that_share_all_are_told_by_their_prefix():
    tuned = tuned_of("bart", "adapter")
    assert [tuned.prefix(t) for t in TASKS] == ["vqa: ", "gpa: ", "nlvr: ", "caption: "]
    assert tuned_of("bart", "adapter", prefix=False).prefix("gqa") == ""
    for sharing in ("multiple", "half_up"):
        assert tuned_of("bart", "adapter", sharing).prefix("gqa") == ""
    assert tuned_of("bart", "hyperformer").prefix("gqa") == ""
    with pytest.raises(ValueError, match="No task 'tvqa'; the model is tuned for: vqa, gqa"):
        tuned.prefix("tvqa")


def test_tasks_outside_of_use_are_as_before_it():
    for method, sharing in (("adapter", "multiple"), ("hyperformer", "single")):
        tuned = tuned_of("bart", method, sharing)
        with torch.no_grad():
            before = logits_of(tuned.vl)
            with tuned.use(TASKS), tuned.use("caption"):
                assert not torch.equal(logits_of(tuned.vl), before)
            assert torch.equal(logits_of(tuned.vl), before)
            with tuned.use("vqa"):
                assert torch.equal(logits_of(tuned.vl), before)
    with pytest.raises(ValueError, match="A batch of 4 was run with tasks for 3 rows"):
        with tuned.use(TASKS[:3]):
            logits_of(tuned.vl)
    with pytest.raises(ValueError, match="No task was given"), tuned.use([]):
        pass


@torch.no_grad()
def test_dropout_is_on_while_training_and_at_no_other_time():
    tuned = tuned_of("bart", "adapter")
    assert torch.equal(logits_of(tuned.vl), logits_of(tuned.vl))
    tuned.train()
    assert not torch.allclose(logits_of(tuned.vl), logits_of(tuned.vl))
    tuned.eval()
    assert torch.equal(logits_of(tuned.vl), logits_of(tuned.vl))


def test_a_seed_fixes_what_is_drawn_and_leaves_torch_alone():
    torch.manual_seed(9)
    expected = torch.rand(1)
    torch.manual_seed(9)
    drawn = [tune(build("bart"), "adapter", TASKS, seed=seed).trained()[-1] for seed in (4, 4, 5)]
    assert torch.equal(torch.rand(1), expected)
    assert torch.equal(drawn[0], drawn[1])
    weights = [dict(tune(build("bart"), "adapter", TASKS, seed=s).named_trained()) for s in (4, 5)]
    name = next(name for name in weights[0] if name.endswith("down.weight"))
    assert not torch.equal(weights[0][name], weights[1][name])


@torch.no_grad()
def test_prompts_go_before_the_text_and_stay_for_the_decoder():
    tuned = tuned_of("bart", "prompt")
    plain = frozen_copy(tuned).eval()
    seen = []
    first = plain.model.model.encoder.layers[0]
    handle = first.register_forward_pre_hook(lambda _module, given: seen.append(given[0]))
    bare = encode(plain, [0])
    handle.remove()
    at = tuned.vl.model.model.encoder.layers[0].mcgurk_site.mcgurk_adapters["all_tasks"]
    hidden = torch.cat([at.network(at.prompts)[None], seen[0]], 1)
    for layer in plain.model.model.encoder.layers:
        hidden = layer(hidden, None)
    found = encode(tuned.vl, [0])
    torch.testing.assert_close(found.states, hidden, **CLOSE)
    assert found.mask.shape[1] == bare.mask.shape[1] + 3 and found.mask.all()
    expected = plain.logits(found, plain.tokenize(["red"]).ids)
    torch.testing.assert_close(
        tuned.vl.logits(found, plain.tokenize(["red"]).ids), expected, **CLOSE
    )


@torch.no_grad()
def test_the_positions_of_t5_are_those_of_prompts_and_words():
    tuned, seen = tuned_of("t5", "prompt"), []
    attention = tuned.vl.model.encoder.block[0].layer[0].SelfAttention
    compute = attention.compute_bias
    attention.compute_bias = lambda *args, **rest: seen.append(compute(*args, **rest)) or seen[0]
    text = tuned.vl.tokenize(TEXTS[:1]).ids.shape[1] + 3
    encode(tuned.vl, [0])
    [bias] = seen  # [1, heads, tokens, tokens]
    assert bias.shape[-1] == text + 9
    assert bias[..., :text, :text].abs().min() > 0
    assert not bias[..., text:, :].any() and not bias[..., text:].any()


@torch.no_grad()
def test_vl_pet_gates_the_encoder_and_changes_only_the_values_of_the_decoder():
    tuned = tuned_of("bart", "vl_pet")
    plain, model = frozen_copy(tuned).eval().model, tuned.vl.model
    hidden = torch.randn(2, 7, 32)
    at = model.model.encoder.layers[0].self_attn.out_proj.mcgurk_site.mcgurk_adapters["all_tasks"]
    attended = plain.model.encoder.layers[0].self_attn(hidden, attention_mask=None)[0]
    gate = gelu(at.gate_down(hidden), approximate="tanh")
    gated = adapted(tuned, "model.encoder.layers.0.self_attn.out_proj", attended)
    gated = gated * at.gate_up(gate).sigmoid()
    found = model.model.encoder.layers[0].self_attn(hidden, attention_mask=None)[0]
    torch.testing.assert_close(found, gated, **CLOSE)
    cross = "model.decoder.layers.1.encoder_attn.v_proj"
    value = plain.get_submodule(cross)(hidden)
    added = adapted(tuned, cross, hidden) - hidden
    torch.testing.assert_close(model.get_submodule(cross)(hidden), value + added, **CLOSE)
    sites = {site for part in tuned.adapters.parts("all_tasks") for site in part.sites}
    decoder = {site for site in sites if ".decoder." in site}
    assert len(sites) == 4 + 2 and all(site.endswith("encoder_attn.v_proj") for site in decoder)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"method": "adaptor"}, "No way to tune 'adaptor'; known: .* Did you mean 'adapter'"),
        ({"sharing": "half"}, "Method 'adapter' has no sharing 'half'; known: single, multiple"),
        ({"method": "lora", "sharing": "half_up"}, "has no sharing 'half_up'; known: single, mult"),
        ({"options": {"rang": 3}}, "'adapter' has no option 'rang'; .* Did you mean 'rank'"),
        ({"method": "prompt", "options": {"rank": 3}}, "'prompt' has no option 'rank'; known: tok"),
        ({"method": "vl_pet", "options": {"rank": 0}}, "'rank' of 'vl_pet' is 0; expected 1 or"),
        ({"options": {"norms": "some"}}, "Option 'norms' is 'some'; known: all, encoder, none"),
        ({"tasks": []}, "expected a list of one or more names"),
        ({"tasks": ["vqa", "vqa"]}, "each once"),
        ({"tasks": "vqa"}, "expected a list"),
    ],
)
def test_what_cannot_be_is_told(changes, message):
    vl = build("bart")
    with pytest.raises(ValueError, match=message):
        tune(vl, **{"method": "adapter", "tasks": TASKS, **changes})
    tune(vl, "adapter", TASKS)  # the model is as it was


def test_a_model_is_tuned_once_and_t5_has_no_biases():
    tuned = tuned_of("bart", "bitfit")
    with pytest.raises(ValueError, match="is tuned already. Load it anew"):
        tune(tuned.vl, "adapter", TASKS)
    with pytest.raises(ValueError, match="T5 has no biases"):
        tuned_of("t5", "bitfit")
