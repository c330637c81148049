import warnings

import pytest
import torch
from torch import Tensor, nn

from modalities.diffusion.codecs import PixelCodec
from modalities.diffusion.decoupled import Prompt
from modalities.diffusion.denoiser import Denoiser
from modalities.diffusion.noise import KINDS, TOLD, NoiseSchedule
from modalities.diffusion.sampling import draw_noise, sample

pytest.importorskip("diffusers")


class Known(nn.Module):
    """Tells the noise in samples of a normal distribution exactly."""

    def __init__(self, mean: float, deviation: float, noise: NoiseSchedule):
        super().__init__()
        self.mean, self.variance, self.noise = mean, deviation**2, noise

    def forward(self, noisy: Tensor, time: Tensor, *_, **__) -> tuple[Tensor]:
        kept = self.noise.kept[time]
        spread = kept * self.variance + 1 - kept
        told = (1 - kept).sqrt() * (noisy - kept.sqrt() * self.mean) / spread
        if self.noise.told == "epsilon":
            return (told,)
        picture = (noisy - (1 - kept).sqrt() * told) / kept.sqrt()
        return (kept.sqrt() * told - (1 - kept).sqrt() * picture,)


class Unbounded(PixelCodec):
    bounded = False

    def decode(self, latents: Tensor) -> Tensor:
        return latents


@pytest.mark.parametrize("told", TOLD)
@pytest.mark.parametrize("kind", KINDS)
def test_a_denoiser_that_knows_a_distribution_draws_from_it(kind, told):
    noise = NoiseSchedule(kind, told=told)
    if kind == "scaled_linear":
        noise = NoiseSchedule(kind, first=0.00085, last=0.012, told=told)
    denoiser = Denoiser(
        Known(0.4, 0.3, noise), Unbounded(1, 1), torch.zeros(1, 4), noise, (8, 8), "known"
    )
    few, many = (sample(denoiser, range(64), steps=steps) for steps in (10, 50))
    assert many.mean() == pytest.approx(0.4, abs=0.02)
    assert many.std() == pytest.approx(0.3, abs=0.03)
    # The last step goes to no noise at once, which takes some of the spread.
    assert few.std() < many.std()


def test_a_seed_gives_the_same_picture_beside_any_others(denoiser, adapter):
    audio = adapter.tokens(torch.randn(3, 3, 6))
    both = sample(denoiser, [5, 6, 7], audio, adapter.null(3), steps=3)
    alone = sample(denoiser, [6], audio[1:2], adapter.null(1), steps=3)
    assert both.shape == (3, 8, 16, 3)
    assert torch.allclose(both[1:2], alone, atol=1e-5)
    assert not torch.allclose(both[0], both[1], atol=1e-2)
    again = sample(denoiser, [5, 6, 7], audio, adapter.null(3), steps=3)
    assert torch.equal(both, again)


@pytest.mark.filterwarnings("error")
def test_nothing_is_warned_of_and_warnings_of_others_stay(denoiser):
    before = list(warnings.filters)
    sample(denoiser, [1], steps=2)
    assert warnings.filters == before


def test_guidance_of_one_is_the_path_without_it(denoiser, adapter, monkeypatch):
    audio, null = adapter.tokens(torch.randn(2, 3, 6)), adapter.null(2)
    rows = []
    denoiser.register_forward_pre_hook(lambda _, args: rows.append(len(args[0])))
    plain = sample(denoiser, [1, 2], audio, steps=3)
    assert rows == [2, 2, 2]
    assert torch.equal(sample(denoiser, [1, 2], audio, null, steps=3, guidance=1.0), plain)
    assert rows == [2] * 6
    guided = sample(denoiser, [1, 2], audio, null, steps=3, guidance=4.0)
    assert rows[6:] == [4, 4, 4]
    assert not torch.allclose(guided, plain)


def test_guidance_of_zero_paints_what_is_painted_without_sounds(denoiser, adapter):
    audio, null = adapter.tokens(torch.randn(2, 3, 6)), adapter.null(2)
    without = sample(denoiser, [1, 2], null, steps=3)
    found = sample(denoiser, [1, 2], audio, null, steps=3, guidance=0.0)
    assert torch.allclose(found, without, atol=1e-5)


def test_guided_noise_is_the_formula(denoiser, adapter):
    audio, null = adapter.tokens(torch.randn(2, 3, 6)), adapter.null(2)
    noisy = draw_noise([1, 2], denoiser.codec.shape(8, 16))
    solver = denoiser.noise.solver(True)
    solver.set_timesteps(1)
    time = solver.timesteps[0]
    with torch.no_grad():
        low, high = (
            denoiser(noisy, time, Prompt(denoiser.empty.expand(2, -1, -1), told))
            for told in (null, audio)
        )
        step = solver.step(low + 2.5 * (high - low), time, noisy, return_dict=False)[0]
    found = sample(denoiser, [1, 2], audio, null, steps=1, guidance=2.5)
    assert torch.allclose(found, denoiser.codec.decode(step), atol=1e-3)


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"steps": 0}, "steps is 0"),
        ({"guidance": -1.0}, "guidance is -1.0"),
        ({"guidance": float("nan")}, "guidance is nan"),
        ({"size": (7, 16)}, "multiples of 2"),
        ({"size": (0, 16)}, "multiples of 2"),
    ],
)
def test_what_cannot_be_painted_is_told(denoiser, changes, told):
    with pytest.raises(ValueError, match=told):
        sample(denoiser, [1], **changes)


def test_pictures_of_another_size_can_be_painted(denoiser):
    assert sample(denoiser, [1], steps=1, size=(12, 10)).shape == (1, 12, 10, 3)


def test_progress_counts_to_all_steps(denoiser):
    told = []
    sample(denoiser, [1], steps=3, progress=lambda done, steps: told.append((done, steps)))
    assert told == [(1, 3), (2, 3), (3, 3)]
