import pytest
import torch

from modalities.diffusion.flow import FlowSchedule, flow_of
from modalities.diffusion.schedule import path_of

diffusers = pytest.importorskip("diffusers")
CPU = torch.device("cpu")


def test_training_and_the_measure_go_the_same_way():
    """Noisy latents, targets and times are those of the path that losses are made by."""
    schedule = FlowSchedule()
    latents, noise = torch.randn(5, 3, 4, 4), torch.randn(5, 3, 4, 4)
    levels = torch.rand(5)
    times = schedule.times_at(levels)
    placed = path_of(schedule).place(noise, latents, levels)
    assert torch.allclose(schedule.add(latents, noise, times), placed.noisy, atol=1e-6)
    assert torch.equal(schedule.target(latents, noise, times), placed.wanted)
    assert torch.equal(times, placed.times)
    assert torch.allclose(schedule.levels_of(times), levels)


@pytest.mark.parametrize("shift", [1.0, 3.0])
def test_one_look_that_tells_the_velocity_is_enough(shift):
    latents, noise = torch.randn(2, 3, 4, 4), torch.randn(2, 3, 4, 4)
    schedule = FlowSchedule(shift=shift)
    for steps in (1, 4):
        solver, found = schedule.begin(steps, CPU, False, 4), noise
        assert len(solver.timesteps) == steps
        for time in solver.timesteps:
            told = schedule.target(latents, noise, time)
            found = solver.step(told, time, found, return_dict=False)[0]
        assert torch.allclose(found, latents, atol=1e-5)


def test_a_shift_moves_steps_towards_noise():
    even, late = (FlowSchedule(shift=s).begin(4, CPU, False, 4).timesteps for s in (1.0, 3.0))
    assert even.tolist() == [1000, 750, 500, 250]
    assert late.tolist() == pytest.approx([1000, 900, 750, 500])  # 3 t / (1 + 2 t)


def test_a_large_picture_is_shifted_as_diffusers_shifts_it():
    """The shift's logarithm runs from 0.5 for 256 tokens to 1.15 for 4,096."""
    schedule = FlowSchedule(by_size=True)
    for tokens, log in ((256, 0.5), (4096, 1.15)):
        shift = torch.tensor(log).exp()
        found = schedule.begin(2, CPU, False, tokens).timesteps
        assert found[1].item() == pytest.approx(1000 * (shift / (shift + 1)).item(), rel=1e-5)


def test_a_scheduler_of_diffusers_is_read_and_another_is_told():
    scheduler = diffusers.FlowMatchEulerDiscreteScheduler(shift=3.0, max_shift=1.2)
    config = {"_class_name": type(scheduler).__name__, **scheduler.config}
    assert flow_of(config, True) == FlowSchedule(shift=3.0, max_shift=1.2, ends=True)
    with pytest.raises(ValueError, match="tells of a DDPMScheduler; expected a FlowMatch"):
        flow_of({"_class_name": "DDPMScheduler"}, True)
    with pytest.raises(ValueError, match="sets use_karras_sigmas, which is not known"):
        flow_of({**config, "use_karras_sigmas": True}, True)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"times": 0}, "times is 0; expected 1 or more"),
        ({"shift": 0.0}, r"shift is 0\.0; expected above 0"),
        ({"base_tokens": 9, "max_tokens": 9}, "base_tokens is 9 and max_tokens 9"),
    ],
)
def test_a_schedule_that_cannot_be_is_told(options, message):
    with pytest.raises(ValueError, match=message):
        FlowSchedule(**options)
