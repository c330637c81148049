"""Every key of PEFT's configs computes what PEFT computes, or is refused by its name."""

import json
import warnings
from dataclasses import fields
from pathlib import Path

import pytest
import torch
from peft import (
    IA3Config,
    LoraConfig,
    MontecloraConfig,
    PeftModel,
    ShiraConfig,
    VeloraConfig,
    get_peft_model,
)
from peft.mapping import PEFT_TYPE_TO_CONFIG_MAPPING
from torch import nn

from fusion.adapters.interface import Adapters, attach
from fusion.adapters.peft_keys import KEYS

CLOSE = dict(atol=1e-5, rtol=0)
SMALL = dict(vocab_size=60, pad_token_id=0, bos_token_id=1, eos_token_id=2)


def build_whisper() -> nn.Module:
    from transformers import WhisperConfig, WhisperForConditionalGeneration

    config = WhisperConfig(
        d_model=32, encoder_layers=2, decoder_layers=2, encoder_attention_heads=2,
        decoder_attention_heads=2, encoder_ffn_dim=48, decoder_ffn_dim=48,
        max_source_positions=20, max_target_positions=20, decoder_start_token_id=1, **SMALL,
    )  # fmt: skip
    return WhisperForConditionalGeneration(config)


def build_bert() -> nn.Module:
    from transformers import BertConfig, BertForSequenceClassification

    config = BertConfig(
        hidden_size=32, num_hidden_layers=2, num_attention_heads=2, intermediate_size=48,
        max_position_embeddings=20, initializer_range=0.3, **SMALL,
    )  # fmt: skip
    return BertForSequenceClassification(config)


def build_ast() -> nn.Module:
    from transformers import ASTConfig, ASTForAudioClassification

    config = ASTConfig(
        hidden_size=32, num_hidden_layers=2, num_attention_heads=2, intermediate_size=48,
        max_length=40, num_mel_bins=32,
    )  # fmt: skip
    return ASTForAudioClassification(config)


BUILD = {"whisper": build_whisper, "bert": build_bert, "ast": build_ast}
# What the cases' words are called in each model.
WORDS = {
    "whisper": {"Q": "q_proj", "V": "v_proj", "STACK": "layers", "HEAD": "layer_norm"},
    "bert": {"Q": "query", "V": "value", "STACK": "layer", "HEAD": "classifier"},
    "ast": {"Q": "q_proj", "V": "v_proj", "STACK": "layers", "HEAD": "classifier"},
}
GENERATOR = torch.Generator().manual_seed(1)
TOKENS = torch.randint(3, 60, (2, 6), generator=GENERATOR)
MEL = torch.randn(2, 80, 40, generator=GENERATOR)
FILTERBANK = torch.randn(2, 40, 32, generator=GENERATOR)

HONOURED: dict[str, list[dict]] = {
    "peft_type": [{}],
    "task_type": [{"task_type": "SEQ_CLS"}],
    "r": [{"r": 2}],
    "lora_alpha": [{"lora_alpha": 3}],
    "lora_dropout": [{"lora_dropout": 0.5}],
    "target_modules": [
        {"target_modules": ["Q", "1.*V", "0.self_attn.V"]},
        {"target_modules": r".*\.1\..*Q"},
        {"target_modules": "all-linear"},
    ],
    "exclude_modules": [{"exclude_modules": r".*\.0\..*"}, {"exclude_modules": ["Q"]}],
    "bias": [{"bias": "lora_only"}, {"bias": "all"}],
    "use_rslora": [{"use_rslora": True}],
    "use_dora": [{"use_dora": True}],
    "lora_bias": [{"lora_bias": True}],
    "modules_to_save": [{"modules_to_save": ["HEAD"]}],
    "init_lora_weights": [
        {"init_lora_weights": init}
        for init in (True, False, "gaussian", "orthogonal", "mica", "eva", "olora", "pissa")
    ]
    + [
        {"init_lora_weights": "pissa", "use_dora": True},
        {"init_lora_weights": "pissa", "use_rslora": True, "rank_pattern": {"Q": 2}},
        {"init_lora_weights": "olora", "alpha_pattern": {"Q": 2}},
    ],
    "layers_to_transform": [{"layers_to_transform": [1]}, {"layers_to_transform": 0}],
    "layers_pattern": [{"layers_to_transform": [0], "layers_pattern": "STACK"}],
    "rank_pattern": [{"rank_pattern": {"Q": 2, ".*1.*V": 3}}],
    "alpha_pattern": [{"alpha_pattern": {"Q": 32}}, {"alpha_pattern": {r"^.*\.0\..*V": 1}}],
    "trainable_token_indices": [{"trainable_token_indices": [3, 5]}],
    "ensure_weight_tying": [
        {"trainable_token_indices": [3, 5], "ensure_weight_tying": True},
        {"modules_to_save": ["embed_tokens"], "ensure_weight_tying": True},
        {"target_modules": ["embed_tokens", "Q"], "ensure_weight_tying": True},
    ],
}
# Of keys that are honoured at some models alone.
ONLY = {"ensure_weight_tying": ["whisper"], "trainable_token_indices": ["whisper", "bert"]}
ONLY |= {"task_type": ["bert"]}
COMPOSED = ("target_modules", "modules_to_save", "bias")  # AST's classifier is of two modules
NEUTRAL = {
    "auto_mapping": {"base_model_class": "Other"},
    "peft_version": "0.99.0",
    "base_model_name_or_path": "somebody/model",
    "revision": "main",
    "inference_mode": False,
    "fan_in_fan_out": True,
    "megatron_core": "megatron.else",
    "loftq_config": {"loftq_bits": 4},
    "eva_config": {"rho": 1.5},
    "corda_config": {"corda_method": "kpm"},
    "lora_ga_config": {"direction": "ArBr"},
    "velora_config": {"num_groups": 4},
    "monteclora_config": {"num_samples": 2},
    "qalora_group_size": 8,
    "runtime_config": {"ephemeral_gpu_offload": True},
}
REFUSED = {
    "megatron_config": {"a": 1},
    "alora_invocation_tokens": [3],
    "use_qalora": True,
    "layer_replication": [[0, 2], [1, 2]],
    "target_parameters": ["q_proj.weight"],
    "use_bdlora": {"nblocks": 2},
    "arrow_config": {"top_k": 3},
    "kasa_config": {"beta": 1e-4},
}


def fresh(kind: str) -> nn.Module:
    torch.manual_seed(0)
    return BUILD[kind]().eval()


@torch.no_grad()
def run(kind: str, model: nn.Module) -> torch.Tensor:
    model.eval()
    if kind == "whisper":
        return model(input_features=MEL, decoder_input_ids=TOKENS).logits
    if kind == "bert":
        return model(input_ids=TOKENS).logits
    return model(input_values=FILTERBANK).logits


def spell(value, words: dict[str, str]):
    """Put a model's names for the words of a case."""
    if isinstance(value, dict):
        return {spell(key, words): spell(one, words) for key, one in value.items()}
    if isinstance(value, list):
        return [spell(one, words) for one in value]
    if isinstance(value, str) and value not in ("SEQ_CLS", "LORA"):
        for word, name in words.items():
            value = value.replace(word, name)
    return value


def disturb(model: nn.Module) -> None:
    generator = torch.Generator().manual_seed(7)
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.requires_grad:
                parameter += 0.1 * torch.randn(parameter.shape, generator=generator)


def write(kind: str, folder: Path, config) -> torch.Tensor:
    """Write an adapter by PEFT alone, and return what PEFT computes after loading it."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        wrapped = get_peft_model(fresh(kind), config)
        disturb(wrapped)
        wrapped.save_pretrained(str(folder))
        return run(kind, PeftModel.from_pretrained(fresh(kind), str(folder)))


def write_lora(kind: str, folder: Path, **values) -> torch.Tensor:
    base = dict(r=4, lora_alpha=8, target_modules=["Q", "V"])
    return write(kind, folder, LoraConfig(**spell({**base, **values}, WORDS[kind])))


def edit(folder: Path, **values) -> None:
    path = folder / "adapter_config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **values}))


def check_parity(kind: str, folder: Path, expected: torch.Tensor, again: Path) -> Adapters:
    """Check what is loaded, that it can be switched off, and that it is saved and read again."""
    model = fresh(kind)
    frozen = run(kind, model)
    adapters = Adapters(model)
    adapters.load(folder, "one")
    assert not torch.allclose(expected, frozen, atol=1e-4)
    found = run(kind, model)
    torch.testing.assert_close(found, expected, **CLOSE)
    assert adapters.count("one") == sum(p.numel() for p in adapters.parameters("one"))
    adapters.save(again, "one")
    other = Adapters(fresh(kind))
    other.load(again, "one")
    torch.testing.assert_close(run(kind, other.model), found, **CLOSE)
    adapters.use(None)
    assert torch.equal(run(kind, model), frozen)
    return adapters


CASES = [
    pytest.param(kind, values, id=f"{kind}-{key}-{number}")
    for key, several in HONOURED.items()
    for number, values in enumerate(several)
    for kind in ONLY.get(key, list(BUILD) if key in COMPOSED else ["whisper", "bert"])
]


@pytest.mark.parametrize("kind, values", CASES)
def test_an_honoured_key_computes_what_peft_does(kind, values, tmp_path):
    expected = write_lora(kind, tmp_path / "theirs", **values)
    check_parity(kind, tmp_path / "theirs", expected, tmp_path / "ours")


def test_every_key_of_peft_s_lora_is_tried_here():
    here = {*HONOURED, *NEUTRAL, *REFUSED}
    assert here == {field.name for field in fields(LoraConfig)}
    assert len(here) == len(HONOURED) + len(NEUTRAL) + len(REFUSED)


@pytest.mark.parametrize("kind", list(KEYS))
def test_every_key_of_a_type_is_in_its_table_once(kind):
    keys = KEYS[kind]
    tables = [keys.honoured, keys.neutral, set(keys.refused)]
    known = {field.name for field in fields(PEFT_TYPE_TO_CONFIG_MAPPING[kind])}
    assert known <= set().union(*tables)
    assert sum(map(len, tables)) == len(set().union(*tables))


@pytest.mark.parametrize("key", [*NEUTRAL, "merge_weights"])
def test_a_neutral_key_changes_nothing(key, tmp_path):
    expected = write_lora("whisper", tmp_path)
    edit(tmp_path, **{key: NEUTRAL.get(key, True)})
    model = fresh("whisper")
    Adapters(model).load(tmp_path, "one")
    torch.testing.assert_close(run("whisper", model), expected, **CLOSE)


@pytest.mark.parametrize("key", [*REFUSED, "enable_lora", "some_future_flag"])
def test_a_key_that_cannot_be_honoured_is_refused_by_its_name(key, tmp_path):
    write_lora("whisper", tmp_path)
    edit(tmp_path, **{key: REFUSED.get(key, [True, False])})
    model = fresh("whisper")
    frozen = run("whisper", model)
    with pytest.raises(ValueError, match=rf"adapter_config.json: the key '{key}' is "):
        Adapters(model).load(tmp_path, "one")
    assert torch.equal(run("whisper", model), frozen) and Adapters(model).names == []


@pytest.mark.parametrize("value", [None, False, {}, [], ""])
def test_a_key_of_a_newer_peft_that_says_no_passes(value, tmp_path):
    expected = write_lora("whisper", tmp_path)
    edit(tmp_path, some_future_flag=value, peft_version="0.99.0")
    check_parity("whisper", tmp_path, expected, tmp_path / "ours")


@pytest.mark.parametrize("init", ["corda", "pissa_niter_4", "loftq", "some_future_init"])
def test_an_init_that_nobody_can_repeat_is_refused_by_its_name(init, tmp_path):
    write_lora("whisper", tmp_path)
    edit(tmp_path, init_lora_weights=init)
    adapters = Adapters(fresh("whisper"))
    with pytest.raises(ValueError, match=f"the key 'init_lora_weights' is '{init}', "):
        adapters.load(tmp_path, "one")
    assert adapters.names == []


@pytest.mark.parametrize("init", ["pissa", "olora"])
def test_an_init_that_was_converted_is_loaded_as_the_lora_that_it_is(init, tmp_path):
    wrapped = get_peft_model(
        fresh("whisper"), LoraConfig(r=4, target_modules=["q_proj"], init_lora_weights=init)
    )
    wrapped.peft_config["default"].init_lora_weights = True
    wrapped.save_pretrained(str(tmp_path / "start"))
    wrapped.peft_config["default"].init_lora_weights = init
    disturb(wrapped)
    expected = run("whisper", wrapped)
    initial = str(tmp_path / "start")
    wrapped.save_pretrained(
        str(tmp_path / "lora"), path_initial_model_for_weight_conversion=initial
    )
    adapters = check_parity("whisper", tmp_path / "lora", expected, tmp_path / "ours")
    assert [part.options.rank for part in adapters.parts("one")] == [8]


def test_pissa_of_another_model_is_told(tmp_path):
    write_lora("whisper", tmp_path, init_lora_weights="pissa", r=8)
    edit(tmp_path, r=4)
    with pytest.raises(ValueError, match=r"does not fit this model: .*lora_A.weight is \(8, 32\)"):
        Adapters(fresh("whisper")).load(tmp_path, "one")


def test_pissa_at_a_tied_matrix_changes_all_that_is_tied_as_peft_does(tmp_path):
    values = {"target_modules": ["proj_out"], "init_lora_weights": "pissa"}
    expected = write_lora("whisper", tmp_path / "theirs", **values)
    check_parity("whisper", tmp_path / "theirs", expected, tmp_path / "ours")


@pytest.mark.parametrize(
    "values",
    [
        {"target_modules": ["proj_out"]},
        {"target_modules": ["embed_tokens", "Q"]},
        {"target_modules": ["embed_tokens"], "use_dora": True},
        {"modules_to_save": ["proj_out"]},
        {"modules_to_save": ["embed_tokens", "proj_out"]},
        {"trainable_token_indices": {"embed_tokens": [4, 7]}, "bias": "all"},
    ],
)
def test_adapters_of_tied_matrices_compute_what_peft_does_and_do_not_merge(values, tmp_path):
    expected = write_lora("whisper", tmp_path / "theirs", **values)
    adapters = check_parity("whisper", tmp_path / "theirs", expected, tmp_path / "ours")
    model = adapters.model
    before = {name: tensor.clone() for name, tensor in adapters.frozen_state().items()}
    adapters.use("one")
    with pytest.raises(ValueError, match=r"The weight of .* is that of .* too"):
        adapters.merge()
    assert all(torch.equal(t, before[name]) for name, t in adapters.frozen_state().items())
    torch.testing.assert_close(run("whisper", model), expected, **CLOSE)


def test_convolutions_saved_whole_are_loaded_and_merge(tmp_path):
    values = {"modules_to_save": ["conv1", "conv2"]}
    expected = write_lora("whisper", tmp_path / "theirs", **values)
    adapters = check_parity("whisper", tmp_path / "theirs", expected, tmp_path / "ours")
    adapters.use("one")
    adapters.merge()
    torch.testing.assert_close(run("whisper", adapters.model), expected, **CLOSE)


def test_what_cannot_be_changed_is_refused_with_its_keys(tmp_path):
    write_lora("whisper", tmp_path, modules_to_save=["embed_positions"])
    adapters = Adapters(fresh("whisper"))
    with pytest.raises(ValueError, match="'modules_to_save'.* WhisperPositionalEmbedding"):
        adapters.load(tmp_path, "one")
    assert adapters.names == [] and adapters.active == []


def test_layers_whose_weight_lies_the_other_way_are_refused_with_the_key(tmp_path):
    from transformers import GPT2Config, GPT2Model

    config = GPT2Config(vocab_size=60, n_embd=32, n_layer=1, n_head=2)
    lora = LoraConfig(target_modules=["c_attn"], fan_in_fan_out=True)
    get_peft_model(GPT2Model(config), lora).save_pretrained(str(tmp_path))
    adapters = Adapters(GPT2Model(config))
    with pytest.raises(ValueError, match="'target_modules' means h.0.attn.c_attn too, a Conv1D"):
        adapters.load(tmp_path, "one")
    assert adapters.names == []


def test_dora_with_biases_is_refused_with_both_keys(tmp_path):
    write_lora("whisper", tmp_path, use_dora=True, bias="lora_only")
    adapters = Adapters(fresh("whisper"))
    with pytest.raises(ValueError, match="'use_dora' .*'bias'"):
        adapters.load(tmp_path, "one")
    assert adapters.names == []


def test_embeddings_that_the_file_has_beside_the_adapter_are_taken(tmp_path):
    """PEFT writes them where the vocabulary was grown, and writes over the model's own."""
    from safetensors.torch import load_file, save_file

    write_lora("whisper", tmp_path)
    path = tmp_path / "adapter_model.safetensors"
    table = fresh("whisper").state_dict()["proj_out.weight"].clone()
    table[50:] += 1
    name = "base_model.model.model.decoder.embed_tokens.weight"
    save_file({**load_file(path), name: table}, path, {"format": "pt"})
    expected = run("whisper", PeftModel.from_pretrained(fresh("whisper"), str(tmp_path)))
    check_parity("whisper", tmp_path, expected, tmp_path / "ours")
    save_file({**load_file(path), name: table[:-1].clone()}, path, {"format": "pt"})
    with pytest.raises(ValueError, match=r"embed_tokens.weight is \(59, 32\) in the file"):
        Adapters(fresh("whisper")).load(tmp_path, "one")


# Files of 2023


def test_a_file_of_2023_has_the_defaults_for_the_keys_that_came_later(tmp_path):
    expected = write_lora("whisper", tmp_path)
    path = tmp_path / "adapter_config.json"
    old = ("peft_type", "r", "lora_alpha", "target_modules", "bias", "fan_in_fan_out")
    config = {key: json.loads(path.read_text())[key] for key in old}
    old_names = {"merge_weights": False, "enable_lora": None, "layers_pattern": "layers"}
    path.write_text(json.dumps(config | old_names))
    check_parity("whisper", tmp_path, expected, tmp_path / "ours")


def test_tensors_of_2023_are_read_without_running_what_a_pickle_says(tmp_path):
    from safetensors.torch import load_file

    expected = write_lora("whisper", tmp_path)
    safe = tmp_path / "adapter_model.safetensors"
    torch.save(load_file(safe), tmp_path / "adapter_model.bin")
    safe.unlink()
    check_parity("whisper", tmp_path, expected, tmp_path / "ours")


class Harmful:
    def __reduce__(self):
        return (Path.touch, (Path("it_ran"),))


@pytest.mark.parametrize("held", [Harmful(), {"a": Harmful()}, {"a": 3}, [torch.zeros(2)]])
def test_a_pickle_of_other_things_is_refused_and_not_run(held, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write_lora("whisper", tmp_path)
    (tmp_path / "adapter_model.safetensors").unlink()
    torch.save(held, tmp_path / "adapter_model.bin")
    with pytest.raises(ValueError, match="adapter_model.bin is damaged, or a pickle of other"):
        Adapters(fresh("whisper")).load(tmp_path, "one")
    assert not (tmp_path / "it_ran").exists()


# Other types, and what PEFT refuses itself


@pytest.mark.parametrize(
    "config",
    [
        IA3Config(target_modules=["k_proj", "fc2"], feedforward_modules=["fc2"]),
        IA3Config(target_modules=r".*\.1\..*(k_proj|fc2)", feedforward_modules=r".*fc2"),
        IA3Config(
            target_modules=["k_proj", "fc2"],
            feedforward_modules=["fc2"],
            exclude_modules=r".*decoder.*",
            modules_to_save=["layer_norm"],
        ),
        ShiraConfig(r=2, target_modules=r".*\.1\..*q_proj", random_seed=5),
        ShiraConfig(r=2, target_modules=["q_proj"], modules_to_save=["proj_out"]),
    ],
)
def test_ia3_and_shira_compute_what_peft_does(config, tmp_path):
    expected = write("whisper", tmp_path / "theirs", config)
    check_parity("whisper", tmp_path / "theirs", expected, tmp_path / "ours")


def test_other_types_are_refused_by_their_name(tmp_path):
    write_lora("whisper", tmp_path)
    for value in ("ADALORA", None):
        edit(tmp_path, peft_type=value)
        with pytest.raises(ValueError, match=f"the key 'peft_type' is {value!r}; known: MCGURK"):
            Adapters(fresh("whisper")).load(tmp_path, "one")


def test_what_peft_itself_refuses_is_told_in_a_sentence(tmp_path):
    write_lora("whisper", tmp_path)
    for wrong in ({"target_modules": ["nowhere"]}, {"r": -1}, {"rank_pattern": [3]}):
        edit(tmp_path, **{"r": 4, "rank_pattern": {}, **wrong})
        with pytest.raises(ValueError, match="adapter_config.json: .*PEFT cannot put"):
            Adapters(fresh("whisper")).load(tmp_path, "one")


def test_a_load_that_fails_leaves_the_parts_that_were_there(tmp_path):
    write_lora("whisper", tmp_path, use_dora=True, bias="lora_only")
    model = fresh("whisper")
    adapters = attach(model, "bottleneck", name="one")
    with pytest.raises(ValueError, match="use_dora"):
        adapters.load(tmp_path, "one")
    assert [part.method for part in adapters.parts("one")] == ["bottleneck"]
    assert adapters.active == ["one"]


@pytest.mark.parametrize("config", [VeloraConfig(num_groups=4), MontecloraConfig()])
def test_what_changes_training_alone_is_left_out(config, tmp_path):
    key = "velora_config" if isinstance(config, VeloraConfig) else "monteclora_config"
    expected = write_lora("whisper", tmp_path / "theirs", **{key: config})
    check_parity("whisper", tmp_path / "theirs", expected, tmp_path / "ours")


def test_an_adapter_is_loaded_beside_others(tmp_path):
    expected = write_lora("whisper", tmp_path, rank_pattern={"Q": 2}, bias="all")
    model = fresh("whisper")
    for method in ("ia3", "lora", "bottleneck"):
        attach(model, method, name=method)
    adapters = Adapters(model)
    adapters.load(tmp_path, "one")
    torch.testing.assert_close(run("whisper", model), expected, **CLOSE)


@torch.no_grad()
@pytest.mark.parametrize(
    "values",
    [
        {"lora_bias": True},
        {"rank_pattern": {"Q": 2}, "bias": "all"},
        {"target_modules": ["embed_tokens", "Q"]},
        {"trainable_token_indices": [3, 5], "modules_to_save": ["conv1"]},
    ],
)
def test_what_is_loaded_differs_between_rows(values, tmp_path):
    expected = write_lora("whisper", tmp_path, **values)
    model = fresh("whisper")
    frozen = run("whisper", model)
    adapters = Adapters(model)
    adapters.load(tmp_path, "one")
    with adapters.rows(["one", None]):
        found = run("whisper", model)
    torch.testing.assert_close(found[0], expected[0], **CLOSE)
    torch.testing.assert_close(found[1], frozen[1], **CLOSE)


# Options of ours that stand for the keys


def test_ranks_and_alphas_of_some_modules_are_written_for_peft(tmp_path):
    model = fresh("whisper")
    names = ["model.encoder.layers.0.self_attn.q_proj", "model.encoder.layers.1.self_attn.q_proj"]
    options = {"rank": 2, "ranks": {names[0]: 3}, "alphas": {names[1]: 5.0}}
    adapters = attach(model, "lora", options, names, name="one")
    disturb(model)
    assert adapters.count("one") == (2 + 3) * 64
    adapters.save(tmp_path, "one")
    theirs = PeftModel.from_pretrained(fresh("whisper"), str(tmp_path))
    torch.testing.assert_close(run("whisper", theirs), run("whisper", model), **CLOSE)


def test_ranks_of_what_is_no_site_or_below_one_are_told():
    with pytest.raises(ValueError, match="'ranks' and 'alphas' of 'lora' have 'nowhere'"):
        attach(fresh("whisper"), "lora", {"ranks": {"nowhere": 3}})
    with pytest.raises(ValueError, match="'ranks' of 'lora' has 0 at x; expected 1 or more"):
        attach(fresh("whisper"), "lora", {"ranks": {"x": 0}})
