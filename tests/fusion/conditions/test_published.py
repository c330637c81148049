"""A ResAdapter in the layout that is published: what diffusers itself makes of it."""

import copy
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from fusion.conditions.injection import inject
from fusion.conditions.published import load_res_adapter

diffusers: Any = pytest.importorskip("diffusers")


@pytest.fixture
def files(unet, tmp_path):
    """Write a LoRA of the resizing convolutions by diffusers, and norms beside it."""
    from peft import LoraConfig
    from peft.utils import get_peft_model_state_dict

    told = copy.deepcopy(unet)
    targets = r".*\.(down|up)samplers\.0\.conv"
    told.add_adapter(LoraConfig(r=3, lora_alpha=3, target_modules=targets, init_lora_weights=False))
    found = diffusers.utils.convert_state_dict_to_diffusers(get_peft_model_state_dict(told))
    diffusers.StableDiffusionPipeline.save_lora_weights(tmp_path, unet_lora_layers=found)
    torch.manual_seed(3)
    norms = {
        name: value + 0.2 * torch.randn_like(value)
        for name, value in unet.state_dict().items()
        if ".resnets." in name and (".norm1." in name or ".norm2." in name)
    }
    save_file(norms, tmp_path / "diffusion_pytorch_model.safetensors")
    return tmp_path / "pytorch_lora_weights.safetensors", tmp_path / (
        "diffusion_pytorch_model.safetensors"
    )


def run(unet: Any) -> torch.Tensor:
    torch.manual_seed(4)
    with torch.no_grad():
        return unet(torch.randn(2, 12, 8, 12), 500, torch.randn(2, 3, 12)).sample


@pytest.mark.parametrize("with_norms", [True, False])
def test_it_is_what_diffusers_makes_of_the_files(unet, files, with_norms):
    lora, norms = files
    before = run(unet)
    expected = copy.deepcopy(unet)
    if with_norms:
        assert not expected.load_state_dict(load_file(norms), strict=False).unexpected_keys
    expected.load_lora_adapter(load_file(lora), prefix="unet")
    injection = inject(unet, load_res_adapter(unet, lora, norms if with_norms else None))
    found = run(unet)
    assert torch.allclose(found, run(expected), atol=1e-5)
    assert not torch.allclose(found, before, atol=1e-2)
    injection.remove()
    assert torch.equal(run(unet), before)


@pytest.mark.parametrize("names", ["peft", "old", "bare"])
def test_names_of_diffusers_and_of_peft_and_alphas_are_read(unet, files, tmp_path, names):
    lora, _ = files
    told = load_file(lora)
    first = {name: value.clone() for name, value in told.items()}
    endings = {".lora_A.weight": ".lora.down.weight", ".lora_B.weight": ".lora.up.weight"}
    changed = {}
    for name, value in told.items():
        for new, old in endings.items():
            name = name.replace(old, new) if names == "peft" else name.replace(new, old)
        changed[name.removeprefix("unet.") if names == "bare" else name] = value
    if names == "old":
        layers = {name.rpartition(".lora.")[0] for name in changed}
        changed |= {f"{layer}.alpha": torch.tensor(6.0) for layer in layers}
    save_file(changed, tmp_path / "named.safetensors")
    found = load_res_adapter(unet, tmp_path / "named.safetensors")["size"]
    assert found.options.alpha == (6.0 if names == "old" else 3)
    expected = load_res_adapter(unet, lora)["size"]
    assert len(first) == len(expected.weights())
    for name, value in expected.weights().items():
        assert torch.equal(found.weights()[name], value)


@pytest.mark.parametrize(
    ("file", "change", "message"),
    [
        (0, {"unet.conv_in.lora_A.weight": torch.ones(3, 4, 3, 3)}, "holds conv_in.* alone"),
        (0, {"unet.odd": torch.ones(1)}, "holds odd; expected changes of"),
        (1, {"conv_in.weight": torch.ones(8, 12, 3, 3)}, "holds conv_in.weight; expected norms"),
        (1, {"down_blocks.0.resnets.0.norm1.weight": torch.ones(3)}, r"is \[3\]; this .* \[8\]"),
    ],
)
def test_what_is_something_else_is_told_in_one_line(unet, files, file, change, message):
    save_file({**load_file(files[file]), **change}, files[file])
    with pytest.raises(ValueError, match=message) as told:
        load_res_adapter(unet, *files)
    assert "\n" not in str(told.value)


def test_what_is_for_another_denoiser_is_told(unet, files, tmp_path):
    told = load_file(files[0])
    some = next(name for name in told if "upsamplers" in name)
    del told[some]
    save_file(told, files[0])
    with pytest.raises(ValueError, match="is missing"):
        load_res_adapter(unet, files[0])
    with pytest.raises(FileNotFoundError, match="expected a published ResAdapter"):
        load_res_adapter(unet, tmp_path / "nothing.safetensors")
