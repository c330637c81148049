"""Conditions for frozen denoisers: what is kept over steps, and attention linear in conditions."""

import math
from argparse import Namespace
from functools import partial
from statistics import median
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from bench.compare import Row, compare, seconds
from fusion.conditions.catalog import build_preset
from fusion.conditions.condition import Condition
from fusion.conditions.injection import inject
from fusion.conditions.rotary import grid
from fusion.conditions.token_branch import BranchOptions, TokenBranch
from modalities.aligned_attention import Aligned, attend_aligned
from modalities.diffusion.small import SmallDenoiserOptions, build_small
from modalities.diffusion.small_transformers import SmallTransformerOptions, build_small_transformer

CONDITIONS, SIDE, TEXT, STEPS = 4, 24, 64, 20  # sides in tokens
FLUX = SmallTransformerOptions(
    channels=4, layers=2, single_layers=4, heads=4, head_dim=64, token_dim=128
)
COUNTS, PLACES, HEADS, HEAD_DIM = (1, 2, 4, 8, 16), 256, 4, 64
RUNS = 5


def rows(given: Namespace) -> list[Row]:
    """Measure on noise and random weights; what is told and painted does not matter here."""
    with torch.inference_mode():
        return [kept_tokens(RUNS), *aligned_attention(RUNS), *kept_features(RUNS)]


def kept_tokens(runs: int) -> Row:
    """Make a step of FLUX with conditions whose keys and values are kept, against all to all."""
    torch.manual_seed(0)
    flux, latents = build_small_transformer(FLUX), torch.randn(1, 4, 2 * SIDE, 2 * SIDE)
    names = [f"condition {number}" for number in range(CONDITIONS)]
    branches = {name: TokenBranch(flux, BranchOptions(rank=16, gates=False)) for name in names}
    picture = functional.pixel_unshuffle(latents, 2).flatten(2).mT
    ours = _told(flux, picture)
    theirs = _told(flux, torch.cat([picture] * (1 + CONDITIONS), 1))

    def dense() -> None:
        flux(**theirs)

    dense_s = [seconds(dense) for _ in range(1 + runs)][1:]
    injection = inject(flux, branches)
    with injection.tell(*(Condition(name, "latent", latents) for name in names)):
        flux(**ours)
        kept_s = [seconds(lambda: flux(**ours)) for _ in range(runs)]
    injection.remove()
    tokens = f"{TEXT} + {SIDE}² tokens"
    what = f"EasyControl, a step of {tokens} with {CONDITIONS} conditions of {SIDE}², kept"
    peer, mine, other = "all tokens to all, in one sequence", median(kept_s), median(dense_s)
    return Row(what, peer, mine, other, "s", mine / other, "<= 0.35")


def _told(flux: Any, picture: Tensor) -> dict[str, Any]:
    """Return what FLUX is called with; all pictures lie at the same positions."""
    at = functional.pad(grid(SIDE, SIDE), (1, 0)).repeat(picture.shape[1] // SIDE**2, 1)
    return {
        "hidden_states": picture,
        "encoder_hidden_states": torch.randn(1, TEXT, FLUX.token_dim),
        "pooled_projections": torch.randn(1, FLUX.pooled_dim),
        "timestep": torch.full((1,), 0.5),
        "img_ids": at,
        "txt_ids": torch.zeros(TEXT, 3),
    }


def aligned_attention(runs: int) -> list[Row]:
    """Attend to 1 to 16 conditions by position, against all tokens to all.

    Nothing is kept: each condition's attention to itself is counted, as in a first step. All to all
    grows by (1 + conditions)², a power of 1.54 over 1 to 16 of them and of 2 over many.
    """
    torch.manual_seed(0)
    ours, theirs = (
        [median(times) for times in zip(*measured, strict=True)]
        for measured in zip(*(_round() for _ in range(1 + runs)), strict=True)
    )
    exponents = _exponent(ours), _exponent(theirs)
    what = f"PKA's attention, {HEADS} x {HEAD_DIM}, {PLACES} places"
    dense = "all tokens to all"
    return [
        Row(
            f"{what}, exponent of time over {COUNTS[0]} to {COUNTS[-1]} conditions",
            dense,
            *exponents,
            "",
            exponents[0] / exponents[1],
            "ours < 1.2",
        ),
        Row(
            f"{what}, {COUNTS[-1]} conditions",
            dense,
            ours[-1],
            theirs[-1],
            "s",
            ours[-1] / theirs[-1],
            "<= 0.25",
        ),
    ]


def _round() -> tuple[list[float], list[float]]:
    """Time both forms for each number of conditions, in turn."""
    ours, theirs = [], []
    for count in COUNTS:
        streams = [_draw() for _ in range(1 + count)]
        everything: Any = [torch.cat(parts, 2) for parts in zip(*streams, strict=True)]
        ours.append(seconds(partial(_by_position, streams)))
        theirs.append(seconds(partial(functional.scaled_dot_product_attention, *everything)))
    return ours, theirs


def _draw() -> tuple[Tensor, Tensor, Tensor]:
    query, keys, values = torch.randn(3, 1, HEADS, PLACES, HEAD_DIM)
    return query, keys, values


def _by_position(streams: list[tuple[Tensor, Tensor, Tensor]]) -> None:
    (query, keys, values), *conditions = streams
    one = query.new_ones(1, 1, 1, 1)
    near = [Aligned(k[:, :, :, None], v[:, :, :, None], one) for _, k, v in conditions]
    attend_aligned(query, keys, values, near)
    for stream in conditions:
        functional.scaled_dot_product_attention(*stream)


def _exponent(times_s: list[float]) -> float:
    """Return the slope of the line through the logarithms, by least squares."""
    at, told = ([math.log(value) for value in line] for line in (COUNTS, times_s))
    middle, mean = sum(at) / len(at), sum(told) / len(told)
    pairs = [(a - middle, b - mean) for a, b in zip(at, told, strict=True)]
    return sum(a * b for a, b in pairs) / sum(a * a for a, _ in pairs)


def kept_features(runs: int) -> list[Row]:
    """Paint with Nexus' features, made once a picture, against painting without."""
    torch.manual_seed(0)
    denoiser = build_small(SmallDenoiserOptions())
    unet, multiple = denoiser.unet, denoiser.codec.multiple
    latents, text = torch.randn(1, unet.config.in_channels, 16, 16), denoiser.empty[None]
    edges = torch.randn(1, 3, 32, 32)

    def paint() -> None:
        for step in range(STEPS):
            unet(latents, 1000 - 50 * step, text)

    found = []
    for name in ("nexus_prime", "nexus_slim"):
        part = build_preset(unet, name, {"map": {"pixels": multiple}})["map"]
        injection = inject(unet, {"edges": part})
        told = [Condition("edges", "map", edges), Condition("edges", "tokens", text)]

        def paint_told(injection: Any = injection, told: Any = told) -> None:
            with injection.tell(*told):
                paint()

        what = f"{STEPS} steps of a small denoiser with {name}'s features, made once"
        found.append(compare(what, "without", paint_told, paint, "<= 1.15", runs))
        injection.remove()
    return found
