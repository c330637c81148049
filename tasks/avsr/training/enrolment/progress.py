"""How far an enrolment is: its steps as one row of seconds."""

from collections.abc import Callable
from dataclasses import dataclass, field

from tasks.avsr.training.enrolment.options import EnrolOptions

Report = Callable[[float, float | None], None]
# Seconds on one core of an AMD EPYC, of a clip, a piece or a step of the batches there are.
CUT_S, TEXT_S, LIPS_S, AGREEMENT_S, SET_S, CHOOSE_S = 0.3, 1.5, 0.3, 0.2, 2.0, 90.0


@dataclass
class Steps:
    """Adds up the steps of an enrolment.

    Attributes:
        options: How long each training is.
        clips: How many files there are.
        told: Called with the seconds done, and all.
        done: Seconds done of each step.
    """

    options: EnrolOptions
    clips: int
    told: Report | None = None
    done: dict[str, float] = field(default_factory=dict)

    @property
    def seconds(self) -> dict[str, float]:
        """About how long each step takes."""
        options = self.options
        return {
            "cut": CUT_S * self.clips,
            "texts": TEXT_S * self.clips,
            "lips": LIPS_S * options.lips.steps,
            "agreement": AGREEMENT_S * options.agreement.steps,
            "set": SET_S * options.sets.steps,
            "choose": CHOOSE_S,
        }

    def report(self, step: str) -> Report:
        """Return what a step calls with what it has done, and all."""

        def report(done: float, total: float | None) -> None:
            seconds = self.seconds
            for before in list(seconds)[: list(seconds).index(step)]:
                self.done[before] = seconds[before]
            self.done[step] = seconds[step] * done / (total or 1)
            if self.told:
                self.told(sum(self.done.values()), sum(seconds.values()))

        return report
