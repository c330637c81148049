"""Sounds to pictures: MixIT, separation of long sounds, embeddings of sources, tokens of sounds."""

import tempfile
from argparse import Namespace
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import torch
from torch import Tensor

from bench.compare import Row, compare, seconds
from bench.peak import run_for_peak
from data_prep.media.wav import WavFile
from modalities.audio_text.clap_audio_text import random_clap_audio_text
from modalities.audio_text.models import AudioText
from modalities.diffusion.audio_adapter import AudioAdapter, AudioAdapterOptions
from modalities.diffusion.codecs import PixelCodec
from modalities.diffusion.denoiser import Denoiser
from modalities.diffusion.diffusers_package import import_diffusers
from modalities.diffusion.noise import NoiseSchedule
from modalities.diffusion.small import SmallDenoiserOptions, build_small
from modalities.rates import RATE_HZ
from modalities.separation.network import SeparationNetwork, SeparatorOptions
from tasks.audio_to_image.separation.card import SeparatorCard
from tasks.audio_to_image.separation.losses import mixit_loss, si_sdr
from tasks.audio_to_image.separation.separator import Separator

CLIPS, LONG_S, MINUTES = 4, 60, 60
FULL, SMALL = "UNet of Stable Diffusion 1.x", "denoiser of 2.8 M"
TEXT_TOKENS = 77  # of the empty text of Stable Diffusion 1.x
MEMORY = """
import sys
from pathlib import Path
from bench.audio_to_image import build_separator
from tasks.audio_to_image.separation.outputs import separate_file
separate_file(build_separator(), sys.argv[1], Path(sys.argv[1]).with_suffix(""))
"""


def rows(given: Namespace) -> list[Row]:
    """Measure on noise and random weights; what is heard and painted does not matter here."""
    clap = random_clap_audio_text()
    sources = SeparatorOptions().sources
    energy, ranked = "ranked by energy", "ranked by CLAP"
    return [
        partitions(CLIPS, sources, SeparatorOptions().samples, 5),
        long_sound(build_separator(), LONG_S, energy, 2),
        long_sound(build_separator(audio_text=clap), LONG_S, ranked, 1),
        embeddings(clap, sources, 10 * clap.rate_hz, learning=False, runs=11),
        embeddings(clap, sources, 10 * clap.rate_hz, learning=True, runs=7),
        *other_embeddings(clap, sources, 10 * clap.rate_hz, runs=5),
        tokens(small_denoiser(), SMALL, steps=20, runs=7),
        tokens(published_denoiser(), FULL, steps=2, runs=3),
        memory(MINUTES),
    ]


def partitions(clips: int, sources: int, samples: int, runs: int) -> Row:
    """Learn from mixtures of two clips by the best way to deal sources out, all at once or not."""
    generator = torch.Generator().manual_seed(0)
    found = torch.randn(clips, sources, samples, generator=generator).requires_grad_()
    references = torch.randn(clips, 2, samples, generator=generator)

    def learn(loss: Callable[[Tensor, Tensor], Tensor]) -> None:
        found.grad = None
        loss(found, references).sum().backward()

    what = f"MixIT loss and gradient, {clips} x {sources} sources of {samples / RATE_HZ:.2g} s"
    theirs = partial(learn, loop_over_partitions)
    return compare(
        what, "a loop over partitions", partial(learn, mixit_loss), theirs, "<= 0.125", runs
    )


def loop_over_partitions(sources: Tensor, references: Tensor) -> Tensor:
    """Return the MixIT loss of two mixtures, [batch], by adding up waveforms in every way.

    Args:
        sources: [batch, sources, samples].
        references: [batch, 2, samples], none of them silent.
    """
    count, losses = sources.shape[1], []
    for code in range(2**count):
        first = torch.tensor([bool(code >> place & 1) for place in range(count)])
        dealt = torch.stack([sources[:, ~first].sum(1), sources[:, first].sum(1)], 1)
        agreement = (dealt * references).sum(-1)  # [batch, 2]
        ratio = si_sdr(agreement, dealt.square().sum(-1), references.square().sum(-1))
        losses.append(-ratio.sum(1))
    return torch.stack(losses).amin(0)


def build_separator(
    options: SeparatorOptions | None = None, audio_text: AudioText | None = None
) -> Separator:
    """Build a separator with random weights.

    Args:
        options: Its sizes; None for the published ones.
        audio_text: Ranks the sources; None ranks them by energy.
    """
    network = SeparationNetwork(options or SeparatorOptions())
    return Separator(network, SeparatorCard(), audio_text, "cpu")


def long_sound(separator: Separator, duration_s: float, name: str, runs: int) -> Row:
    """Take a sound apart, against how long it lasts."""
    sound = draw_sound(duration_s)

    def separate() -> None:
        separator.separate(sound, RATE_HZ)

    separate()
    took_s = median(seconds(separate) for _ in range(runs))
    parameters = sum(parameter.numel() for parameter in separator.network.parameters())
    what = f"{duration_s:g} s taken apart by {parameters / 1e6:.1f} M weights, {name}"
    return Row(what, "how long it lasts", took_s, duration_s, "s", took_s / duration_s, "< 1")


def draw_sound(duration_s: float, seed: int = 0) -> np.ndarray:
    """Draw noise, float32 [samples]."""
    samples = round(duration_s * RATE_HZ)
    return 0.1 * np.random.default_rng(seed).standard_normal(samples, np.float32)


def embeddings(audio_text: AudioText, sources: int, samples: int, learning: bool, runs: int) -> Row:
    """Embed all sources of a mixture in one pass, and in one for each."""
    generator = torch.Generator().manual_seed(0)
    waves = 0.1 * torch.randn(sources, samples, generator=generator)
    waves.requires_grad_(learning)

    def embed(parts: list[Tensor]) -> None:
        with torch.set_grad_enabled(learning):
            found = torch.cat([audio_text.embed_audio(part) for part in parts])
            if learning:
                waves.grad = None
                found.sum().backward()

    def all_at_once() -> None:
        embed([waves])

    def one_by_one() -> None:
        embed([wave[None] for wave in waves])

    what = f"{sources} sources of {samples / audio_text.rate_hz:g} s embedded by CLAP"
    what += ", with the gradient" if learning else ""
    peer = f"{sources} passes"
    return compare(what, peer, all_at_once, one_by_one, "<= 0.67", runs)


def other_embeddings(audio_text: AudioText, sources: int, samples: int, runs: int) -> list[Row]:
    """Embed all sources of a mixture in two other ways, and in one pass for each."""
    generator = torch.Generator().manual_seed(0)
    waves = 0.1 * torch.randn(sources, samples, generator=generator)
    half = (sources + 1) // 2
    embed = torch.inference_mode()(audio_text.embed_audio)

    def one_by_one() -> None:
        for wave in waves:
            embed(wave[None])

    def side_by_side() -> None:
        threads = torch.get_num_threads()
        torch.set_num_threads(1)
        with ThreadPoolExecutor(2) as pool:
            list(pool.map(embed, waves.split(half)))
        torch.set_num_threads(threads)

    def rounded() -> None:
        with torch.autocast("cpu", torch.bfloat16):
            embed(waves)

    ways = {
        "halves side by side, a thread each": side_by_side,
        "products in bfloat16": rounded,
    }
    what = f"{sources} sources of {samples / audio_text.rate_hz:g} s embedded by CLAP"
    peer = f"{sources} passes"
    return [
        compare(f"{what}, {told}", peer, way, one_by_one, "", runs) for told, way in ways.items()
    ]


def small_denoiser() -> Denoiser:
    """Build a denoiser of 32 x 32 pixels, with random weights."""
    return build_small(SmallDenoiserOptions()).freeze()


def published_denoiser(sizes: dict[str, Any] | None = None) -> Denoiser:
    """Build a denoiser of the published size without its VAE, with random weights.

    Args:
        sizes: What differs from it, as diffusers' UNet2DConditionModel takes it.
    """
    told = dict(cross_attention_dim=768, attention_head_dim=8) | (sizes or {})
    unet = import_diffusers().UNet2DConditionModel(**told)
    empty = torch.randn(TEXT_TOKENS, told["cross_attention_dim"])
    # Blocks of 2 x 2 grey pixels: as many channels as the VAE makes, and latents of 64 x 64.
    return Denoiser(unet, PixelCodec(2, 1), empty, NoiseSchedule(), (128, 128), FULL).freeze()


def tokens(denoiser: Denoiser, name: str, steps: int, runs: int) -> Row:
    """Look at noise so many times as a sampling does, with tokens of sounds and without."""
    options = AudioAdapterOptions()
    adapter = AudioAdapter(denoiser, options).eval()
    shape = denoiser.codec.shape(*denoiser.side)
    generator = torch.Generator().manual_seed(0)
    latents = torch.randn(1, *shape, generator=generator)
    heard = torch.randn(1, options.sources, options.dim, generator=generator)

    @torch.no_grad()
    def look(with_sounds: bool) -> None:
        if with_sounds:
            prompt = adapter.prompt(denoiser, heard)
        else:
            prompt = denoiser.prompt(len(latents))
        for time in range(steps):
            denoiser(latents, torch.tensor(time), prompt)

    what = f"{steps} steps of a {name}, with {options.sources} tokens of sounds"
    ours, theirs = partial(look, True), partial(look, False)
    return compare(what, "without sounds", ours, theirs, "<= 1.1", runs)


def memory(minutes: int) -> Row:
    """Take a long and a short file apart at full size, each in its own process."""
    with tempfile.TemporaryDirectory() as name:
        short, long = (_peak(Path(name), count) for count in (1, minutes))
    what = f"peak memory, {minutes} minutes of sound taken apart into files, full size"
    target = f"at most 200 MB more; here {long - short:.0f}"
    return Row(what, "1 minute of it", long, short, "MB", long / short, target)


def _peak(folder: Path, minutes: int) -> float:
    path = folder / f"{minutes}.wav"
    file = WavFile(path, RATE_HZ)
    for minute in range(minutes):
        file.write(draw_sound(60, minute))
    file.close()
    return run_for_peak(MEMORY, str(path))
