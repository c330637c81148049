#!/usr/bin/env bash
# Versions: diffusers 0.42.1, transformers 5.23.0, torch 2.13.0 (CPU), numpy 2.4.6, Pillow 13.0.0, Python 3.11, Linux x86-64; seen
#   in November 2026.
#
# Seen: StableDiffusionAdapterPipeline and StableDiffusionXLAdapterPipeline take a list of prompts and a list of pictures, the first
#   for the first. With num_images_per_prompt=2 the prompts come as A A B B and what the T2I-Adapter makes of the pictures as
#   a b a b: the second result is A's text on b's picture and the third B's text on a's. Half of the results are of no pair that was
#   asked for; with 4 pairs of 4 results each it is three in four. Nothing is said.
#
# Expected: A with a twice, then B with b twice, as StableDiffusionControlNetPipeline gives from the same call, and as the same call
#   without num_images_per_prompt does.
#
# Who is hurt: whoever paints several variants of each pair in a batch, to choose the best by a score, to measure how far results
#   follow their edges or sketches, or to make data with known masks: half of the masks belong to another result. One pair a call,
#   as in the examples, is right, so that nobody sees it in a first test.
#
# The networks here are small and have random weights. It downloads PyTorch (some hundred megabytes; more where pip takes the files
# for graphics cards).
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
cannot() { echo "Could not be tried: $1." >&2; exit 2; }
"${PYTHON:-python3}" -m venv venv || cannot "no virtual environment"
venv/bin/python -m pip install --quiet --disable-pip-version-check \
    diffusers==0.42.1 transformers==5.23.0 torch==2.13.0 numpy==2.4.6 pillow==13.0.0 ||
    cannot "the packages are not to be had"

TRANSFORMERS_VERBOSITY=error venv/bin/python -W ignore - <<'PYTHON'
import sys

import torch
from diffusers import (
    AutoencoderKL,
    ControlNetModel,
    DDIMScheduler,
    StableDiffusionAdapterPipeline,
    StableDiffusionControlNetPipeline,
    StableDiffusionXLAdapterPipeline,
    T2IAdapter,
    UNet2DConditionModel,
)
from PIL import Image

TEXT, SIDE, EACH, FOUR = 16, 64, 2, 4
torch.manual_seed(0)
ENCODER = dict(
    block_out_channels=(32, 64),
    down_block_types=("CrossAttnDownBlock2D", "DownBlock2D"),
    norm_num_groups=8,
    cross_attention_dim=TEXT,
    attention_head_dim=2,
)
UNET = dict(ENCODER, up_block_types=("UpBlock2D", "CrossAttnUpBlock2D"), sample_size=SIDE // 2)
SIZES = dict(addition_embed_type="text_time", addition_time_embed_dim=8, projection_class_embeddings_input_dim=48 + TEXT)
vae = AutoencoderKL(
    block_out_channels=(8, 8),
    norm_num_groups=4,
    down_block_types=("DownEncoderBlock2D",) * 2,
    up_block_types=("UpDecoderBlock2D",) * 2,
)
adapter = T2IAdapter(channels=[32, 64], downscale_factor=2)
control = ControlNetModel(**ENCODER, conditioning_embedding_out_channels=(8, 16))
for weight in control.parameters():
    if not weight.any():  # the layers that start at zero, as if they had been trained
        torch.nn.init.normal_(weight, std=0.1)
PARTS = dict(vae=vae, text_encoder=None, tokenizer=None, scheduler=DDIMScheduler())
PLAIN = dict(PARTS, unet=UNet2DConditionModel(**UNET), safety_checker=None, feature_extractor=None, requires_safety_checker=False)
LARGE = dict(PARTS, unet=UNet2DConditionModel(**UNET, **SIZES), text_encoder_2=None, tokenizer_2=None)
pipelines = (
    StableDiffusionControlNetPipeline(controlnet=control, **PLAIN),
    StableDiffusionAdapterPipeline(adapter=adapter, **PLAIN),
    StableDiffusionXLAdapterPipeline(adapter=adapter, **LARGE),
)
prompts, pooled = torch.randn(FOUR, 7, TEXT), torch.randn(FOUR, TEXT)
pictures = [Image.new("RGB", (SIDE, SIDE), colour) for colour in ("black", "white", "red", "green")]
noise = torch.randn(1, 4, SIDE // 2, SIDE // 2)


def paint(pipeline, texts: list[int], shown: list[int], each: int) -> torch.Tensor:
    """Paint from the same noise each time, so that results differ by prompt and picture alone."""
    more = {"pooled_prompt_embeds": pooled[texts]} if "XL" in type(pipeline).__name__ else {}
    return pipeline(
        prompt_embeds=prompts[texts],
        image=[pictures[number] for number in shown],
        num_images_per_prompt=each,
        latents=noise.repeat(len(texts) * each, 1, 1, 1),
        guidance_scale=1.0,
        num_inference_steps=2,
        height=SIDE,
        width=SIDE,
        output_type="latent",
        **more,
    ).images


def pairs_in(pipeline, count: int, each: int) -> list[str]:
    """Which prompt and picture, painted alone, each result of a batch is the same as."""
    alone = {}
    for text in range(count):
        for shown in range(count):
            alone["ABCD"[text] + "abcd"[shown]] = paint(pipeline, [text], [shown], 1)[0]
    found = []
    for result in paint(pipeline, list(range(count)), list(range(count)), each):
        distances = {pair: float((result - single).abs().max()) for pair, single in alone.items()}
        nearest, second = sorted(distances, key=distances.get)[:2]
        found.append(nearest if distances[nearest] < 1e-3 < 0.01 < distances[second] else "?")
    return found


holds = True
for pipeline in pipelines:
    pipeline.set_progress_bar_config(disable=True)
    name = type(pipeline).__name__
    one, two, four = pairs_in(pipeline, 2, 1), pairs_in(pipeline, 2, EACH), pairs_in(pipeline, FOUR, 4)
    wrong = sum(pair[0].lower() != pair[1] for pair in four)
    print(f"{name}: {' '.join(one)} with one result a prompt, {' '.join(two)} with two; of 4 pairs four times {wrong} of 16 wrong")
    right = "ControlNet" in name
    holds &= one == ["Aa", "Bb"] and "?" not in four
    holds &= two == (["Aa", "Aa", "Bb", "Bb"] if right else ["Aa", "Ab", "Ba", "Bb"]) and wrong == (0 if right else 12)
print("The finding holds." if holds else "The finding no longer holds.")
sys.exit(0 if holds else 1)
PYTHON
