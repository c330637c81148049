"""What a log shows of long work."""

import pytest

from tasks.cli import progress
from tasks.cli.progress import EVERY_S, progress_bar


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Return the time that is told, which tests set."""
    now = [100.0]
    monkeypatch.setattr(progress, "monotonic", lambda: now[0])
    return now


def test_a_log_gets_a_line_every_half_minute(
    clock: list[float], capsys: pytest.CaptureFixture[str]
):
    with progress_bar("Training", show="{:.0f} steps".format) as show:
        show(0, 100)
        for step in range(1, 101):
            clock[0] += 1.0
            show(step, 100)
    said = capsys.readouterr().err.splitlines()
    assert said == [
        "mcgurk: Training: 30 steps / 100 steps, about 1:10 left",
        "mcgurk: Training: 60 steps / 100 steps, about 0:40 left",
        "mcgurk: Training: 90 steps / 100 steps, about 0:10 left",
    ]


def test_a_log_gets_what_is_left_alone_or_what_is_done_where_nobody_knows_the_end(
    clock: list[float], capsys: pytest.CaptureFixture[str]
):
    with progress_bar("Enrolling", remaining=True) as show:
        show(0.0, 40.0)
        clock[0] += EVERY_S
        show(10.0, 40.0)
    with progress_bar("Cropping") as show:
        clock[0] += EVERY_S
        show(75.0, None)
    said = capsys.readouterr().err.splitlines()
    assert said == ["mcgurk: Enrolling: about 1:30 left", "mcgurk: Cropping: 1:15 done"]


def test_what_goes_on_in_the_middle_is_told_by_what_was_done_since(
    clock: list[float], capsys: pytest.CaptureFixture[str]
):
    with progress_bar("Training", show="{:.0f} steps".format) as show:
        show(900, 1000)
        clock[0] += EVERY_S
        show(950, 1000)
    told = "mcgurk: Training: 950 steps / 1000 steps, about 0:30 left"
    assert capsys.readouterr().err.strip() == told


def test_short_and_hidden_work_leaves_a_log_alone(
    clock: list[float], capsys: pytest.CaptureFixture[str]
):
    with progress_bar("Cropping") as show:
        clock[0] += EVERY_S - 0.1
        show(1.0, 2.0)
    with progress_bar("Cropping", hidden=True) as show:
        clock[0] += 10 * EVERY_S
        show(1.0, 2.0)
    assert capsys.readouterr().err == ""
