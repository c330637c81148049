"""What of a training's measure can be set in YAML: times, weights, couplings."""

from dataclasses import asdict, dataclass, field
from functools import cached_property
from typing import Any

from fusion.contract.options import build_options, check_choice
from modalities.diffusion.measure.catalog import COUPLINGS, TIMES, WEIGHTS
from modalities.diffusion.measure.contract import Coupling, PairWeight
from modalities.diffusion.measure.times import LevelSampler


@dataclass(frozen=True)
class MeasureOptions:
    """Which levels of noise are learnt how often, with which noise, and how much each counts.

    Weights that are divided by their mean, and couplings, see the part of a batch that is worked
    through at once, in each process.

    Attributes:
        time: How levels of noise are drawn, a name of `TIMES`.
        time_options: Fields of that sampler, as {mean: 0.5, deviation: 1.5}.
        weight: How much an example counts, a name of `WEIGHTS`.
        weight_options: Fields of that weight, as {gamma: 5}.
        coupling: Which noise goes with which example of a batch, a name of `COUPLINGS`.
        coupling_options: Fields of that coupling.
    """

    time: str = "uniform"
    time_options: dict[str, Any] = field(default_factory=dict)
    weight: str = "ones"
    weight_options: dict[str, Any] = field(default_factory=dict)
    coupling: str = "given"
    coupling_options: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self):
        check_choice("time", self.time, TIMES)
        check_choice("weight", self.weight, WEIGHTS)
        check_choice("coupling", self.coupling, COUPLINGS)
        # Filled up, so that two measures are alike just where their options are equal.
        for name, built in (
            ("time_options", self.sampler),
            ("weight_options", self.pair_weight),
            ("coupling_options", self.pairing),
        ):
            object.__setattr__(self, name, asdict(built))  # type: ignore[call-overload]

    @cached_property
    def sampler(self) -> LevelSampler:
        """What draws levels."""
        return build_options(self.time, TIMES[self.time], self.time_options)

    @cached_property
    def pair_weight(self) -> PairWeight:
        """What weighs examples."""
        return build_options(self.weight, WEIGHTS[self.weight], self.weight_options)

    @cached_property
    def pairing(self) -> Coupling:
        """What pairs noise with examples."""
        return build_options(self.coupling, COUPLINGS[self.coupling], self.coupling_options)
