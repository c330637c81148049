"""Several methods at one layer merge to what they compute."""

import pytest
import torch

from fusion.adapters.interface import Adapters, attach


@pytest.mark.parametrize(
    "methods",
    [("shira", "hydra"), ("shira", "lora"), ("hydra", "ia3"), ("ia3", "lora"), ("lora", "ia3")],
)
def test_two_methods_at_one_layer_merge_to_what_they_compute(methods, disturb, linear):
    model = linear(6, 6)
    for method in methods:
        options = {} if method == "ia3" else {"rank": 1}
        disturb(attach(model, method, options, ["0"], name="both"), "both")
    adapters = Adapters(model)
    inputs = torch.randn(2, 3, 6)
    expected = model(inputs)
    alone = []
    for key in ("both", "both+1"):
        adapters.selection.active[:] = [key]
        alone.append(model(inputs))
    assert not any(torch.allclose(expected, one, atol=1e-4) for one in alone)
    adapters.use("both")
    adapters.merge()
    torch.testing.assert_close(model(inputs), expected)


def test_a_weight_that_is_the_embeddings_too_is_not_merged_into(disturb):
    model = torch.nn.Sequential()
    model.embed = torch.nn.Embedding(9, 4)
    model.head = torch.nn.Linear(4, 9, bias=False)
    model.head.weight = model.embed.weight
    adapters = attach(model, "lora", {"rank": 1}, ["head"])
    disturb(adapters, "default")
    before = model.embed.weight.clone()
    with pytest.raises(ValueError, match="weight of head is that of embed too"):
        adapters.merge()
    assert torch.equal(model.embed.weight, before) and not adapters.selection.merged


DORA = ("lora", {"rank": 1, "magnitudes": True})
SCALES = ("bias_scale", {"form": "input"})
OTHERS = {
    "DoRA": DORA,
    "LoRA": ("lora", {"rank": 1}),
    "LoRA with a bias": ("lora", {"rank": 1, "up_bias": True}),
    "biases": ("bitfit", {}),
    "IA3": ("ia3", {}),
    "Hydra": ("hydra", {"rank": 1}),
    "scale and shift": ("scale_shift", {}),
    "sparse tuning": ("sparse_tuning", {}),
    "scales of what is read": SCALES,
}


@torch.no_grad()
@pytest.mark.parametrize("order", [["one", "two"], ["two", "one"]])
@pytest.mark.parametrize("scaling", [DORA, SCALES], ids=["DoRA", "scales"])
@pytest.mark.parametrize("other", list(OTHERS))
def test_what_scales_others_merges_with_them_to_what_they_compute(
    other, scaling, order, disturb, linear
):
    model = linear(6, 6)
    for name, (method, options) in {"one": scaling, "two": OTHERS[other]}.items():
        disturb(attach(model, method, options, ["0"], name=name), name, len(name + method))
    adapters = Adapters(model)
    adapters.use(order)
    inputs = torch.randn(2, 3, 6)
    expected = model(inputs)
    adapters.merge()
    torch.testing.assert_close(model(inputs), expected, atol=1e-5, rtol=0)
    adapters.unmerge()
    assert torch.equal(model(inputs), expected)


@torch.no_grad()
def test_dropout_is_not_merged(disturb, linear):
    model = linear(6, 6)
    for name in ("one", "two"):
        options = {"rank": 2, "magnitudes": True, "dropout": 0.5}
        disturb(attach(model, "lora", options, ["0"], name=name), name)
    adapters = Adapters(model)
    adapters.use(["one", "two"])
    inputs = torch.randn(2, 3, 6)
    expected = model.eval()(inputs)
    model.train()
    adapters.merge()
    assert all(module.training for module in model.modules())
    torch.testing.assert_close(model.eval()(inputs), expected, atol=1e-5, rtol=0)


def test_two_doras_at_a_convolution_are_told(disturb):
    model = torch.nn.Sequential(torch.nn.Conv1d(4, 4, 3))
    for name in ("one", "two"):
        attach(model, "lora", {"rank": 1, "magnitudes": True}, ["0"], name=name)
    adapters = Adapters(model)
    adapters.merge()  # one alone
    adapters.unmerge()
    adapters.use(["one", "two"])
    before = model[0].weight.clone()
    with pytest.raises(ValueError, match="0, a Conv1d, has DoRA beside other adapters"):
        adapters.merge()
    assert torch.equal(model[0].weight, before) and not adapters.selection.merged


def test_weights_beside_each_other_in_one_memory_are_merged_and_shared_ones_are_not(disturb):
    memory = torch.randn(8, 4)
    model = torch.nn.Sequential(torch.nn.Linear(4, 4), torch.nn.Linear(4, 4))
    model[0].weight = torch.nn.Parameter(memory[:4])
    model[1].weight = torch.nn.Parameter(memory[4:])
    adapters = attach(model, "lora", {"rank": 1}, ["0"])
    disturb(adapters, "default")
    adapters.merge()
    adapters.unmerge()
    model[1].weight = torch.nn.Parameter(memory[:4])  # another parameter of the same numbers
    with pytest.raises(ValueError, match="weight of 0 is that of 1 too"):
        adapters.merge()


@pytest.mark.parametrize("site", ["lm_head", "model.encoder.embed_tokens", "model.shared"])
def test_tied_matrices_of_bart_are_not_merged_into(site):
    from transformers import BartConfig, BartForConditionalGeneration

    config = BartConfig(
        vocab_size=30, d_model=8, encoder_layers=1, decoder_layers=1, encoder_attention_heads=1,
        decoder_attention_heads=1, encoder_ffn_dim=8, decoder_ffn_dim=8,
    )  # fmt: skip
    model = BartForConditionalGeneration(config)
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    for method, options in (("lora", {"rank": 1}), ("sparse_tuning", {})):
        adapters = attach(model, method, options, [site], name=method)
        with pytest.raises(ValueError, match=f"weight of {site} is that of .* too"):
            adapters.merge()
        adapters.drop(method)
    assert all(torch.equal(model.state_dict()[name], tensor) for name, tensor in before.items())
