"""Files of methods that PEFT has: the same functions and the same files as PEFT's own."""

import pytest
import torch
from peft import IA3Config, LoraConfig, PeftModel, ShiraConfig, get_peft_model
from torch import nn

from fusion.adapters.interface import Adapters, attach
from fusion.contract.sites import find_sites

WHERE = {"lora": ("q", "v"), "ia3": ("k", "v", "fc2"), "shira": ("q", "v")}
OPTIONS = {"lora": {"rank": 2, "alpha": 6.0}, "ia3": {}, "shira": {"rank": 2}}


def peft_config(method: str, names: list[str]):
    if method == "lora":
        return LoraConfig(r=2, lora_alpha=6, target_modules=names)
    if method == "ia3":
        ends = [name for name in names if name.endswith("fc2")]
        return IA3Config(target_modules=names, feedforward_modules=ends)
    return ShiraConfig(r=2, target_modules=names, random_seed=5)


@pytest.fixture(params=list(WHERE))
def method(request) -> str:
    return request.param


@pytest.fixture
def by_peft(method, build, disturb):
    """Adapts a new tiny model by PEFT alone, with parameters off their start."""

    def build_one(kind: str) -> PeftModel:
        model = build(kind)
        names = [site.name for site in find_sites(model, WHERE[method])]
        wrapped = get_peft_model(model, peft_config(method, names))
        generator = torch.Generator().manual_seed(7)
        with torch.no_grad():
            for parameter in wrapped.parameters():
                if parameter.requires_grad:
                    parameter += 0.1 * torch.randn(parameter.shape, generator=generator)
        return wrapped.eval()

    return build_one


def parameters_of_peft(wrapped: PeftModel) -> dict[str, nn.Parameter]:
    return {
        name.removeprefix("base_model.model.").replace(".default", ""): parameter
        for name, parameter in wrapped.named_parameters()
        if parameter.requires_grad
    }


def test_with_the_same_parameters_the_output_is_that_of_peft(method, by_peft, kind, build, run):
    wrapped = by_peft(kind)
    model = build(kind)
    adapters = attach(model, method, OPTIONS[method], WHERE[method])
    theirs = parameters_of_peft(wrapped)
    ours = {n.replace(".default", ""): p for n, p in adapters.named_parameters("default").items()}
    assert set(ours) == set(theirs)
    with torch.no_grad():
        for name, parameter in ours.items():
            parameter.copy_(theirs[name])
        if method == "shira":
            for name in adapters.parts("default")[0].sites:
                indices = wrapped.base_model.model.get_submodule(name).shira_indices["default"]
                model.get_submodule(name).shira_indices["default"] = indices  # type: ignore[index]
        torch.testing.assert_close(
            run(kind, model), run(kind, wrapped.base_model.model), atol=1e-6, rtol=1e-6
        )


def test_peft_reads_our_files(method, kind, build, run, disturb, tmp_path):
    model = build(kind)
    adapters = attach(model, method, OPTIONS[method], WHERE[method], name="one")
    disturb(adapters, "one")
    adapters.save(tmp_path, "one")
    wrapped = PeftModel.from_pretrained(build(kind), str(tmp_path)).eval()
    with torch.no_grad():
        assert torch.equal(run(kind, wrapped.base_model.model), run(kind, model))


def test_we_read_the_files_of_peft(method, by_peft, kind, build, run, tmp_path):
    wrapped = by_peft(kind)
    wrapped.save_pretrained(str(tmp_path / "theirs"))
    model = build(kind)
    adapters = Adapters(model)
    adapters.load(tmp_path / "theirs", "one")
    with torch.no_grad():
        expected = run(kind, wrapped.base_model.model)
        assert torch.equal(run(kind, model), expected)
        adapters.save(tmp_path / "ours", "one")
        again = PeftModel.from_pretrained(build(kind), str(tmp_path / "ours")).eval()
        assert torch.equal(run(kind, again.base_model.model), expected)


def test_an_adapter_at_more_places_than_peft_writes_down_comes_back(tmp_path):
    """From 20 modules on PEFT's file holds the ends of their names alone."""
    from transformers import WhisperConfig, WhisperForConditionalGeneration

    config = WhisperConfig(
        d_model=16, encoder_layers=2, decoder_layers=2, encoder_attention_heads=2,
        decoder_attention_heads=2, encoder_ffn_dim=32, decoder_ffn_dim=32, vocab_size=60,
        pad_token_id=0, bos_token_id=1, eos_token_id=2, decoder_start_token_id=1,
    )  # fmt: skip
    models = [WhisperForConditionalGeneration(config) for _ in range(2)]
    adapters = attach(models[0], "lora", {"rank": 2}, ("q", "k", "v", "o"), name="a")
    assert len(adapters.parts("a")[0].sites) == 24
    for parameter in adapters.parameters("a"):
        torch.nn.init.normal_(parameter)
    adapters.save(tmp_path, "a")
    again = Adapters(models[1])
    again.load(tmp_path, "a")
    saved, loaded = (a.named_parameters("a") for a in (adapters, again))
    assert saved.keys() == loaded.keys()
    assert all(torch.equal(saved[name], loaded[name]) for name in saved)
