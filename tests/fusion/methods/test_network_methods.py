"""Methods that are networks: Convpass, conformer adapters, Compacter and Hyperformer."""

from copy import deepcopy

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from fusion.adapters.interface import Adapters, attach
from fusion.contract.sites import Site, find_sites
from fusion.methods.compacter import Compacter, CompacterOptions, KroneckerLinear
from fusion.methods.conformer import Conformer, ConformerOptions
from fusion.methods.convpass import Convpass, ConvpassOptions
from fusion.methods.hyperformer import select_task
from fusion.papers.counts import MODELS

CLOSE = dict(atol=1e-5, rtol=1e-4)


# Full size, without weights


def full_size(name: str) -> nn.Module:
    with torch.device("meta"):
        return MODELS[name]()


BOTH = ("attention", "mlp")
OF_VL_ADAPTER = {"rank": 96, "activation": "gelu_tanh"}
KRONECKER = {**OF_VL_ADAPTER, "terms": 2, "shared": False, "factor_rank": 0}
# Compacter's printed 0.073 % and 0.047 % of T5-base count its normalisations too.
COUNTS = {
    "Convpass r 8": ("AST", "convpass", {}, ("mlp",), 159_168),
    "Convpass r 12": ("AST", "convpass", {"rank": 12}, ("mlp",), 235_872),
    "Convpass 3x3 r 8": ("AST", "convpass", {"grid": (12, 101)}, ("mlp",), 163_776),
    "conformer, one": ("AST", "conformer", {}, ("mlp",), 252_288),
    "conformer, two": ("AST", "conformer", {}, BOTH, 504_576),
    "conformer, k 8": ("AST", "conformer", {"kernel": 8}, ("mlp",), 250_080),
    "VL-Adapter, Compacter": ("BART-base", "compacter", KRONECKER, None, 3_870_240 - 1_632_000),
    "Compacter": ("T5-base", "compacter", {}, ("self.attention", "mlp"), 114_112),
    "Compacter++": ("T5-base", "compacter", {}, ("mlp",), 57_088),
    "VL-Adapter, Hyperformer": (
        *("BART-base", "hyperformer", {**OF_VL_ADAPTER, "tasks": 4}),
        *(None, 8_579_088 - 1_632_000),  # less the visual embedding and the norms
    ),
}


@pytest.mark.parametrize("case", list(COUNTS))
def test_published_count(case):
    model, method, options, where, published = COUNTS[case]
    adapters = attach(full_size(model), method, options, where)
    assert adapters.count("default") == published
    assert sum(p.numel() for p in adapters.parameters("default")) == published


@pytest.mark.parametrize(("where", "published"), [(("mlp",), 270_720), (BOTH, 541_440)])
def test_conformer_adapters_with_the_norms_beside_them_count_as_published(where, published):
    model = full_size("AST")
    norms = [site.norm for site in find_sites(model, where, "sublayer")]
    attach(model, "conformer", None, where)
    adapters = attach(model, "norm_tuning", None, norms)
    assert adapters.count("default") == published
    assert sum(p.numel() for p in adapters.parameters("default")) == published


# What the methods have in common

WRONG_OPTIONS = [
    ("convpass", {"mode": "beside"}, "Option 'mode' is 'beside'; known: sequential, parallel"),
    ("convpass", {"grid": (3,)}, r"Option 'grid' is \(3,\); expected a height and a width"),
    ("convpass", {"special_tokens": 2}, "Option 'special_tokens' is 2 .* expected 0 or more with"),
    ("conformer", {"mode": "beside"}, "Option 'mode' is 'beside'; known: sequential, parallel"),
    ("conformer", {"kernel": 0}, "Option 'kernel' is 0; expected 1 or more tokens"),
    ("compacter", {"rank": 6}, "are 6 and 4; expected a rank of 1 or more that is a multiple"),
    ("compacter", {"rank": 10, "terms": 5}, "has 32 features; expected a multiple .* which is 5"),
    ("compacter", {"factor_rank": -1}, "Option 'factor_rank' is -1; expected 1 or more, or 0"),
    ("compacter", {"activation": "no"}, "Option 'activation' is 'no'; known: relu"),
    ("hyperformer", {"activation": "no"}, "Option 'activation' is 'no'; known: relu"),
    ("hyperformer", {"tasks": 0}, "Option 'tasks' is 0; expected 1 or more"),
]


@pytest.mark.parametrize(("method", "options", "message"), WRONG_OPTIONS)
def test_wrong_options_are_told(build, method, options, message):
    model = build("ast")
    with pytest.raises(ValueError, match=message):
        attach(model, method, options)
    assert Adapters(model).names == []


@pytest.mark.parametrize("method", ["compacter", "hyperformer"])
def test_a_copy_of_the_model_shares_among_its_own_sites(build, run, disturb, method):
    model = build("ast")
    fresh = run("ast", model)
    adapters = attach(model, method, {"rank": 4})
    disturb(adapters, "default")
    expected = run("ast", model)
    copied = deepcopy(model)
    shared = [
        parameter
        for name, parameter in Adapters(copied).named_parameters("default").items()
        if ".shared." in name or name.endswith("up.bias")
    ]
    assert torch.equal(run("ast", copied), expected)
    with torch.no_grad():
        for parameter in shared:
            parameter.zero_()
    torch.testing.assert_close(run("ast", copied), fresh)
    assert torch.equal(run("ast", model), expected)


@pytest.mark.parametrize("method", ["compacter", "hyperformer"])
def test_what_is_shared_moves_with_the_model(build, run, disturb, method):
    model = build("bart")
    disturb(attach(model, method, {"rank": 4}), "default")
    expected = run("bart", model)
    found = run("bart", model.double())
    assert found.dtype == torch.float64
    torch.testing.assert_close(found.float(), expected, **CLOSE)


@pytest.mark.parametrize("method", ["convpass", "conformer"])
def test_convolutions_stay_out_of_decoders(build, disturb, method):
    model = build("bart")
    adapters = attach(model, method)
    disturb(adapters, "default")
    assert {name.split(".")[0] for name in adapters.named_parameters("default")} == {"encoder"}
    words = torch.arange(3, 9).expand(1, -1)
    later = words.clone()
    later[:, -1] = 50
    first, second = (
        model(input_ids=words, decoder_input_ids=tokens).last_hidden_state
        for tokens in (words, later)
    )
    torch.testing.assert_close(first[:, :-1], second[:, :-1])
    assert not torch.allclose(first[:, -1], second[:, -1])


@pytest.mark.parametrize("method", ["convpass", "conformer"])
def test_a_model_that_only_decodes_has_no_place_for_convolutions(method):
    from transformers import LlamaConfig, LlamaModel

    sizes = dict(hidden_size=32, intermediate_size=48, num_hidden_layers=2, num_attention_heads=2)
    with pytest.raises(ValueError, match=f"Method '{method}' fits none of the"):
        attach(LlamaModel(LlamaConfig(**sizes, vocab_size=99)), method)


# Convpass

DIM, RANK = 12, 3


def a_site() -> Site:
    return Site("fc2", "mlp", "layers", 0, 1, nn.Identity(), 20, DIM)


def moved(adapter: nn.Module) -> nn.Module:
    generator = torch.Generator().manual_seed(3)
    with torch.no_grad():
        for parameter in adapter.parameters():
            parameter += 0.3 * torch.randn(parameter.shape, generator=generator)
    return adapter.eval()


def tokens_of(count: int, rows: int = 2) -> Tensor:
    return torch.randn(rows, count, DIM, generator=torch.Generator().manual_seed(4))


def gelu(features: Tensor) -> Tensor:
    return features / (1 + torch.exp(-1.702 * features))


def loop(narrow: Tensor, taps: Tensor, before: int) -> Tensor:
    """Convolve [batch, tokens, rank] with [rank out, rank in, taps], token by token."""
    out = torch.zeros_like(narrow)
    for token in range(narrow.shape[1]):
        for tap in range(taps.shape[2]):
            seen = token + tap - before
            if 0 <= seen < narrow.shape[1]:
                out[:, token] += narrow[:, seen] @ taps[:, :, tap].T
    return out


@pytest.mark.parametrize("mode", ["parallel", "sequential"])
def test_convpass_is_a_bottleneck_whose_tokens_see_their_neighbours(mode):
    options = ConvpassOptions(rank=RANK, mode=mode, scale=0.5)
    adapter = moved(Convpass(a_site(), options))
    inputs, outputs = tokens_of(7), tokens_of(7).flip(1)
    narrow = gelu(adapter.down(inputs if mode == "parallel" else outputs))
    mixed = loop(narrow, adapter.conv.weight, before=1) + adapter.conv.bias
    expected = outputs + 0.5 * (gelu(mixed) @ adapter.up.weight.T + adapter.up.bias)
    torch.testing.assert_close(adapter.after(inputs, outputs), expected)


def test_convpass_on_a_grid_is_a_convolution_of_the_picture():
    special, grid = 2, (3, 5)
    options = ConvpassOptions(rank=RANK, grid=grid, special_tokens=special)
    adapter = moved(Convpass(a_site(), options))
    inputs = tokens_of(special + 15)
    narrow = gelu(adapter.down(inputs))

    def convolve(tokens: Tensor, height: int, width: int) -> Tensor:
        picture = tokens.reshape(-1, height, width, RANK).permute(0, 3, 1, 2)
        mixed = functional.conv2d(picture, adapter.conv.weight, adapter.conv.bias, padding=1)
        return mixed.permute(0, 2, 3, 1).reshape(tokens.shape)

    parts = [convolve(narrow[:, [0]], 1, 1), convolve(narrow[:, [1]], 1, 1)]
    parts.append(convolve(narrow[:, special:], *grid))
    expected = adapter.up(gelu(torch.cat(parts, 1)))
    torch.testing.assert_close(adapter.after(inputs, torch.zeros_like(inputs)), expected)


def test_special_tokens_and_patches_do_not_see_each_other():
    adapter = moved(Convpass(a_site(), ConvpassOptions(grid=(2, 3), special_tokens=1)))
    inputs, outputs = tokens_of(7), torch.zeros(2, 7, DIM)
    found = adapter.after(inputs, outputs)
    other = inputs.clone()
    other[:, 0] += 1
    changed = (adapter.after(other, outputs) - found).abs().amax((0, 2)) > 1e-6
    assert changed.tolist() == [True] + 6 * [False]
    other = inputs.clone()
    other[:, 1] += 1  # the corner of 2 x 3 patches, which has three neighbours
    changed = (adapter.after(other, outputs) - found).abs().amax((0, 2)) > 1e-6
    assert changed.tolist() == [False, True, True, False, True, True, False]


def test_the_grid_and_its_special_tokens_fit_a_real_encoder(build, run, disturb):
    model = build("ast")
    # 32 mel bands and 40 frames in patches of 16 x 16, 10 apart
    options = {"rank": 4, "grid": (2, 3), "special_tokens": 2}
    before = run("ast", model)
    disturb(attach(model, "convpass", options), "default")
    assert not torch.allclose(run("ast", model), before)


def test_a_grid_that_does_not_fit_is_told():
    adapter = Convpass(a_site(), ConvpassOptions(grid=(2, 3), special_tokens=1))
    with pytest.raises(ValueError, match="8 tokens came; expected 1 special tokens .* 2 x 3"):
        adapter.after(tokens_of(8), tokens_of(8))


# Conformer


@pytest.mark.parametrize(("kernel", "before"), [(1, 0), (4, 1), (5, 2), (31, 15)])
def test_conformer_adapters_are_the_published_chain_of_layers(kernel, before):
    adapter = moved(Conformer(a_site(), ConformerOptions(rank=RANK, kernel=kernel, scale=0.5)))
    batch_norm = adapter.batch_norm
    batch_norm.running_mean.copy_(torch.tensor([0.1, -0.2, 0.3]))
    batch_norm.running_var.copy_(torch.tensor([0.5, 1.5, 2.5]))
    inputs, outputs = tokens_of(7), tokens_of(7).flip(1)
    spread = inputs.var(-1, correction=0, keepdim=True)
    normed = (inputs - inputs.mean(-1, keepdim=True)) / (spread + 1e-5).sqrt()
    wide = adapter.down(normed * adapter.norm.weight + adapter.norm.bias)
    gated = wide[..., :RANK] * torch.sigmoid(wide[..., RANK:])
    taps = torch.zeros(RANK, RANK, kernel)
    taps[range(RANK), range(RANK)] = adapter.conv.weight[:, 0]
    mixed = loop(gated, taps, before) + adapter.conv.bias
    scaled = (mixed - batch_norm.running_mean) / (batch_norm.running_var + 1e-5).sqrt()
    scaled = scaled * batch_norm.weight + batch_norm.bias
    expected = outputs + 0.5 * adapter.up(scaled * torch.sigmoid(scaled))
    found = adapter.after(inputs, outputs)
    assert found.shape == outputs.shape
    torch.testing.assert_close(found, expected, **CLOSE)


def test_sequential_conformer_adapters_read_what_the_sub_layer_returns():
    adapter = moved(Conformer(a_site(), ConformerOptions(rank=RANK, mode="sequential")))
    parallel = Conformer(a_site(), ConformerOptions(rank=RANK)).eval()
    parallel.load_state_dict(adapter.state_dict())
    outputs = tokens_of(7)
    found = adapter.after(torch.zeros(2, 7, 20), outputs)
    torch.testing.assert_close(found, parallel.after(outputs, outputs))


def test_running_statistics_are_saved_and_loaded(build, run, tmp_path):
    model = build("ast")
    adapters = attach(model, "conformer", {"rank": 4})
    with torch.no_grad():
        for parameter in adapters.parameters("default"):
            parameter += 0.1
    unused = run("ast", model)
    run("ast", model.train())
    expected = run("ast", model.eval())
    assert not torch.allclose(expected, unused)
    adapters.save(tmp_path, "default")
    other = build("ast")
    Adapters(other).load(tmp_path, "default")
    assert torch.equal(run("ast", other), expected)


def test_in_training_each_adapter_normalises_over_its_own_rows(build, run, disturb):
    model = build("ast")
    for seed, name in enumerate(("one", "two")):
        disturb(attach(model, "conformer", {"rank": 4}, name=name), name, seed)
    alone = deepcopy(model)
    with torch.no_grad(), Adapters(model).rows(["one", "one", "two", "two"]):
        found = run("ast", model.train())
    Adapters(alone).use("one")
    with torch.no_grad():
        expected = run("ast", alone.train(), slice(0, 2))
    torch.testing.assert_close(found[:2], expected, **CLOSE)
    seen = [
        [b for name, b in of.named_buffers() if name.endswith("one.batch_norm.running_mean")]
        for of in (model, alone)
    ]
    torch.testing.assert_close(*seen)
    assert len(seen[0]) == 2 and all(mean.abs().min() > 0 for mean in seen[0])


# Compacter


@pytest.mark.parametrize("factor_rank", [0, 1, 2])
@pytest.mark.parametrize("shared", [False, True])
def test_weights_are_sums_of_kronecker_products(shared, factor_rank):
    options = CompacterOptions(rank=6, terms=3, shared=shared, factor_rank=factor_rank)
    layer = moved(KroneckerLinear(12, 6, options, zero=False))
    rule = torch.randn(3, 3, 3) if shared else layer.rule
    large = layer.left @ layer.right if factor_rank else layer.weight
    weight = sum(torch.kron(rule[i], large[i]) for i in range(3))
    features = tokens_of(5)
    expected = features @ weight + layer.bias
    torch.testing.assert_close(layer(features, rule if shared else None), expected, **CLOSE)


def test_compacter_is_a_bottleneck_of_such_weights():
    options = CompacterOptions(rank=4, terms=2, activation="relu")
    shared = Compacter.share([a_site()], options)
    adapter = moved(Compacter(a_site(), options, shared))
    down, up = adapter.down.matrix(shared.rule), adapter.up.matrix(shared.rule)
    outputs = tokens_of(5)
    narrow = torch.relu(outputs @ down + adapter.down.bias)
    expected = outputs + narrow @ up + adapter.up.bias
    torch.testing.assert_close(adapter.after(tokens_of(5), outputs), expected)


def test_one_rule_serves_all_sites_or_each_layer_has_its_own(build):
    counts = {}
    for shared in (True, False):
        model = build("ast")
        adapters = attach(model, "compacter", {"rank": 4, "shared": shared})
        names = adapters.named_parameters("default")
        counts[shared] = sum(name.endswith(".rule") for name in names)
    assert counts == {True: 1, False: 2 * 2 * 2}


# Hyperformer

SMALL = {"rank": 4, "tasks": 3, "embedding": 6, "hidden": 10, "projected": 5}


@pytest.fixture
def bart(build) -> nn.Module:
    return build("bart")


@pytest.fixture
def hyper(bart, disturb) -> Adapters:
    adapters = attach(bart, "hyperformer", {**SMALL, "activation": "relu"})
    disturb(adapters, "default")
    return adapters


@pytest.mark.parametrize(
    ("path", "stack", "layer", "kind"),
    [
        ("encoder.layers.1.fc2", "encoder", 1, "mlp"),
        ("decoder.layers.0.self_attn.out_proj", "decoder", 0, "attention"),
        ("decoder.layers.1.encoder_attn.out_proj", "decoder", 1, "cross_attention"),
    ],
)
@pytest.mark.parametrize("task", [0, 2])
def test_adapters_are_what_the_hypernetwork_generates(hyper, bart, path, stack, layer, kind, task):
    named = hyper.named_parameters("default")
    start = next(iter(named)).split("shared.")[0] + "shared."

    def part(name: str) -> Tensor:
        return named[f"{start}stacks.{stack}-layers.{name}"]

    def linear(name: str, read: Tensor) -> Tensor:
        return part(f"{name}.weight") @ read + part(f"{name}.bias")

    read = torch.cat([named[f"{start}tasks.weight"][task], part("layers.weight")[layer]])
    narrow = linear("network.2", linear("network.0", read).clamp(min=0))
    normed = (narrow - narrow.mean()) / (narrow.var(correction=0) + 1e-5).sqrt()
    normed = normed * part("network.3.weight") + part("network.3.bias")
    made = {n: linear(f"generators.{kind}.{n}", normed) for n in ("down", "up")}
    biases = {n: linear(f"generators.{kind}.{n}_bias", normed) for n in ("down", "up")}

    site = bart.get_submodule(path)
    inputs = torch.randn(2, 5, site.in_features, generator=torch.Generator().manual_seed(5))
    select_task(hyper, "default", task)
    found = site(inputs)
    hyper.use(None)
    plain = site(inputs)
    inner = torch.relu(plain @ made["down"].view(4, 32).T + biases["down"])
    expected = plain + inner @ made["up"].view(32, 4).T + biases["up"]
    torch.testing.assert_close(found, expected, **CLOSE)


def test_tasks_differ_and_the_first_is_chosen_at_the_start(hyper, bart, run):
    start = run("bart", bart)
    outputs = []
    for task in range(3):
        select_task(hyper, "default", task)
        outputs.append(run("bart", bart))
    assert torch.equal(outputs[0], start)
    assert not torch.allclose(outputs[0], outputs[1])
    assert not torch.allclose(outputs[1], outputs[2])


def test_rows_of_different_tasks_equal_those_tasks_alone(hyper, bart, run):
    tasks = [2, 0, 1, 2]
    select_task(hyper, "default", tasks)
    found = run("bart", bart)
    for row, task in enumerate(tasks):
        select_task(hyper, "default", task)
        alone = run("bart", bart, slice(row, row + 1))
        torch.testing.assert_close(found[row : row + 1], alone, **CLOSE)


def test_windows_and_beams_of_a_row_have_its_task(hyper, bart, run):
    select_task(hyper, "default", [1, 1, 2, 2])
    expected = run("bart", bart)
    select_task(hyper, "default", [1, 2])
    torch.testing.assert_close(run("bart", bart), expected, **CLOSE)


def test_tasks_go_with_the_rows_that_have_the_adapter(hyper, bart, run):
    select_task(hyper, "default", 2)
    expected = run("bart", bart, slice(3, 4))
    select_task(hyper, "default", [1, 2])
    with hyper.rows(["default", None, None, "default"]):
        found = run("bart", bart)
    torch.testing.assert_close(found[3:], expected, **CLOSE)


@pytest.mark.parametrize("task", [3, -1, [0, 3]])
def test_wrong_tasks_are_told(hyper, task):
    with pytest.raises(ValueError, match="adapter 'default' has 3, from 0 to 2"):
        select_task(hyper, "default", task)


def test_tasks_for_other_rows_are_told(hyper, bart, run):
    select_task(hyper, "default", [0, 1, 2])
    with pytest.raises(ValueError, match="selected for 3 rows, but 4 came"):
        run("bart", bart)


def test_only_hyperformer_has_tasks(hyper, bart):
    attach(bart, "bottleneck", {"rank": 4}, name="other")
    with pytest.raises(ValueError, match="'other' is bottleneck; only hyperformer has tasks"):
        select_task(hyper, "other", 0)
    with pytest.raises(ValueError, match="No adapter 'third'; the model has: default, other"):
        select_task(hyper, "third", 0)


def test_training_one_task_leaves_the_embeddings_of_others(hyper, bart, run):
    select_task(hyper, "default", 1)
    run("bart", bart.train()).square().mean().backward()
    named = hyper.named_parameters("default")
    tasks = next(p for name, p in named.items() if name.endswith("shared.tasks.weight"))
    assert tasks.grad.abs().amax(1).gt(0).tolist() == [False, True, False]


def test_tasks_are_selected_where_lora_wraps_the_same_layers(hyper, bart, run):
    select_task(hyper, "default", 1)
    expected = run("bart", bart)
    attach(bart, "lora", {"rank": 2}, ("o", "fc2"), name="lora")
    hyper.use("default")
    select_task(hyper, "default", 0)
    assert not torch.allclose(run("bart", bart), expected)
    select_task(hyper, "default", 1)
    torch.testing.assert_close(run("bart", bart), expected)
