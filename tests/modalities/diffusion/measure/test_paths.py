import pytest
import torch

from modalities.diffusion.measure.paths import DiffusionPath, FlowPath
from modalities.diffusion.noise import NoiseSchedule

LEVELS = torch.tensor([0.0, 0.25, 0.5, 0.999])
TOLD = ("epsilon", "v_prediction")


def draw_ends() -> tuple[torch.Tensor, torch.Tensor]:
    torch.manual_seed(0)
    return torch.randn(4, 2, 3), torch.randn(4, 2, 3)


def diffusion(told: str) -> DiffusionPath:
    pytest.importorskip("diffusers")
    return DiffusionPath(NoiseSchedule("linear", told=told))


def test_the_line_goes_from_source_to_target_at_an_even_speed():
    source, target = draw_ends()
    placed = FlowPath().place(source, target, LEVELS)
    torch.testing.assert_close(placed.times, 1 - LEVELS)
    torch.testing.assert_close(placed.noisy[0], target[0])
    # From where it is, at the wanted velocity for the time that is left, it arrives.
    left = (1 - placed.times).view(-1, 1, 1)
    torch.testing.assert_close(placed.noisy + left * placed.wanted, target)


def test_models_of_diffusers_run_the_other_way_and_count_to_1000():
    source, target = draw_ends()
    forward = FlowPath().place(source, target, LEVELS)
    back = FlowPath(to_source=True, times=1000).place(source, target, LEVELS)
    assert torch.equal(forward.noisy, back.noisy) and torch.equal(forward.wanted, -back.wanted)
    torch.testing.assert_close(back.times, 1000 * LEVELS)


def test_a_line_that_wavers_does_so_by_sigma():
    zeros = torch.zeros(1, 20_000)
    generator = torch.Generator().manual_seed(0)
    placed = FlowPath(sigma=0.3).place(zeros, zeros, torch.tensor([0.5]), generator)
    assert float(placed.noisy.std()) == pytest.approx(0.3, rel=0.03)
    assert not placed.wanted.any()


@pytest.mark.parametrize("path", [FlowPath(), FlowPath(to_source=True), *TOLD], ids=str)
def test_gains_turn_errors_of_what_is_told_into_errors_of_both_ends(path):
    """Solved for the ends: noisy and told together are two equations for source and target."""
    path = diffusion(path) if isinstance(path, str) else path
    source, target = (end.double() for end in draw_ends())
    levels = torch.tensor([0.1, 0.3, 0.6, 0.9], dtype=torch.float64)
    error = torch.randn(4, 2, 3, dtype=torch.float64)

    def coefficients(of: str) -> torch.Tensor:
        """What noisy and told are made of: [rows, (noisy, told), (source, target)]."""
        one, nothing = torch.ones(4, 1, dtype=torch.float64), torch.zeros(4, 1, dtype=torch.float64)
        ends = ((one, nothing), (nothing, one))
        placed = [path.place(*pair, levels) for pair in ends]
        return torch.stack(
            [torch.cat([p.noisy for p in placed], 1), torch.cat([p.wanted for p in placed], 1)], 1
        )

    solved = torch.linalg.inv(coefficients("ends"))[:, :, 1]  # of an error of what is told
    source_error, target_error = (solved[:, n].view(-1, 1, 1) * error for n in (0, 1))
    told = error.square().flatten(1).mean(1)
    for gain, found in ((path.source_gain, source_error), (path.target_gain, target_error)):
        torch.testing.assert_close(
            gain(levels).double() * told, found.square().flatten(1).mean(1), rtol=1e-4, atol=0
        )


def test_times_of_levels_are_whole_and_none_is_beyond_the_last():
    schedule = NoiseSchedule()
    assert schedule.times_at(torch.tensor([0.0, 0.0009, 0.5, 0.9999, 1.0])).tolist() == [
        *(0, 0, 500, 999, 999)
    ]


def test_what_cannot_be_is_told():
    with pytest.raises(ValueError, match="sigma is -1"):
        FlowPath(sigma=-1)
