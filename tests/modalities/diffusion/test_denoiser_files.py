import json
import shutil
from dataclasses import replace
from typing import Any

import pytest
import torch

from modalities.diffusion import denoiser_files
from modalities.diffusion.denoiser_files import load_denoiser, save_denoiser
from modalities.diffusion.sampling import draw_noise, sample
from modalities.diffusion.small import SmallDenoiserOptions, build_small

diffusers: Any = pytest.importorskip("diffusers")


def test_a_small_denoiser_comes_back_from_its_folder(denoiser, adapter, tmp_path):
    """Even with tokens of sounds on it, which are not its own."""
    save_denoiser(denoiser, tmp_path / "small")
    again = load_denoiser(tmp_path / "small")
    assert again.identity == denoiser.identity and again.side == (8, 16)
    assert not any(p.requires_grad for p in again.parameters())
    assert torch.equal(sample(again, [3], steps=2), sample(denoiser, [3], steps=2))


def test_half_floats_take_half_the_room(denoiser, tmp_path):
    save_denoiser(denoiser, tmp_path / "whole")
    save_denoiser(denoiser, tmp_path / "half", half=True)
    sizes = [next((tmp_path / name).iterdir()).stat().st_size for name in ("whole", "half")]
    assert sizes[1] < 0.7 * sizes[0]
    found = sample(load_denoiser(tmp_path / "half"), [3], steps=2)
    assert torch.allclose(found, sample(denoiser, [3], steps=2), atol=0.05)


def test_random_weights_go_by_the_seed_and_leave_torchs_generator(denoiser):
    torch.manual_seed(7)
    expected = torch.rand(1)
    torch.manual_seed(7)
    again = build_small(denoiser.options, seed=1)
    assert torch.equal(torch.rand(1), expected)
    assert again.identity == denoiser.identity
    assert build_small(denoiser.options, seed=2).identity != denoiser.identity


def test_stable_diffusion_paints_what_diffusers_own_pipeline_paints(stable_diffusion):
    denoiser = load_denoiser(stable_diffusion)
    assert denoiser.empty.shape == (9, 16) and denoiser.side == (16, 16)
    pipeline = diffusers.StableDiffusionPipeline.from_pretrained(
        stable_diffusion, safety_checker=None, local_files_only=True
    )
    pipeline.set_progress_bar_config(disable=True)
    pipeline.scheduler = denoiser.noise.solver(False)
    expected = pipeline(
        ["", ""],
        latents=draw_noise([4, 5], (4, 8, 8)),
        num_inference_steps=4,
        guidance_scale=1.0,
        output_type="np",
    ).images
    found = sample(denoiser, [4, 5], steps=4)
    assert torch.allclose(found, torch.from_numpy(expected), atol=1e-4)


def test_latents_of_stable_diffusion_are_scaled_and_of_an_eighth_or_so(stable_diffusion):
    codec = load_denoiser(stable_diffusion).codec
    pictures = torch.rand(2, 16, 32, 3)
    latents = codec.encode(pictures)
    assert latents.shape == (2, *codec.shape(16, 32)) == (2, 4, 8, 16)
    mean = codec.vae.encode(2 * pictures.movedim(-1, 1) - 1).latent_dist.mean
    assert torch.allclose(latents, 0.18215 * mean)
    drawn = torch.randn_like(latents)
    spread = codec.vae.encode(2 * pictures.movedim(-1, 1) - 1).latent_dist.std
    assert spread.amin() > 0
    assert torch.allclose(codec.encode(pictures, drawn), 0.18215 * (mean + spread * drawn))
    assert codec.decode(latents).shape == pictures.shape


def test_a_weight_that_is_missing_is_told(stable_diffusion, tmp_path):
    from safetensors.torch import load_file, save_file

    folder = tmp_path / "copy"
    shutil.copytree(stable_diffusion, folder)
    weights = folder / "unet" / "diffusion_pytorch_model.safetensors"
    state = load_file(weights)
    del state["conv_in.weight"]
    save_file(state, weights)
    with pytest.raises(ValueError, match=r"conv_in\.weight"):
        load_denoiser(folder)


def test_a_denoiser_that_predicts_something_else_is_refused(stable_diffusion, tmp_path):
    folder = tmp_path / "copy"
    shutil.copytree(stable_diffusion, folder)
    path = folder / "scheduler" / "scheduler_config.json"
    told = json.loads(path.read_text())
    path.write_text(json.dumps({**told, "prediction_type": "sample"}))
    with pytest.raises(ValueError, match="No form 'sample'"):
        load_denoiser(folder)
    path.write_text(json.dumps({**told, "prediction_type": "v_prediction"}))
    assert load_denoiser(folder).noise.told == "v_prediction"
    path.unlink()
    with pytest.raises(ValueError, match="scheduler_config.json"):
        load_denoiser(folder)


@pytest.mark.parametrize("name", ["nothing", "", "a/b/c"])
def test_what_is_no_denoiser_is_told_with_what_is(name):
    with pytest.raises(ValueError, match="denoiser|stable-diffusion-v1-4"):
        load_denoiser(name)


def test_a_folder_of_something_else_is_refused(tmp_path):
    with pytest.raises(ValueError, match="neither denoiser.safetensors nor model_index.json"):
        load_denoiser(tmp_path)


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"channels": (10,)}, "multiples of groups 16"),
        ({"attention": (3,)}, "attention names level 3"),
        ({"heads": 0}, "'heads' is 0"),
        ({"heads": 5}, "multiples of heads 5"),
        ({"channels": ()}, "multiples of groups"),
    ],
)
def test_sizes_that_do_not_fit_are_told(changes, told):
    with pytest.raises(ValueError, match=told):
        replace(SmallDenoiserOptions(), **changes)


def test_a_size_of_pictures_that_blocks_do_not_part_is_told():
    with pytest.raises(ValueError, match="expected multiples of 2"):
        build_small(replace(SmallDenoiserOptions(), height=31))


def test_one_that_comes_along_goes_by_its_name(denoiser, tmp_path, monkeypatch):
    monkeypatch.setitem(denoiser_files.SHIPPED, "scenes", tmp_path / "scenes")
    with pytest.raises(ValueError, match="not there yet; in a checkout `make audio-to-image-weig"):
        load_denoiser("scenes")
    save_denoiser(denoiser, tmp_path / "scenes")
    assert load_denoiser("scenes").name == "scenes"


def test_that_diffusers_is_missing_is_all_that_is_told(monkeypatch):
    def missing():
        raise ValueError("diffusers is not installed")

    monkeypatch.setattr(denoiser_files, "import_diffusers", missing)
    with pytest.raises(ValueError, match="^diffusers is not installed$"):
        denoiser_files.load_denoiser("scenes")
