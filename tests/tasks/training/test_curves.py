import matplotlib.image
import pytest

from tasks.training.curves import draw_curves, group_by_plot


@pytest.mark.parametrize("last", [0.25, -0.25])
def test_losses_and_each_group_of_measures_get_a_plot_of_their_own(tmp_path, last):
    rows = [
        {"step": 1, "loss": 2.0},
        {"step": 2, "loss": 1.0, "measured": True, "clean, no face": 0.5, "accuracy": last},
    ]
    draw_curves(rows[:1], tmp_path / "one.png")
    draw_curves(rows, tmp_path / "three.png")
    one, three = (matplotlib.image.imread(tmp_path / f"{name}.png") for name in ("one", "three"))
    assert three.shape[0] == 2 * one.shape[0] and three.shape[1] == 2 * one.shape[1]


def test_the_step_of_the_best_is_marked(tmp_path):
    rows = [{"step": step, "loss": 2.0, "measured": True} for step in (1, 2, 3)]
    for name, best in (("none", None), ("first", 1), ("second", 2)):
        draw_curves(rows, tmp_path / f"{name}.png", best)
    found = {path.read_bytes() for path in tmp_path.iterdir()}
    assert len(found) == 3


def test_parts_of_the_loss_are_losses_where_each_row_was_measured():
    rows = [{"step": 1, "loss": 2.0, "cross_entropy": 0.5, "measured": True, "dice": 90.0}]
    assert group_by_plot(rows) == {"loss": ["loss", "cross_entropy"], "validation": ["dice"]}
