"""How much noise there is at each time, for training and for sampling alike."""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import torch
from torch import Tensor

from modalities.diffusion.diffusers_package import import_diffusers

COSINE = "squaredcos_cap_v2"
KINDS = ("linear", "scaled_linear", COSINE)
NOISE, VELOCITY = "epsilon", "v_prediction"
TOLD = (NOISE, VELOCITY)
# With the cosine's last times, which are noise alone, DPM-Solver's first step has no good ground.
LEAST_COSINE = -5.1


@dataclass(frozen=True)
class NoiseSchedule:
    """From a picture at time 0 to noise at the last time.

    Attributes:
        kind: A name of `KINDS`, as diffusers has them.
        times: How many times there are.
        first: The variance that is added at the first time; the cosine takes its own.
        last: The variance that is added at the last one.
        told: What a denoiser tells: "epsilon", the noise, as Stable Diffusion 1.x does, or
            "v_prediction", noise and picture mixed so that the error counts as one of the picture
            where there is little but noise. What a whole picture shows, as its colour or which of
            some things it is, is settled there, where the noise alone is told well by anyone: a
            small denoiser that tells noise learns next to nothing of it, and a sound changes
            nothing of what it paints.
    """

    kind: str = COSINE
    times: int = 1000
    first: float = 1e-4
    last: float = 0.02
    told: str = NOISE

    def __post_init__(self):
        if self.kind not in KINDS:
            raise ValueError(f"No kind of noise {self.kind!r}; known: {', '.join(KINDS)}.")
        if self.told not in TOLD:
            raise ValueError(f"No form {self.told!r} of what is told; known: {', '.join(TOLD)}.")
        if self.times < 1:
            raise ValueError(f"times is {self.times}; expected 1 or more.")
        if not 0 < self.first <= self.last < 1:
            raise ValueError(
                f"first is {self.first} and last {self.last}; expected 0 < first <= last < 1."
            )

    @property
    def settings(self) -> dict[str, Any]:
        """The settings as schedulers of diffusers take them."""
        return {
            "num_train_timesteps": self.times,
            "beta_start": self.first,
            "beta_end": self.last,
            "beta_schedule": self.kind,
            "prediction_type": self.told,
        }

    @cached_property
    def _training(self) -> Any:
        return import_diffusers().DDPMScheduler(**self.settings, clip_sample=False)

    @property
    def kept(self) -> Tensor:
        """Share of a picture's variance that is left at each time, [times], falling from 1."""
        return self._training.alphas_cumprod

    def times_at(self, levels: Tensor) -> Tensor:
        """Return the times at shares of the way to noise, int64, shaped as they are.

        Args:
            levels: 0 to 1, any shape; 1 is the last time, as a power may be rounded to it.
        """
        return (levels * self.times).long().clamp(max=self.times - 1)

    def levels_of(self, times: Tensor) -> Tensor:
        """Return shares of the way to noise, 0 to 1, at times, shaped as they are."""
        return (times + 0.5) / self.times

    def add(self, latents: Tensor, noise: Tensor, times: Tensor) -> Tensor:
        """Return noisy latents, shaped as they are.

        Args:
            latents: [rows, channels, height, width].
            noise: Drawn from N(0, 1), the same shape.
            times: Each row's, 0 to below `times`, [rows].
        """
        return self._training.add_noise(latents, noise, times)

    def target(self, latents: Tensor, noise: Tensor, times: Tensor) -> Tensor:
        """Return what is to be told of the latents that `add` made noisy, shaped as they are."""
        if self.told == NOISE:
            return noise
        return self._training.get_velocity(latents, noise, times)

    def solver(self, bounded: bool) -> Any:
        """Return a new DPM-Solver++ of second order; each sampling needs one of its own.

        Args:
            bounded: Whether what is denoised lies in -1..1, where it is then held.
        """
        least = {"lambda_min_clipped": LEAST_COSINE} if self.kind == COSINE else {}
        return import_diffusers().DPMSolverMultistepScheduler(
            **self.settings, **least, thresholding=bounded
        )

    def begin(self, steps: int, device: torch.device, bounded: bool, tokens: int) -> Any:
        """Return a new solver for one sampling, whose times are set.

        Args:
            steps: How often the denoiser is to look.
            device: Where the times lie.
            bounded: Whether what is denoised lies in -1..1, where it is then held.
            tokens: How many the denoiser makes of a picture; not read here.
        """
        solver = self.solver(bounded)
        solver.set_timesteps(steps, device=device)
        return solver
