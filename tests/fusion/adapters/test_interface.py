"""The interface: roles, names, several parts, and what a mistake gets."""

import json
from itertools import product

import pytest
import torch
from torch import nn

from fusion.adapters.interface import Adapters, attach
from fusion.contract.sites import find_sites


@pytest.fixture
def whisper(build):
    return build("whisper")


def names(model, *where, **options):
    return [site.name for site in find_sites(model, where, **options)]


def test_roles_lead_to_modules(whisper):
    assert names(whisper, "encoder.q") == [f"encoder.layers.{i}.self_attn.q_proj" for i in (0, 1)]
    assert names(whisper, "cross.o") == [
        f"decoder.layers.{i}.encoder_attn.out_proj" for i in (0, 1)
    ]
    assert names(whisper, "decoder.self.v", layers=[-1]) == ["decoder.layers.1.self_attn.v_proj"]
    assert len(names(whisper, "q", "v")) == 12 and len(names(whisper, "norm")) == 12
    assert names(whisper, "input") == ["encoder.layers.0", "decoder.layers.0"]
    assert (
        names(whisper, "encoder.attention", acts_on="attention")[0] == "encoder.layers.0.self_attn"
    )
    assert names(whisper, "encoder.mlp", acts_on="sublayer")[0] == "encoder.layers.0.fc2"


def test_every_family_has_every_role(kind, model):
    for role in ("q", "k", "v", "o", "fc1", "fc2", "norm", "block", "input"):
        assert names(model, role), role
    for role in ("attention", "mlp"):
        assert names(model, role, acts_on="sublayer")
    assert names(model, "attention", acts_on="attention")


def test_roles_are_found_again_beside_other_adapters(whisper):
    before = names(whisper, "q", "norm", "block")
    attach(whisper, "lora", name="one")
    attach(whisper, "bottleneck", {"norm": True}, name="two")
    assert names(whisper, "q", "norm", "block") == before


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("lara",), "No adapter method 'lara'; known: .*lora"),
        (("lora", {"rnak": 4}), "no option 'rnak'; known: rank"),
        (("lora", {"rank": "four"}), "Option 'rank' of 'lora' is 'four'; expected a int"),
        (("bottleneck", {"mode": "beside"}), "'beside'; known: sequential, parallel"),
        (("lora", None, ["query"]), "No role or module 'query'; roles: q, k, v"),
        (("lora", None, ["vision.q"]), r"No 'vision.q' in this WhisperModel; it has q, k, v"),
        (("lora", {"rank": 0}), "Option 'rank' of 'lora' is 0; expected 1 or more"),
        (("hydra", {"sequential_rank": -1}), "Option 'sequential_rank' of 'hydra' is -1"),
        (("lora", 3), "Options of 'lora' are int; expected LoraOptions or a dict"),
    ],
)
def test_mistakes_list_what_exists(whisper, arguments, message):
    with pytest.raises(ValueError, match=message):
        attach(whisper, *arguments)
    assert Adapters(whisper).names == []


@pytest.mark.parametrize(
    ("first", "then"), [*product(("lora", "ia3", "shira", "bitfit"), repeat=2)]
)
def test_an_adapter_stays_what_it_was_when_another_comes_elsewhere(
    whisper, output, disturb, first, then
):
    plain = output("whisper", whisper)
    adapters = attach(whisper, first, where=["encoder.v"], name="one")
    disturb(adapters, "one")
    before = output("whisper", whisper)
    assert not torch.equal(before, plain)
    attach(whisper, then, where=["decoder.v"], name="two")
    disturb(adapters, "two")
    for name, expected in (("one", before), (None, plain)):
        adapters.use(name)
        torch.testing.assert_close(output("whisper", whisper), expected, rtol=0, atol=0)
    adapters.use("two")
    both = output("whisper", whisper)
    assert not torch.equal(both, plain)
    adapters.drop("one")
    torch.testing.assert_close(output("whisper", whisper), both, rtol=0, atol=0)


@pytest.mark.parametrize("name", ["", "a.b", "encoder", "a+b", "double", "train"])
def test_names_that_would_be_confused_are_errors(whisper, name):
    with pytest.raises(ValueError, match="Adapter name"):
        attach(whisper, "lora", name=name)


def test_unknown_adapters_are_errors(whisper):
    adapters = attach(whisper, "lora", name="one")
    for act in (adapters.use, adapters.drop, adapters.count, adapters.parameters):
        with pytest.raises(ValueError, match="No adapter 'two'; the model has: one"):
            act("two")
    with pytest.raises(ValueError, match="No adapter 'two'"), adapters.rows(["one", "two"]):
        pass


def test_a_model_without_blocks_is_told(tmp_path):
    with pytest.raises(ValueError, match="No known Transformer block in this Sequential"):
        attach(nn.Sequential(nn.Linear(4, 4)), "lora")


def test_modules_of_any_model_are_adapted_by_name():
    model = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 2))
    adapters = attach(model, "hydra", where=["0", "2"])
    assert adapters.count("default") == 2 * (4 + 8) + 4 * 8 + 2 * (8 + 2) + 4 * 2
    with pytest.raises(ValueError, match="Module 1 is a ReLU"):
        attach(model, "hydra", where=["1"], name="other")


def test_two_methods_under_one_name_are_one_adapter(whisper, run, disturb, tmp_path, build):
    adapters = attach(whisper, "lora", {"rank": 2}, name="both")
    attach(whisper, "bottleneck", {"rank": 3}, name="both")
    disturb(adapters, "both")
    with torch.no_grad():
        expected = run("whisper", whisper)
    assert adapters.names == adapters.active == ["both"]
    adapters.save(tmp_path, "both")
    other = build("whisper")
    Adapters(other).load(tmp_path, "again")
    with torch.no_grad():
        assert torch.equal(run("whisper", other), expected)
    assert Adapters(other).count("again") == adapters.count("both")


def test_several_adapters_at_once_are_summed(run, disturb, build):
    model = build("whisper")
    for name in ("one", "two"):
        adapters = attach(model, "lora", {"rank": 2}, where=["encoder.fc2"], layers=[-1], name=name)
        disturb(adapters, name, seed=len(name))
    layer = model.get_submodule("encoder.layers.1.fc2")
    inputs = torch.randn(1, 3, 48)
    with torch.no_grad():
        adapters.use(None)
        plain = layer(inputs)
        changes = []
        for name in ("one", "two"):
            adapters.use(name)
            changes.append(layer(inputs) - plain)
        adapters.use(["one", "two"])
        torch.testing.assert_close(layer(inputs), plain + sum(changes))


def test_merged_adapters_have_to_be_unmerged_first(whisper):
    adapters = attach(whisper, "lora", name="one")
    adapters.merge()
    for act in (adapters.merge, lambda: adapters.use("one"), lambda: adapters.drop("one")):
        with pytest.raises(ValueError, match="unmerge"):
            act()
    with pytest.raises(ValueError, match="unmerge"):
        attach(whisper, "lora", name="two")
    adapters.unmerge()
    assert adapters.active == ["one"]


def test_the_same_adapter_is_the_same_file(whisper, tmp_path):
    adapters = attach(whisper, "lora", where=["encoder.v", "encoder.q", "decoder.k"], name="one")
    adapters.save(tmp_path, "one")
    config = json.loads((tmp_path / "adapter_config.json").read_text())
    assert config["target_modules"] == list(adapters.parts("one")[0].sites)  # not a set's order


def test_files_of_another_model_or_damaged_ones_are_told(whisper, build, tmp_path):
    attach(whisper, "lora", name="one").save(tmp_path, "one")
    clip = build("clip")
    with pytest.raises(ValueError, match="No role or module|does not fit this model"):
        Adapters(clip).load(tmp_path, "one")
    assert Adapters(clip).names == []
    weights = tmp_path / "adapter_model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-10])
    with pytest.raises(ValueError, match="is damaged"):
        Adapters(build("whisper")).load(tmp_path, "one")
    (tmp_path / "adapter_config.json").write_text("{")
    weights.unlink()
    with pytest.raises(FileNotFoundError, match="adapter_model.safetensors"):
        Adapters(build("whisper")).load(tmp_path, "one")
    with pytest.raises(FileNotFoundError, match="holds no adapter_config.json"):
        Adapters(build("whisper")).load(tmp_path / "nowhere", "one")


def test_the_published_table_names_every_method():
    from fusion.methods.catalog import METHODS

    for name, method in METHODS.items():
        assert method.title and method.formula, name
        assert method.__doc__


def test_the_table_shows_every_adapter(whisper):
    attach(whisper, "lora", {"rank": 2}, name="street")
    attach(whisper, "bottleneck", {"rank": 3}, name="music")
    adapters = attach(whisper, "norm_tuning", name="music")
    head, street, music = adapters.table().splitlines()
    assert head.split() == ["adapter", "methods", "modules", "parameters", "bytes", "state"]
    assert street.split() == ["street", "lora", "12", "1,536", "6,144", "off"]
    assert music.split()[:4] == ["music", "bottleneck", "+", "norm_tuning"]
    assert music.split()[-1] == "on"
    adapters.use("street")
    adapters.merge()
    assert adapters.table().splitlines()[1].split()[-1] == "merged"


def test_the_same_method_twice_at_one_place_is_told(whisper):
    attach(whisper, "lora", where=["encoder.q"], name="one")
    adapters = attach(whisper, "lora", where=["encoder.v"], name="one")
    assert len(adapters.parts("one")) == 2
    with pytest.raises(ValueError, match="'one' has 'lora' at encoder.layers.0.self_attn.q_proj"):
        attach(whisper, "lora", where=["q"], name="one")
    assert len(adapters.parts("one")) == 2 and adapters.active == ["one"]


@pytest.mark.parametrize("method", ["lora", "bottleneck"])
def test_an_adapter_of_a_model_in_evaluation_is_in_evaluation(method, build, disturb, output):
    model = build("whisper")
    disturb(attach(model, method, {"dropout": 0.5}), "default")
    assert torch.equal(output("whisper", model), output("whisper", model))
    model.train()
    attach(model, method, {"dropout": 0.5}, name="other")
    assert all(module.training for module in model.modules())
