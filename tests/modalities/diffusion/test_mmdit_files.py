import json
import shutil

import pytest
import torch
from torch.nn.functional import pixel_unshuffle

from modalities.diffusion.denoiser_files import load_denoiser
from modalities.diffusion.sampling import draw_noise, sample

diffusers = pytest.importorskip("diffusers")


@pytest.mark.parametrize("kind", ["sd3", "flux"])
def test_an_mmdit_paints_what_diffusers_own_pipeline_paints(mmdit_folders, kind):
    denoiser = load_denoiser(mmdit_folders[kind])
    assert denoiser.multiple == 4 and not any(p.requires_grad for p in denoiser.parameters())
    noise = draw_noise([4, 5], (4, 8, 12))
    if kind == "flux":
        pipeline = diffusers.FluxPipeline.from_pretrained(mmdit_folders[kind])
        noise = pixel_unshuffle(noise, 2).flatten(2).mT
    else:
        pipeline = diffusers.StableDiffusion3Pipeline.from_pretrained(mmdit_folders[kind])
    pipeline.set_progress_bar_config(disable=True)
    told = {"guidance_scale": 1.0, "num_inference_steps": 3, "output_type": "np"}
    expected = pipeline(["", ""], height=16, width=24, latents=noise, **told).images
    found = sample(denoiser, [4, 5], steps=3, size=(16, 24))
    assert torch.allclose(found, torch.from_numpy(expected), atol=1e-4)
    assert found.std() > 0.01


def test_latents_are_shifted_before_they_are_scaled(mmdit_folders):
    codec = load_denoiser(mmdit_folders["sd3"]).codec
    pictures = torch.rand(1, 8, 8, 3)
    mean = codec.vae.encode(2 * pictures.movedim(-1, 1) - 1).latent_dist.mean
    assert torch.allclose(codec.encode(pictures), 1.5 * (mean - 0.06))
    decoded = codec.vae.decode(mean).sample.movedim(1, -1)
    assert torch.allclose(codec.decode(codec.encode(pictures)), (decoded / 2 + 0.5).clamp(0, 1))


def test_sizes_are_those_that_its_tokens_and_places_can_be(mmdit_folders):
    denoiser = load_denoiser(mmdit_folders["sd3"])
    assert denoiser.side == (16, 16)
    denoiser.check_size(24, 24)
    with pytest.raises(ValueError, match="which knows 16 on a side; expected 256 or fewer"):
        denoiser.check_size(260, 4)
    with pytest.raises(ValueError, match="24 or fewer on a side"):
        denoiser.check_size(28, 4)
    with pytest.raises(ValueError, match="multiples of 4"):
        denoiser.check_size(18, 16)


@pytest.mark.parametrize(
    ("file", "change", "message"),
    [
        ("scheduler/scheduler_config.json", {"_class_name": "DDPMScheduler"}, "a DDPMScheduler"),
        ("scheduler/scheduler_config.json", {"invert_sigmas": True}, "sets invert_sigmas"),
        ("transformer/config.json", {"_class_name": "UNet2DModel"}, "holds a UNet2DModel"),
        ("transformer/config.json", {"pooled_projection_dim": 5}, "diffusers can read|lacks"),
        ("text_encoder/model.safetensors", None, "text encoders in .* cannot be read"),
    ],
)
def test_a_damaged_folder_is_told(mmdit_folders, tmp_path, file, change, message):
    folder = tmp_path / "copy"
    shutil.copytree(mmdit_folders["flux"], folder)
    path = folder / file
    if change is None:
        path.write_bytes(b"no weights")
    else:
        path.write_text(json.dumps({**json.loads(path.read_text()), **change}))
    with pytest.raises(ValueError, match=message):
        load_denoiser(folder)
