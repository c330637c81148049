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
WIDTH, VOCABULARY = 8, 40  # of small text encoders
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


@pytest.fixture(scope="session")
def mmdit_folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Write a tiny Stable Diffusion 3 and a tiny FLUX, random, as diffusers saves them."""
    schedulers = {"sd3": {"shift": 3.0}, "flux": {"use_dynamic_shifting": True}}
    found = {kind: tmp_path_factory.mktemp(kind) for kind in schedulers}
    for kind, folder in found.items():
        _write_pipeline(kind, folder, **schedulers[kind])
    return found


def _write_pipeline(kind: str, folder: Path, **scheduler: Any) -> None:
    """Write a tiny pipeline of diffusers; kind is "sd3" or "flux"."""
    diffusers: Any = pytest.importorskip("diffusers")
    torch.manual_seed(0)
    vae = diffusers.AutoencoderKL(
        block_out_channels=(8, 8),
        norm_num_groups=4,
        latent_channels=4,
        scaling_factor=1.5,
        shift_factor=0.06,
        use_quant_conv=False,
        use_post_quant_conv=False,
        down_block_types=("DownEncoderBlock2D",) * 2,
        up_block_types=("UpDecoderBlock2D",) * 2,
    )
    noise = diffusers.FlowMatchEulerDiscreteScheduler(**scheduler)
    sizes: dict[str, Any] = dict(
        num_layers=1, attention_head_dim=8, num_attention_heads=2, joint_attention_dim=WIDTH
    )
    if kind == "flux":
        network = diffusers.FluxTransformer2DModel(
            **sizes,
            in_channels=16,
            num_single_layers=1,
            pooled_projection_dim=WIDTH,
            axes_dims_rope=(4, 2, 2),
        )
        parts = (_clip(False), _clip_tokens(), _t5(), _t5_tokens())
        diffusers.FluxPipeline(noise, vae, *parts, network).save_pretrained(folder)
        return
    network = diffusers.SD3Transformer2DModel(
        **sizes,
        sample_size=8,
        patch_size=2,
        in_channels=4,
        out_channels=4,
        caption_projection_dim=16,
        pooled_projection_dim=2 * WIDTH,
        pos_embed_max_size=6,
    )
    parts = (_clip(True, 4), _clip_tokens(), _clip(True, 4), _clip_tokens(), _t5(), _t5_tokens())
    diffusers.StableDiffusion3Pipeline(network, noise, vae, *parts).save_pretrained(folder)


def _clip(projects: bool, width: int = WIDTH) -> Any:
    from transformers import CLIPTextConfig, CLIPTextModel, CLIPTextModelWithProjection

    tokenizer = _clip_tokens()
    config = CLIPTextConfig(
        vocab_size=len(tokenizer),
        hidden_size=width,
        intermediate_size=8,
        num_hidden_layers=2,
        num_attention_heads=2,
        projection_dim=WIDTH,
        max_position_embeddings=9,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
    )
    return (CLIPTextModelWithProjection if projects else CLIPTextModel)(config)


def _clip_tokens() -> Any:
    from modalities.vision_language.clipseg_files import SCENES, load_tokenizer

    tokenizer = load_tokenizer(SCENES)
    tokenizer.model_max_length = 9
    return tokenizer


def _t5() -> Any:
    from transformers import T5Config, T5EncoderModel

    return T5EncoderModel(
        T5Config(vocab_size=VOCABULARY, d_model=WIDTH, d_kv=4, d_ff=8, num_layers=1, num_heads=2)
    )


def _t5_tokens() -> Any:
    from transformers import T5TokenizerFast

    words = [("<pad>", 0.0), ("</s>", 0.0), ("<unk>", 0.0), ("▁a", -1.0), ("▁", -2.0)]
    return T5TokenizerFast(vocab=words, extra_ids=0)
