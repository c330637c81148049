import pytest
import torch
from torch import Tensor

from modalities.diffusion.measure.couplings import ExactTransport, Independent
from modalities.diffusion.measure.loss import loss
from modalities.diffusion.measure.paths import DiffusionPath, FlowPath
from modalities.diffusion.measure.times import IndependentPair, QuantileMatched, Uniform
from modalities.diffusion.measure.weights import Gibbs, MinSnr
from modalities.diffusion.noise import NoiseSchedule

TARGET = torch.arange(24.0).view(4, 2, 3) / 10
SOURCE = TARGET.flip(0) - 1


class Recorder:
    """Tells nothing but zeros, and remembers what it was called with."""

    def __call__(self, noisy: Tensor, times: Tensor, cond: object, /, *other: Tensor) -> Tensor:
        self.noisy, self.times, self.cond, self.other = noisy, times, cond, other
        return torch.zeros_like(noisy)


def seeded() -> torch.Generator:
    return torch.Generator().manual_seed(0)


class Fixed:
    """Draws levels that are given."""

    def __init__(self, levels: Tensor):
        self.levels = levels

    def draw(self, rows, generator=None):
        from modalities.diffusion.measure.contract import Levels

        return Levels(self.levels)


def test_flow_matching_is_the_squared_error_of_the_velocity():
    model = Recorder()
    found = loss(model, (SOURCE, TARGET), FlowPath(), cond="told", generator=seeded())
    torch.testing.assert_close(found["loss"], (TARGET - SOURCE).square().mean())
    torch.testing.assert_close(found["mean_cost"], found["loss"])
    assert model.cond == "told"
    torch.testing.assert_close(found["mean_level"], 1 - model.times.mean())
    t = model.times.view(-1, 1, 1)
    torch.testing.assert_close(model.noisy, (1 - t) * SOURCE + t * TARGET)


def test_epsilon_loss_is_that_of_diffusers():
    diffusers = pytest.importorskip("diffusers")
    schedule = NoiseSchedule("linear")
    model = Recorder()
    found = loss(model, (SOURCE, TARGET), DiffusionPath(schedule), generator=seeded())
    expected = diffusers.DDPMScheduler(beta_schedule="linear", beta_start=1e-4).add_noise(
        TARGET, SOURCE, model.times
    )
    torch.testing.assert_close(model.noisy, expected)
    torch.testing.assert_close(found["loss"], SOURCE.square().mean())


def test_the_error_of_the_noise_is_that_of_the_velocity_where_both_see_one_noisy_row():
    """A flow is at a level s what diffusion is where noise by signal is s / (1 - s), but for scale.

    So one network serves both, and min-SNR without a bound makes the flow's loss that of the noise.
    """
    pytest.importorskip("diffusers")
    torch.manual_seed(0)
    schedule = NoiseSchedule("scaled_linear")
    net = torch.nn.Linear(6, 6)
    levels = torch.tensor([0.05, 0.4, 0.7, 0.95])
    kept = schedule.kept[schedule.times_at(levels)]
    flow_levels = (1 - kept).sqrt() / (kept.sqrt() + (1 - kept).sqrt())

    def tell_noise(noisy: Tensor, times: Tensor, cond: object, /, *other: Tensor) -> Tensor:
        return net(noisy.flatten(1)).view_as(noisy)

    def tell_velocity(noisy: Tensor, times: Tensor, cond: object, /, *other: Tensor) -> Tensor:
        share = times.view(-1, 1, 1)
        as_diffusion = noisy * kept.sqrt().view(-1, 1, 1) / share
        return (noisy - tell_noise(as_diffusion, times, cond)) / share

    diffusion = loss(tell_noise, (SOURCE, TARGET), DiffusionPath(schedule), time=Fixed(levels))
    flow = loss(
        tell_velocity,
        (SOURCE, TARGET),
        FlowPath(),
        time=Fixed(flow_levels),
        weight=MinSnr(float("inf")),
    )
    torch.testing.assert_close(flow["loss"], diffusion["loss"], rtol=1e-4, atol=0)
    bounded = [
        loss(model, (SOURCE, TARGET), path, time=Fixed(at), weight=MinSnr(5.0))["loss"]
        for model, path, at in (
            (tell_noise, DiffusionPath(schedule), levels),
            (tell_velocity, FlowPath(), flow_levels),
        )
    ]
    torch.testing.assert_close(*bounded, rtol=1e-4, atol=0)
    assert bounded[0] < flow["loss"]


def test_sources_are_drawn_where_none_are_given():
    model = Recorder()
    found = loss(model, torch.zeros(2000, 5), FlowPath(), generator=seeded())
    assert float(found["loss"]) == pytest.approx(1.0, abs=0.05)
    again = loss(model, torch.zeros(2000, 5), FlowPath(), generator=seeded())
    assert torch.equal(found["loss"], again["loss"])


def test_couplings_move_sources_and_leave_targets():
    pytest.importorskip("scipy")
    apart = loss(Recorder(), (SOURCE, TARGET), FlowPath(), generator=seeded())
    model = Recorder()
    near = loss(model, (SOURCE, TARGET), FlowPath(), coupling=ExactTransport(), generator=seeded())
    assert float(near["loss"]) == pytest.approx(1.0)  # back in order each source is 1 below
    assert float(apart["loss"]) > 1.5
    t = model.times.view(-1, 1, 1)
    torch.testing.assert_close(model.noisy, TARGET - (1 - t))
    parted = loss(
        Recorder(), (TARGET - 1, TARGET), FlowPath(), coupling=Independent(), generator=seeded()
    )
    assert float(parted["loss"]) > 1.0


def test_weights_count_in_the_loss_and_its_gradient():
    shift = torch.zeros(3, requires_grad=True)

    def model(noisy: Tensor, times: Tensor, cond: object, /, *other: Tensor) -> Tensor:
        return shift.expand_as(noisy)

    source = torch.zeros(2, 3)
    target = torch.tensor([[1.0, 0.0, 0.0], [0.0, 3.0, 0.0]])
    found = loss(model, (source, target), FlowPath(), weight=Gibbs(1e-3))
    found["loss"].backward()
    assert float(found["effective_share"]) == 0.5
    torch.testing.assert_close(shift.grad, torch.tensor([-2.0, 0.0, 0.0]) / 3)
    torch.testing.assert_close(found["unweighted_loss"], torch.tensor(10.0 / 6))


def test_halves_of_pairs_are_placed_by_their_own_levels():
    model = Recorder()
    loss(model, TARGET, FlowPath(), time=IndependentPair(), generator=seeded())
    assert len(model.times.unique()) == 4 and not model.other


def test_the_other_clock_reaches_the_model():
    model = Recorder()
    loss(model, TARGET, FlowPath(), time=QuantileMatched(Uniform(), Uniform()))
    torch.testing.assert_close(model.other[0], 1 - model.times)


def test_ends_of_other_shapes_are_told():
    with pytest.raises(ValueError, match=r"\[3, 2\] and targets \[4, 2\]"):
        loss(Recorder(), (torch.zeros(3, 2), torch.zeros(4, 2)), FlowPath())
