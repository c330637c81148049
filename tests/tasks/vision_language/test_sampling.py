from collections import Counter

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tasks.vision_language.config import SamplingOptions
from tasks.vision_language.sampling import count_batches, draw_epoch

ROWS = {"vqa": 50, "gqa": 83, "nlvr2": 17, "caption": 42}
PAPER = {"vqa": 500, "gqa": 833, "nlvr2": 166, "caption": 416}
COUNTS = st.dictionaries(st.sampled_from(sorted(ROWS)), st.integers(1, 60), min_size=1)
QUICK = settings(suppress_health_check=[HealthCheck.too_slow], deadline=None)  # busy machines


@QUICK
@given(COUNTS, st.sampled_from(["proportional", "mixed"]), st.integers(1, 9))
def test_an_epoch_has_each_row_once(rows, kind, batch):
    options = SamplingOptions(kind=kind, batch=batch)
    drawn = draw_epoch(rows, options, 0, 0)
    assert len(drawn) == count_batches(rows, options)
    assert Counter(row for some in drawn for row in some) == {
        (task, n): 1 for task, count in rows.items() for n in range(count)
    }
    assert max(map(len, drawn)) <= batch


@QUICK
@given(COUNTS, st.integers(1, 9))
def test_balanced_tasks_have_as_many_batches_each_and_repeat_no_row_before_all_came(rows, batch):
    options = SamplingOptions(kind="balanced", batch=batch)
    drawn = draw_epoch(rows, options, 0, 0)
    assert len(drawn) == count_batches(rows, options)
    assert all(len({task for task, _ in some}) == 1 and len(some) == batch for some in drawn)
    assert len({*Counter(some[0][0] for some in drawn).values()}) == 1
    for task, count in rows.items():
        times = Counter(n for some in drawn for of, n in some if of == task)
        least = min(times.get(n, 0) for n in range(count))
        assert max(times.values()) - least <= 1


def test_batches_are_of_one_task_and_as_large_as_it_says():
    options = SamplingOptions(batch=10, batches={"gqa": 16, "nlvr2": 3})
    drawn = draw_epoch(ROWS, options, 1, 0)
    sizes = {}
    for some in drawn:
        [task] = {task for task, _ in some}
        sizes[task] = max(sizes.get(task, 0), len(some))
    assert sizes == {"vqa": 10, "gqa": 16, "nlvr2": 3, "caption": 10}


def test_epochs_differ_and_are_the_same_each_time():
    options = SamplingOptions(batch=7)
    assert draw_epoch(ROWS, options, 1, 0) == draw_epoch(ROWS, options, 1, 0)
    assert draw_epoch(ROWS, options, 1, 0) != draw_epoch(ROWS, options, 1, 1)
    assert draw_epoch(ROWS, options, 1, 0) != draw_epoch(ROWS, options, 2, 0)


def test_mixed_batches_hold_all_tasks_in_their_proportion():
    drawn = draw_epoch({"vqa": 300, "gqa": 100}, SamplingOptions(kind="mixed", batch=40), 0, 0)
    for some in drawn:
        assert abs(sum(task == "gqa" for task, _ in some) - 10) <= 2


def test_the_published_epoch_has_4386_steps():
    rows = {"vqa": 605_102, "gqa": 1_075_062, "nlvr2": 86_373, "caption": 566_747}
    assert count_batches(rows, SamplingOptions(batch=500, batches=PAPER)) == 4386


@pytest.mark.parametrize(
    "wrong",
    [{"kind": "roundrobin"}, {"batch": 0}, {"batches": {"vqa": 0}}, {"batches": {"snli": 3}}],
)
def test_what_cannot_be_is_refused(wrong):
    with pytest.raises(ValueError, match=r"expected|known"):
        SamplingOptions(**wrong)
