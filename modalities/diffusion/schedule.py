"""The schedules that denoisers are trained by, and the ways of a training measure that they are."""

from modalities.diffusion.flow import FlowSchedule
from modalities.diffusion.measure.contract import Path
from modalities.diffusion.measure.paths import DiffusionPath, FlowPath
from modalities.diffusion.noise import NoiseSchedule

Schedule = NoiseSchedule | FlowSchedule


def path_of(schedule: Schedule) -> Path:
    """Return the way from a picture to noise that a schedule goes, for a training measure."""
    if isinstance(schedule, FlowSchedule):
        return FlowPath(to_source=True, times=float(schedule.times))
    return DiffusionPath(schedule)
