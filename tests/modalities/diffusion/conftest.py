"""Denoisers of a few thousand weights, and Stable Diffusion's layout in small."""

from pathlib import Path
from typing import Any

import pytest
import torch

from modalities.diffusion.audio_adapter import AudioAdapter, AudioAdapterOptions
from modalities.diffusion.small import SmallDenoiser, SmallDenoiserOptions, build_small

TINY = SmallDenoiserOptions(
    height=8,
    width=16,
    channels=(8, 16),
    attention=(1,),
    heads=2,
    groups=4,
    token_dim=12,
    tokens=3,
)
ADAPTER = AudioAdapterOptions(sources=3, dim=6, hidden=10, dropout=0.0)


@pytest.fixture
def denoiser() -> SmallDenoiser:
    pytest.importorskip("diffusers")
    found = build_small(TINY, seed=1)
    found.freeze()
    return found


@pytest.fixture
def adapter(denoiser: SmallDenoiser) -> AudioAdapter:
    torch.manual_seed(0)
    return AudioAdapter(denoiser, ADAPTER).eval()


@pytest.fixture(scope="session")
def stable_diffusion(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Write a tiny Stable Diffusion 1.x, random, as diffusers saves it."""
    library: Any = pytest.importorskip("diffusers")
    from transformers import CLIPTextConfig, CLIPTextModel

    from modalities.vision_language.clipseg_files import SCENES, load_tokenizer

    folder = tmp_path_factory.mktemp("stable_diffusion")
    torch.manual_seed(0)
    tokenizer = load_tokenizer(SCENES)
    unet = library.UNet2DConditionModel(
        sample_size=8,
        block_out_channels=(8, 16),
        down_block_types=("CrossAttnDownBlock2D", "DownBlock2D"),
        up_block_types=("UpBlock2D", "CrossAttnUpBlock2D"),
        layers_per_block=1,
        norm_num_groups=4,
        attention_head_dim=2,
        cross_attention_dim=16,
    )
    vae = library.AutoencoderKL(
        block_out_channels=(8, 8),
        norm_num_groups=4,
        latent_channels=4,
        scaling_factor=0.18215,
        down_block_types=("DownEncoderBlock2D",) * 2,
        up_block_types=("UpDecoderBlock2D",) * 2,
    )
    text = CLIPTextModel(
        CLIPTextConfig(
            vocab_size=len(tokenizer),
            hidden_size=16,
            intermediate_size=16,
            num_hidden_layers=1,
            num_attention_heads=2,
            max_position_embeddings=9,
            bos_token_id=tokenizer.bos_token_id,
            eos_token_id=tokenizer.eos_token_id,
        )
    )
    noise = library.PNDMScheduler(
        beta_schedule="scaled_linear", beta_start=0.00085, beta_end=0.012, skip_prk_steps=True
    )
    tokenizer.model_max_length = 9
    library.StableDiffusionPipeline(
        vae, text, tokenizer, unet, noise, None, None, None, requires_safety_checker=False
    ).save_pretrained(folder)
    return folder
