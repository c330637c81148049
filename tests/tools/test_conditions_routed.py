import pytest
import torch

from modalities.diffusion.measure.loss import loss
from tools import conditions_routed
from tools.conditions_edits import TASKS, draw_edits
from tools.conditions_flux import PATH, FluxPainter, PainterOptions, paint_flow
from tools.conditions_routed import SYSTEMS, measure_edits, measure_usage, teach_edits
from tools.conditions_routed_page import tell_routed
from tools.conditions_training import Lesson
from tools.digit_lessons import seeded

LESSON = Lesson(steps=2, batch=4, warmup=1)


@pytest.fixture(scope="module")
def painter():
    pytest.importorskip("diffusers")
    options = PainterOptions(layers=1, heads=1)
    return seeded(0, lambda: FluxPainter(options)).requires_grad_(False).eval()


def test_a_painter_tells_the_velocity_to_noise(painter):
    values = torch.zeros(2, 3, 16, 16)
    found = loss(painter, values, PATH, cond=torch.tensor([[0, 4], [1, 5]]))
    assert found["loss"] > 0
    assert paint_flow(painter, torch.tensor([[0, 4]]), steps=2).shape == (1, 3, 16, 16)


@pytest.mark.parametrize("system", SYSTEMS)
def test_each_system_learns_without_the_painter_changing(painter, system):
    test = draw_edits("validation", 8, 1)
    injection, _ = teach_edits(painter, system, 0, LESSON, drawn=20)
    painted, told = measure_edits(painter, injection, test)
    injection.remove()
    assert painted.shape == test.source.shape and painted.isfinite().all()
    assert set(TASKS) <= set(told) and 0 <= told["both"] <= 100
    if system == "static":
        assert told["information"] == told["by_chance"] == 0


def test_information_is_that_of_task_and_expert():
    tasks = torch.arange(400) % 4
    certain = torch.eye(4, dtype=torch.float64)[tasks]
    assert measure_usage(certain, tasks)["information"] == pytest.approx(2.0)  # bits of four tasks
    alike = torch.full((400, 4), 0.25, dtype=torch.float64)
    assert measure_usage(alike, tasks)["information"] == pytest.approx(0.0, abs=1e-9)
    by_chance = torch.rand(400, 4, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    found = measure_usage(by_chance / by_chance.sum(1, keepdim=True), tasks)
    assert found["information"] < 2 * found["by_chance"]


def test_nothing_is_told_of_what_was_not_measured(monkeypatch, tmp_path):
    monkeypatch.setattr(conditions_routed, "FOLDER", tmp_path)
    monkeypatch.setattr("tools.conditions_routed_page.read_study", _nothing)
    with pytest.raises(FileNotFoundError):
        tell_routed()


def _nothing(name):
    raise FileNotFoundError(name)
