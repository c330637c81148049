"""A straight line from a picture to noise, as Stable Diffusion 3 and FLUX are trained."""

from dataclasses import dataclass
from math import inf
from typing import Any

import torch
from torch import Tensor

from modalities.diffusion.diffusers_package import import_diffusers
from modalities.diffusion.measure.paths import along


@dataclass(frozen=True)
class FlowSchedule:
    """Rectified flow: a picture at time 0, noise at the last, and a velocity that is the same.

    Attributes:
        times: How many times there are; they are no whole numbers.
        shift: How much more of a sampling's steps lie near noise; 1 spaces them evenly.
        by_size: Whether the shift goes by the number of a picture's tokens instead.
        base_shift: Logarithm of the shift for `base_tokens`.
        max_shift: Logarithm of the shift for `max_tokens`.
        base_tokens: Tokens of a small picture.
        max_tokens: Tokens of a large picture.
        ends: Whether the last and the first of all times are among a sampling's, as in Stable
            Diffusion 3's pipeline; else its steps are equally long before the shift, as in FLUX's.

    Raises:
        ValueError: A number that cannot be.

    Source:
        Stable Diffusion 3, arXiv 2403.03206; diffusers' FlowMatchEulerDiscreteScheduler.
    """

    times: int = 1000
    shift: float = 1.0
    by_size: bool = False
    base_shift: float = 0.5
    max_shift: float = 1.15
    base_tokens: int = 256
    max_tokens: int = 4096
    ends: bool = False

    def __post_init__(self):
        if self.times < 1:
            raise ValueError(f"times is {self.times}; expected 1 or more.")
        if not 0 < self.shift < inf:
            raise ValueError(f"shift is {self.shift}; expected above 0 and finite, 1 for none.")
        if not 0 < self.base_tokens < self.max_tokens:
            raise ValueError(
                f"base_tokens is {self.base_tokens} and max_tokens {self.max_tokens}; expected "
                "0 < base_tokens < max_tokens."
            )

    def times_at(self, levels: Tensor) -> Tensor:
        """Return the times at shares of the way to noise, float32, see `NoiseSchedule`."""
        return levels.float() * self.times

    def levels_of(self, times: Tensor) -> Tensor:
        """Return shares of the way to noise, see `NoiseSchedule`."""
        return times / self.times

    def add(self, latents: Tensor, noise: Tensor, times: Tensor) -> Tensor:
        """Return noisy latents, see `NoiseSchedule`."""
        share = along(self.levels_of(times), latents)
        return share * noise + (1 - share) * latents

    def target(self, latents: Tensor, noise: Tensor, times: Tensor) -> Tensor:
        """Return the velocity towards the noise, see `NoiseSchedule`."""
        return noise - latents

    def begin(self, steps: int, device: torch.device, bounded: bool, tokens: int) -> Any:
        """Return a new Euler solver, see `NoiseSchedule`; nothing is held in bounds."""
        solver = import_diffusers().FlowMatchEulerDiscreteScheduler(
            num_train_timesteps=self.times, shift=self.shift, use_dynamic_shifting=self.by_size
        )
        told: dict[str, Any] = {}
        if not self.ends:
            told["sigmas"] = torch.linspace(1, 1 / steps, steps, dtype=torch.float64).tolist()
        if self.by_size:
            slope = (self.max_shift - self.base_shift) / (self.max_tokens - self.base_tokens)
            told["mu"] = self.base_shift + slope * (tokens - self.base_tokens)
        solver.set_timesteps(steps, device=device, **told)
        return solver


# What diffusers calls the settings of its scheduler, and we call ours.
SETTINGS = {
    "num_train_timesteps": "times",
    "shift": "shift",
    "use_dynamic_shifting": "by_size",
    "base_shift": "base_shift",
    "max_shift": "max_shift",
    "base_image_seq_len": "base_tokens",
    "max_image_seq_len": "max_tokens",
}
OTHERS = (
    "invert_sigmas",
    "shift_terminal",
    "use_karras_sigmas",
    "use_exponential_sigmas",
    "use_beta_sigmas",
    "stochastic_sampling",
)


def flow_of(config: dict[str, Any], ends: bool) -> FlowSchedule:
    """Return the schedule that a scheduler's config of diffusers tells of.

    Args:
        config: What its scheduler_config.json holds.
        ends: Whether the first and last of all times are among those of a sampling.

    Raises:
        ValueError: It tells of another scheduler, or of one with settings that are not known here.
    """
    kind = config.get("_class_name")
    if kind != "FlowMatchEulerDiscreteScheduler":
        raise ValueError(f"it tells of a {kind}; expected a FlowMatchEulerDiscreteScheduler")
    odd = [name for name in OTHERS if config.get(name)]
    if odd or config.get("time_shift_type", "exponential") != "exponential":
        raise ValueError(f"it sets {(odd or ['time_shift_type'])[0]}, which is not known here")
    told: dict[str, Any] = {
        ours: config[theirs] for theirs, ours in SETTINGS.items() if theirs in config
    }
    return FlowSchedule(**told, ends=ends)
